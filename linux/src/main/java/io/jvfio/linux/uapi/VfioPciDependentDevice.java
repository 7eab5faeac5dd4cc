// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U8;

/** {@code struct vfio_pci_dependent_device}: a device that a hot reset would hit. */
public final class VfioPciDependentDevice {
  private static final Struct.Builder FIELDS = Struct.named("vfio_pci_dependent_device");

  /** Its group; with VFIO_PCI_HOT_RESET_FLAG_DEV_ID its number in the iommufd. */
  public static final U32 GROUP_ID = FIELDS.u32("group_id");

  /** PCI domain. */
  public static final U16 SEGMENT = FIELDS.u16("segment");

  /** PCI bus. */
  public static final U8 BUS = FIELDS.u8("bus");

  /** PCI device and function. */
  public static final U8 DEVFN = FIELDS.u8("devfn");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioPciDependentDevice() {}
}
