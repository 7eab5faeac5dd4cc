// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/** {@code src/main/c/nvmeperf.c}: reads in C, of a controller by VFIO and of a block device. */
final class CPeer {
  private static final int TEXT = 200;
  private static final AddressLayout STRING = string();

  private final SymbolLookup library;
  private final MethodHandle open;
  private final MethodHandle read;
  private final MethodHandle close;
  private final MethodHandle failure;
  private final MethodHandle openFile;
  private final MethodHandle readFile;

  // SAFETY: nvmeperf_failure has an array of this length.
  @SuppressWarnings("restricted")
  private static AddressLayout string() {
    return ValueLayout.ADDRESS.withTargetLayout(
        MemoryLayout.sequenceLayout(TEXT, ValueLayout.JAVA_BYTE));
  }

  // SAFETY: the library is lab/src/main/c/nvmeperf.c, and each function is declared as it is there.
  @SuppressWarnings("restricted")
  CPeer(Path file) {
    library = SymbolLookup.libraryLookup(file, Arena.global());
    open =
        handle(
            "nvmeperf_open",
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    read =
        handle(
            "nvmeperf_read",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT));
    close = handle("nvmeperf_close", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
    failure = handle("nvmeperf_failure", FunctionDescriptor.of(STRING));
    openFile =
        handle("odirect_open", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
    readFile =
        handle(
            "odirect_read",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT));
  }

  @SuppressWarnings("restricted") // as above
  private MethodHandle handle(String name, FunctionDescriptor descriptor) {
    return Linker.nativeLinker().downcallHandle(library.findOrThrow(name), descriptor);
  }

  /** A controller that C drives. */
  final class Controller implements AutoCloseable {
    private final MemorySegment state;

    Controller(String address, boolean shadowDoorbells) {
      try (var arena = Arena.ofConfined()) {
        state =
            (MemorySegment) open.invokeExact(arena.allocateFrom(address), shadowDoorbells ? 1 : 0);
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
      if (state.address() == 0) {
        throw failed();
      }
    }

    /** How many nanoseconds so many reads took; blocks of 512 bytes, of the first 2^area. */
    long read(long count, int depth, int blocks, int area) {
      try {
        return checked((long) read.invokeExact(state, count, depth, blocks, area));
      } catch (RuntimeException e) {
        throw e;
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
    }

    @Override
    public void close() {
      try {
        close.invokeExact(state);
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
    }
  }

  /**
   * A block device of the kernel's own driver, read past its cache; open until the process ends.
   */
  int openBlockDevice(String path) {
    try (var arena = Arena.ofConfined()) {
      return (int) checked((int) openFile.invokeExact(arena.allocateFrom(path)));
    } catch (RuntimeException e) {
      throw e;
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** How many nanoseconds so many reads took, one at a time. */
  long readBlockDevice(int fd, long count, int blocks, int area) {
    try {
      return checked((long) readFile.invokeExact(fd, count, blocks, area));
    } catch (RuntimeException e) {
      throw e;
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  private long checked(long result) {
    if (result < 0) {
      throw failed();
    }
    return result;
  }

  private IllegalStateException failed() {
    try {
      return new IllegalStateException(
          "in C: " + ((MemorySegment) failure.invokeExact()).getString(0));
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }
}
