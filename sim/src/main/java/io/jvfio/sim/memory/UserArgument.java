// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The argument of an ioctl: a number, which some commands take as an address. Structs are copied in
 * and out, so that their alignment and a second thread's writes do not matter.
 */
public final class UserArgument {
  private final long value;
  private final MemorySegment memory;

  private UserArgument(long value, MemorySegment memory) {
    this.value = value;
    this.memory = memory;
  }

  /** An argument that was passed as a number; it may be the address of anonymous memory. */
  public static UserArgument of(long value, ProcessMemory memory) {
    return new UserArgument(value, memory.mappedFrom(value));
  }

  /** An argument that was passed as memory. */
  public static UserArgument of(MemorySegment memory) {
    if (!memory.isNative()) {
      throw new IllegalArgumentException("a system call takes native memory, not the Java heap's");
    }
    return new UserArgument(memory.address(), memory);
  }

  /** The argument as a number. */
  public long value() {
    return value;
  }

  /**
   * A copy of the first {@code byteSize} bytes, at the start of at least {@code capacity} bytes
   * that are otherwise zero.
   */
  public MemorySegment copyIn(long byteSize, long capacity) throws UserFault {
    if (memory.byteSize() < byteSize) {
      throw new UserFault();
    }
    var copy = MemorySegment.ofArray(new long[(int) (Math.max(byteSize, capacity) + 7) / 8]);
    return copy.copyFrom(memory.asSlice(0, byteSize));
  }

  /** A copy of the first {@code byteSize} bytes. */
  public MemorySegment copyIn(long byteSize) throws UserFault {
    return copyIn(byteSize, byteSize);
  }

  /** Whether a struct, as its {@code argsz} says, is smaller than {@code minimum} bytes. */
  public static boolean isShort(int argsz, long minimum) {
    return Integer.toUnsignedLong(argsz) < minimum;
  }

  /** Writes the first {@code byteSize} bytes of {@code source} back to {@code offset}. */
  public void copyOut(long offset, MemorySegment source, long byteSize) throws UserFault {
    if (memory.isReadOnly() || memory.byteSize() < offset + byteSize) {
      throw new UserFault();
    }
    MemorySegment.copy(source, 0, memory, offset, byteSize);
  }

  /** Whether all bytes from {@code start} to before {@code end} are zero. */
  boolean isZero(long start, long end) throws UserFault {
    for (long at = start; at < end; at++) {
      if (at >= memory.byteSize()) {
        throw new UserFault();
      }
      if (memory.get(ValueLayout.JAVA_BYTE, at) != 0) {
        return false;
      }
    }
    return true;
  }

  /** A 32-bit number that the argument points to. */
  public int pointedInt() throws UserFault {
    return copyIn(Integer.BYTES).get(ValueLayout.JAVA_INT, 0);
  }

  /**
   * The C string that the argument points to, or null when it is longer than {@code limit} bytes
   * with its end mark.
   */
  public @Nullable String pointedString(int limit) throws UserFault {
    for (int length = 0; length < limit; length++) {
      if (length >= memory.byteSize()) {
        throw new UserFault();
      }
      if (memory.get(ValueLayout.JAVA_BYTE, length) == 0) {
        return new String(
            memory.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
      }
    }
    return null;
  }
}
