// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.Objects;

/**
 * The command, as a process of its own, whose every {@code fdatasync} fails with EIO: a filter of
 * system calls says so (seccomp). What {@code io_uring} does passes by it.
 */
final class UnflushedCommand {
  private static final int PR_SET_SECCOMP = 22;
  private static final int PR_SET_NO_NEW_PRIVS = 38;
  private static final long SECCOMP_MODE_FILTER = 2;

  /** {@code BPF_LD | BPF_W | BPF_ABS}: the word of {@code struct seccomp_data} at an offset. */
  private static final int LOAD = 0x20;

  /** {@code BPF_JMP | BPF_JEQ | BPF_K}. */
  private static final int JUMP_IF_EQUAL = 0x15;

  /** {@code BPF_RET | BPF_K}. */
  private static final int RETURN = 0x06;

  private static final int ALLOW = 0x7fff_0000;
  private static final int ERRNO = 0x0005_0000;
  private static final int EIO = 5;

  /** What {@code fdatasync} is called by, in each architecture's {@code asm/unistd.h}. */
  private static final Map<String, Integer> FDATASYNC =
      Map.of("amd64", 75, "aarch64", 83, "riscv64", 83, "ppc64le", 148);

  private UnflushedCommand() {}

  /** Whether it can be run on a machine like this. */
  static boolean isKnown() {
    return FDATASYNC.containsKey(System.getProperty("os.arch"));
  }

  public static void main(String[] args) throws Throwable {
    forbid(Objects.requireNonNull(FDATASYNC.get(System.getProperty("os.arch"))));
    Main.main(args);
  }

  /** For this thread, and all that it starts. */
  private static void forbid(int call) throws Throwable {
    try (var arena = Arena.ofConfined()) {
      long[] instructions = {
        instruction(LOAD, 0, 0, 0),
        instruction(JUMP_IF_EQUAL, 0, 1, call),
        instruction(RETURN, 0, 0, ERRNO | EIO),
        instruction(RETURN, 0, 0, ALLOW)
      };
      var program = arena.allocate(16, 8);
      program.set(ValueLayout.JAVA_SHORT, 0, (short) instructions.length);
      program.set(ValueLayout.ADDRESS, 8, arena.allocateFrom(ValueLayout.JAVA_LONG, instructions));
      control(PR_SET_NO_NEW_PRIVS, 1, MemorySegment.NULL);
      control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program);
    }
  }

  /** A {@code struct sock_filter}, on a little-endian machine. */
  private static long instruction(int code, int ifTrue, int ifFalse, int value) {
    return code | ((long) ifTrue << 16) | ((long) ifFalse << 24) | ((long) value << 32);
  }

  @SuppressWarnings("restricted")
  private static void control(int option, long value, MemorySegment more) throws Throwable {
    var linker = Linker.nativeLinker();
    var prctl =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("prctl"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG),
            Linker.Option.firstVariadicArg(1));
    int result = (int) prctl.invokeExact(option, value, more, 0L, 0L);
    if (result < 0) {
      throw new IllegalStateException("prctl(" + option + ") failed");
    }
  }
}
