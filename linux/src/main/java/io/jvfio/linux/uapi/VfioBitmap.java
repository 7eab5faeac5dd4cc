// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_bitmap}: a bitmap of dirty pages. */
public final class VfioBitmap {
  private static final Struct.Builder FIELDS = Struct.named("vfio_bitmap");

  /** Bytes that one bit stands for. */
  public static final U64 PGSIZE = FIELDS.u64("pgsize");

  /** Of the bitmap, in bytes. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** Process address of the bitmap. */
  public static final U64 DATA = FIELDS.u64("data");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioBitmap() {}
}
