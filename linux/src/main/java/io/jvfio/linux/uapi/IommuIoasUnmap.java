// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct iommu_ioas_unmap}: unmaps whole mappings of an IOAS. */
public final class IommuIoasUnmap {
  private static final Struct.Builder FIELDS = Struct.named("iommu_ioas_unmap");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** The IOAS. */
  public static final U32 IOAS_ID = FIELDS.u32("ioas_id");

  /** The first IO virtual address. */
  public static final U64 IOVA = FIELDS.u64("iova");

  /** In bytes; the kernel writes how much it unmapped. */
  public static final U64 LENGTH = FIELDS.u64("length");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuIoasUnmap() {}
}
