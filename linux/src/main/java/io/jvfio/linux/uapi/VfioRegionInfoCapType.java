// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_region_info_cap_type}: region capability: what a device-specific region is.
 */
public final class VfioRegionInfoCapType {
  private static final Struct.Builder FIELDS = Struct.named("vfio_region_info_cap_type");

  /** VFIO_REGION_TYPE_. */
  public static final U32 TYPE = FIELDS.nested("header", VfioInfoCapHeader.STRUCT).u32("type");

  /** VFIO_REGION_SUBTYPE_ of the type. */
  public static final U32 SUBTYPE = FIELDS.u32("subtype");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioRegionInfoCapType() {}
}
