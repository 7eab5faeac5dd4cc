// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_pci_hot_reset}: head of a hot reset; descriptors of all affected groups
 * follow.
 */
public final class VfioPciHotReset {
  private static final Struct.Builder FIELDS = Struct.named("vfio_pci_hot_reset");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** Must be 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** Number of descriptors; 0 on a character device. */
  public static final U32 COUNT = FIELDS.u32("count");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioPciHotReset() {}
}
