// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Field.U32;

/** {@code struct iommu_vfio_ioas}: the IOAS behind the VFIO-compatible container. */
public final class IommuVfioIoas {
  private static final Struct.Builder FIELDS = Struct.named("iommu_vfio_ioas");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** The IOAS. */
  public static final U32 IOAS_ID = FIELDS.u32("ioas_id");

  /** IOMMU_VFIO_IOAS_ operation. */
  public static final U16 OP = FIELDS.u16("op");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused16("__reserved").build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuVfioIoas() {}
}
