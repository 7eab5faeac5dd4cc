// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct iommu_destroy}: ends an object of an iommufd. */
public final class IommuDestroy {
  private static final Struct.Builder FIELDS = Struct.named("iommu_destroy");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** The object. */
  public static final U32 ID = FIELDS.u32("id");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuDestroy() {}
}
