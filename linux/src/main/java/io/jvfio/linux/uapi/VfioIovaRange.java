// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_iova_range}: a range of valid IOVAs, both ends within it. */
public final class VfioIovaRange {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iova_range");

  /** First valid address. */
  public static final U64 START = FIELDS.u64("start");

  /** Last valid address. */
  public static final U64 END = FIELDS.u64("end");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIovaRange() {}
}
