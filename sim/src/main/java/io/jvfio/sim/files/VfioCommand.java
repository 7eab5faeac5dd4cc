// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Ioctl;

/**
 * VFIO's commands by their number above the first, {@code k} in {@code _IO(';', 100 + k)}. Numbers
 * and not names: a number means different things on different files and IOMMU types. Source: {@code
 * include/uapi/linux/vfio.h}.
 */
public final class VfioCommand {
  static final int UNKNOWN = -1;
  public static final int GET_API_VERSION = 0;
  public static final int CHECK_EXTENSION = 1;
  public static final int SET_IOMMU = 2;
  public static final int GROUP_GET_STATUS = 3;
  public static final int GROUP_SET_CONTAINER = 4;
  public static final int GROUP_UNSET_CONTAINER = 5;
  public static final int GROUP_GET_DEVICE_FD = 6;
  public static final int DEVICE_GET_INFO = 7;
  public static final int DEVICE_GET_REGION_INFO = 8;
  public static final int DEVICE_GET_IRQ_INFO = 9;
  public static final int DEVICE_SET_IRQS = 10;
  public static final int DEVICE_RESET = 11;
  public static final int DEVICE_GET_PCI_HOT_RESET_INFO = 12;
  public static final int DEVICE_PCI_HOT_RESET = 13;
  public static final int DEVICE_FEATURE = 17;
  public static final int MIG_GET_PRECOPY_INFO = 21;
  public static final int IOMMU_GET_INFO = 12;
  public static final int IOMMU_MAP_DMA = 13;
  public static final int IOMMU_UNMAP_DMA = 14;
  public static final int IOMMU_ENABLE = 15;
  public static final int IOMMU_DISABLE = 16;
  public static final int DEVICE_IOEVENTFD = 16;
  public static final int TYPE1_DIRTY_PAGES = 17;
  public static final int SPAPR_REGISTER_MEMORY = 17;
  public static final int SPAPR_UNREGISTER_MEMORY = 18;
  public static final int DEVICE_BIND_IOMMUFD = 18;
  public static final int DEVICE_ATTACH_IOMMUFD_PT = 19;
  public static final int DEVICE_DETACH_IOMMUFD_PT = 20;
  public static final int SPAPR_TCE_CREATE = 19;
  public static final int SPAPR_TCE_REMOVE = 20;
  public static final int EEH_PE_OP = 21;

  private static final int TYPE = ';';
  private static final int BASE = 100;
  private static final int LAST = 0xff - BASE;

  private VfioCommand() {}

  /** The number of {@code command} above VFIO's first, or {@link #UNKNOWN}. */
  public static int numberOf(Ioctl command, Architecture architecture) {
    long number = command.requestNumber(architecture) - architecture.requestNumber(TYPE, BASE);
    return number >= 0 && number <= LAST ? (int) number : UNKNOWN;
  }
}
