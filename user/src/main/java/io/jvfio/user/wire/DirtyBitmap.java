// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;

/**
 * {@code struct vfio_user_bitmap}, which follows {@link DmaUnmapMessage} where a bitmap is asked
 * for; in the reply the bits follow it. Not in the present specification, but in what clients and
 * servers of before have.
 */
public final class DirtyBitmap {
  private static final Struct.Builder FIELDS =
      Struct.named("vfio_user_bitmap", DmaUnmapMessage.BYTES);

  /** How many bytes of memory one bit stands for. */
  public static final U64 PAGE_SIZE = FIELDS.u64("bitmap_pgsize");

  /** How many bytes the bits take, a multiple of 8. */
  public static final U64 BYTE_SIZE = FIELDS.u64("bitmap_size");

  /** The struct. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message up to the bits, in bytes. */
  public static final int BYTES = DmaUnmapMessage.BYTES + (int) STRUCT.byteSize();

  private DirtyBitmap() {}
}
