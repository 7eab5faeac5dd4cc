// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Signals that do nothing but interrupt a thread's system call: a handler without SA_RESTART, which
 * the C library has for nobody, so SIGWINCH has one of its functions here.
 */
final class Signals implements AutoCloseable {
  private static final int SIGWINCH = 28;
  private static final Linker LINKER = Linker.nativeLinker();
  private static final MethodHandle GETTID =
      link("gettid", FunctionDescriptor.of(ValueLayout.JAVA_INT));
  private static final MethodHandle TGKILL =
      link(
          "tgkill",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT));
  private static final MethodHandle SIGNAL =
      link(
          "signal",
          FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
  private static final MethodHandle SIGINTERRUPT =
      link(
          "siginterrupt",
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

  private final MemorySegment before;

  // SAFETY: abs(3) takes a number and does nothing with it.
  Signals() {
    try {
      var handler = LINKER.defaultLookup().findOrThrow("abs");
      before = (MemorySegment) SIGNAL.invokeExact(SIGWINCH, handler);
      assertThat((int) SIGINTERRUPT.invokeExact(SIGWINCH, 1)).isZero();
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  @SuppressWarnings("restricted")
  private static MethodHandle link(String function, FunctionDescriptor descriptor) {
    return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(function), descriptor);
  }

  /** The calling thread's number. */
  static int thisThread() {
    try {
      return (int) GETTID.invokeExact();
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Interrupts what a thread waits for; one that has ended is no matter. */
  void send(int thread) {
    try {
      int _ = (int) TGKILL.invokeExact((int) ProcessHandle.current().pid(), thread, SIGWINCH);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  @Override
  public void close() {
    try {
      var _ = (MemorySegment) SIGNAL.invokeExact(SIGWINCH, before);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }
}
