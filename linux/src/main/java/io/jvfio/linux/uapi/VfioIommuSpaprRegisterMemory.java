// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct vfio_iommu_spapr_register_memory}: registers or unregisters memory with a sPAPR v2
 * container.
 */
public final class VfioIommuSpaprRegisterMemory {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_spapr_register_memory");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** None are defined. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** Process address. */
  public static final U64 VADDR = FIELDS.u64("vaddr");

  /** In bytes. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuSpaprRegisterMemory() {}
}
