// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.UUID;

/** The secret that a physical function shares with the users of its virtual ones. */
public final class VfToken {
  /** Its length in bytes. */
  public static final int SIZE = 16;

  private static final ValueLayout.OfLong BIG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private VfToken() {}

  /** A token as the kernel has it: its text's digits in order. */
  public static MemorySegment bytes(SegmentAllocator allocator, UUID token) {
    var bytes = allocator.allocate(SIZE);
    bytes.set(BIG, 0, token.getMostSignificantBits());
    bytes.set(BIG, Long.BYTES, token.getLeastSignificantBits());
    return bytes;
  }
}
