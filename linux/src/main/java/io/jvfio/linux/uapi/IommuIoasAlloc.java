// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct iommu_ioas_alloc}: makes an IO address space (IOAS). */
public final class IommuIoasAlloc {
  private static final Struct.Builder FIELDS = Struct.named("iommu_ioas_alloc");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** Must be 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The new IOAS, written by the kernel. */
  public static final U32 OUT_IOAS_ID = FIELDS.u32("out_ioas_id");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuIoasAlloc() {}
}
