// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/** {@code struct iommu_iova_range}: one range of addresses, as arrays of them have it. */
public final class IommuIovaRange {
  private static final Struct.Builder FIELDS = Struct.named("iommu_iova_range");

  /** The first address. */
  public static final U64 START = FIELDS.u64("start");

  /** The last address. */
  public static final U64 LAST = FIELDS.u64("last");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuIovaRange() {}
}
