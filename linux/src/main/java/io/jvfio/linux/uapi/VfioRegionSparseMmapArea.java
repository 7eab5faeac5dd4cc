// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_region_sparse_mmap_area}: one part of a region that can be mapped. */
public final class VfioRegionSparseMmapArea {
  private static final Struct.Builder FIELDS = Struct.named("vfio_region_sparse_mmap_area");

  /** From the start of the region. */
  public static final U64 OFFSET = FIELDS.u64("offset");

  /** In bytes. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioRegionSparseMmapArea() {}
}
