// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.Uring;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * The kernel's side of {@code io_uring} in ordinary memory. Offsets are written out as in {@code
 * linux/io_uring.h}, not taken from what is tested.
 *
 * <p>An operation ends within the call that submits it, or when the {@link FaultKernel} lets it go
 * on.
 */
final class EmulatedRing {
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();

  private static final int HEAD = 0;
  private static final int TAIL = 4;
  private static final int FLAGS = 8;
  private static final int COMPLETED_HEAD = 64;
  private static final int COMPLETED_TAIL = 68;
  private static final int COMPLETED_FLAGS = 72;
  private static final int COMPLETIONS = 128;
  private static final int SUBMISSION_SIZE = 64;
  private static final int COMPLETION_SIZE = 16;

  private final FaultKernel kernel;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment rings;
  private final MemorySegment submissions;
  private final int entries;
  private final int completionEntries;
  private final long array;
  private int eventFd = -1;
  private int registeredFile = -1;

  EmulatedRing(FaultKernel kernel, int wanted, MemorySegment params) {
    this.kernel = kernel;
    entries = roundUp(wanted);
    int wantedCompletions = params.get(ValueLayout.JAVA_INT, 4);
    completionEntries = roundUp(Math.max(wantedCompletions, 2 * entries));
    array = COMPLETIONS + (long) COMPLETION_SIZE * completionEntries;
    rings = arena.allocate(array + 4L * entries, 4096);
    submissions = arena.allocate((long) SUBMISSION_SIZE * entries, 4096);
    int features = Uring.IORING_FEAT_SINGLE_MMAP | Uring.IORING_FEAT_NODROP;
    set(params, 0, entries);
    set(params, 4, completionEntries);
    set(params, 20, features);
    set(params, 40, HEAD);
    set(params, 44, TAIL);
    set(params, 56, FLAGS);
    set(params, 64, (int) array);
    set(params, 80, COMPLETED_HEAD);
    set(params, 84, COMPLETED_TAIL);
    set(params, 100, COMPLETIONS);
    set(params, 104, COMPLETED_FLAGS);
  }

  private static void set(MemorySegment struct, long offset, int value) {
    struct.set(ValueLayout.JAVA_INT, offset, value);
  }

  private static int roundUp(int number) {
    return Integer.highestOneBit(2 * number - 1);
  }

  /** Where what is mapped from an offset is. */
  long address(long offset, long byteSize) {
    var memory = offset == Uring.IORING_OFF_SQES ? submissions : rings;
    if (byteSize > memory.byteSize()) {
      throw new AssertionError("%d bytes at %#x".formatted(byteSize, offset));
    }
    return memory.address();
  }

  int register(int operation, MemorySegment argument) {
    return switch (operation) {
      case Uring.IORING_REGISTER_PROBE -> {
        int operations = 64;
        argument.set(ValueLayout.JAVA_BYTE, 0, (byte) (operations - 1));
        argument.set(ValueLayout.JAVA_BYTE, 1, (byte) operations);
        for (int i = 0; i < operations; i++) {
          argument.set(ValueLayout.JAVA_BYTE, 16 + 8L * i, (byte) i);
          argument.set(ValueLayout.JAVA_SHORT, 18 + 8L * i, (short) Uring.IO_URING_OP_SUPPORTED);
        }
        yield 0;
      }
      case Uring.IORING_REGISTER_EVENTFD -> {
        if (eventFd >= 0) {
          yield Errno.EBUSY.result();
        }
        eventFd = argument.get(ValueLayout.JAVA_INT, 0);
        yield 0;
      }
      case Uring.IORING_REGISTER_FILES -> {
        if (registeredFile >= 0) {
          yield Errno.EBUSY.result();
        }
        registeredFile = argument.get(ValueLayout.JAVA_INT, 0);
        yield 0;
      }
      case Uring.IORING_UNREGISTER_FILES -> {
        registeredFile = -1;
        yield 0;
      }
      default -> Errno.EINVAL.result();
    };
  }

  /** Takes submissions; returns how many. */
  int enter(int toSubmit) {
    int head = (int) WORD.getAcquire(rings, (long) HEAD);
    int tail = (int) WORD.getAcquire(rings, (long) TAIL);
    int count = Math.min(toSubmit, tail - head);
    for (int i = 0; i < count; i++) {
      int index = rings.get(ValueLayout.JAVA_INT, array + 4L * ((head + i) & (entries - 1))) * 64;
      begin(submissions.asSlice(index, SUBMISSION_SIZE));
    }
    WORD.setRelease(rings, (long) HEAD, head + count);
    return count;
  }

  private void begin(MemorySegment entry) {
    int opcode = entry.get(ValueLayout.JAVA_BYTE, 0);
    boolean isRegistered = (entry.get(ValueLayout.JAVA_BYTE, 1) & Uring.IOSQE_FIXED_FILE) != 0;
    int fd = isRegistered ? registeredFile : entry.get(ValueLayout.JAVA_INT, 4);
    long offset = entry.get(ValueLayout.JAVA_LONG, 8);
    long address = entry.get(ValueLayout.JAVA_LONG, 16);
    int length = entry.get(ValueLayout.JAVA_INT, 24);
    long userData = entry.get(ValueLayout.JAVA_LONG, 32);
    switch (opcode) {
      case Uring.IORING_OP_READ ->
          kernel.read(fd, single(address, length), 1, offset, result -> end(userData, result));
      case Uring.IORING_OP_READV ->
          kernel.read(
              fd, vectors(address, length), length, offset, result -> end(userData, result));
      case Uring.IORING_OP_WRITE ->
          kernel.write(fd, single(address, length), 1, offset, result -> end(userData, result));
      case Uring.IORING_OP_WRITEV ->
          kernel.write(
              fd, vectors(address, length), length, offset, result -> end(userData, result));
      case Uring.IORING_OP_FSYNC ->
          kernel.synchronizeData(
              fd, offset, Integer.toUnsignedLong(length), result -> end(userData, result));
      case Uring.IORING_OP_FALLOCATE ->
          kernel.allocate(fd, length, offset, address, result -> end(userData, result));
      case Uring.IORING_OP_ASYNC_CANCEL -> end(userData, kernel.cancelAll());
      default -> end(userData, Errno.EINVAL.result());
    }
  }

  private MemorySegment single(long address, int length) {
    var vector = Arena.ofAuto().allocate(16, 8);
    vector.set(ValueLayout.JAVA_LONG, 0, address);
    vector.set(ValueLayout.JAVA_LONG, 8, Integer.toUnsignedLong(length));
    return vector;
  }

  /** As it is now: who submits may use the list again once it was taken. */
  private MemorySegment vectors(long address, int count) {
    try (var lifetime = Arena.ofConfined()) {
      var list = LinuxKernel.instance().memory(address, 16L * count, lifetime);
      return Arena.ofAuto().allocate(16L * count, 8).copyFrom(list);
    }
  }

  private synchronized void end(long userData, long result) {
    int tail = (int) WORD.getAcquire(rings, (long) COMPLETED_TAIL);
    int head = (int) WORD.getAcquire(rings, (long) COMPLETED_HEAD);
    if (tail - head == completionEntries) {
      throw new AssertionError("more completions than there is room for");
    }
    long at = COMPLETIONS + (long) COMPLETION_SIZE * (tail & (completionEntries - 1));
    rings.set(ValueLayout.JAVA_LONG, at, userData);
    rings.set(ValueLayout.JAVA_INT, at + 8, (int) result);
    rings.set(ValueLayout.JAVA_INT, at + 12, 0);
    WORD.setVolatile(rings, (long) COMPLETED_TAIL, tail + 1);
    int flags = (int) WORD.getVolatile(rings, (long) COMPLETED_FLAGS);
    if (eventFd >= 0 && (flags & Uring.IORING_CQ_EVENTFD_DISABLED) == 0) {
      try (var lifetime = Arena.ofConfined()) {
        kernel.write(eventFd, lifetime.allocateFrom(ValueLayout.JAVA_LONG, 1));
      }
    }
  }

  void close() {
    arena.close();
  }
}
