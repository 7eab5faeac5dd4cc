// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_pci_hot_reset_info}: head of the list of what a hot reset would hit; {@link
 * VfioPciDependentDevice}s follow.
 */
public final class VfioPciHotResetInfo {
  private static final Struct.Builder FIELDS = Struct.named("vfio_pci_hot_reset_info");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_PCI_HOT_RESET_FLAG_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** Number of devices. */
  public static final U32 COUNT = FIELDS.u32("count");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioPciHotResetInfo() {}
}
