// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct iommu_ioas_map_file}: maps a file, such as a memfd, in an IOAS. */
public final class IommuIoasMapFile {
  private static final Struct.Builder FIELDS = Struct.named("iommu_ioas_map_file");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** IOMMU_IOAS_MAP_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The IOAS. */
  public static final U32 IOAS_ID = FIELDS.u32("ioas_id");

  /** The file. */
  public static final U32 FD = FIELDS.u32("fd");

  /** Offset in the file, in bytes. */
  public static final U64 START = FIELDS.u64("start");

  /** In bytes. */
  public static final U64 LENGTH = FIELDS.u64("length");

  /** IO virtual address; written by the kernel unless it is fixed. */
  public static final U64 IOVA = FIELDS.u64("iova");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuIoasMapFile() {}
}
