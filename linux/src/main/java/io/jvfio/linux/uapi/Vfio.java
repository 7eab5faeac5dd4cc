// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.Ioctl;
import java.util.List;

/** Commands and constants of {@code linux/vfio.h}, under the header's own names. */
public final class Vfio {
  private static final int TYPE = ';';
  private static final int BASE = 100;

  /** Container: the API version. */
  public static final Ioctl VFIO_GET_API_VERSION = command("VFIO_GET_API_VERSION", 0);

  /** Container: whether an IOMMU type or feature is known; the argument is a number. */
  public static final Ioctl VFIO_CHECK_EXTENSION = command("VFIO_CHECK_EXTENSION", 1);

  /** Container: sets the IOMMU type; the argument is a number. */
  public static final Ioctl VFIO_SET_IOMMU = command("VFIO_SET_IOMMU", 2);

  /** Group: {@link VfioGroupStatus}. */
  public static final Ioctl VFIO_GROUP_GET_STATUS = command("VFIO_GROUP_GET_STATUS", 3);

  /** Group: joins a container; the argument points to its descriptor. */
  public static final Ioctl VFIO_GROUP_SET_CONTAINER = command("VFIO_GROUP_SET_CONTAINER", 4);

  /** Group: leaves its container. */
  public static final Ioctl VFIO_GROUP_UNSET_CONTAINER = command("VFIO_GROUP_UNSET_CONTAINER", 5);

  /** Group: opens a device; the argument is its name as a C string. */
  public static final Ioctl VFIO_GROUP_GET_DEVICE_FD = command("VFIO_GROUP_GET_DEVICE_FD", 6);

  /** Device: {@link VfioDeviceInfo}. */
  public static final Ioctl VFIO_DEVICE_GET_INFO = command("VFIO_DEVICE_GET_INFO", 7);

  /** Device: {@link VfioRegionInfo}. */
  public static final Ioctl VFIO_DEVICE_GET_REGION_INFO = command("VFIO_DEVICE_GET_REGION_INFO", 8);

  /** Device: {@link VfioIrqInfo}. */
  public static final Ioctl VFIO_DEVICE_GET_IRQ_INFO = command("VFIO_DEVICE_GET_IRQ_INFO", 9);

  /** Device: function reset. */
  public static final Ioctl VFIO_DEVICE_RESET = command("VFIO_DEVICE_RESET", 11);

  /** Type1 container: {@link VfioIommuType1Info}. */
  public static final Ioctl VFIO_IOMMU_GET_INFO = command("VFIO_IOMMU_GET_INFO", 12);

  /** sPAPR container: {@link VfioIommuSpaprTceInfo}. */
  public static final Ioctl VFIO_IOMMU_SPAPR_TCE_GET_INFO =
      command("VFIO_IOMMU_SPAPR_TCE_GET_INFO", 12);

  /** Type1 and sPAPR container: {@link VfioIommuType1DmaMap}. */
  public static final Ioctl VFIO_IOMMU_MAP_DMA = command("VFIO_IOMMU_MAP_DMA", 13);

  /** Type1 and sPAPR container: {@link VfioIommuType1DmaUnmap}. */
  public static final Ioctl VFIO_IOMMU_UNMAP_DMA = command("VFIO_IOMMU_UNMAP_DMA", 14);

  /** sPAPR v1 container: charges the default window and allows mapping. */
  public static final Ioctl VFIO_IOMMU_ENABLE = command("VFIO_IOMMU_ENABLE", 15);

  /** sPAPR v1 container: undoes {@link #VFIO_IOMMU_ENABLE}. */
  public static final Ioctl VFIO_IOMMU_DISABLE = command("VFIO_IOMMU_DISABLE", 16);

  /** sPAPR v2 container: {@link VfioIommuSpaprRegisterMemory}. */
  public static final Ioctl VFIO_IOMMU_SPAPR_REGISTER_MEMORY =
      command("VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 17);

  /** sPAPR v2 container: {@link VfioIommuSpaprRegisterMemory}. */
  public static final Ioctl VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY =
      command("VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY", 18);

  /** sPAPR v2 container: {@link VfioIommuSpaprTceCreate}. */
  public static final Ioctl VFIO_IOMMU_SPAPR_TCE_CREATE =
      command("VFIO_IOMMU_SPAPR_TCE_CREATE", 19);

  /** sPAPR v2 container: {@link VfioIommuSpaprTceRemove}. */
  public static final Ioctl VFIO_IOMMU_SPAPR_TCE_REMOVE =
      command("VFIO_IOMMU_SPAPR_TCE_REMOVE", 20);

  /** Type1 container: {@link VfioIommuType1DirtyBitmap}. */
  public static final Ioctl VFIO_IOMMU_DIRTY_PAGES = command("VFIO_IOMMU_DIRTY_PAGES", 17);

  /** sPAPR container: {@link VfioEehPeOp}; the state of the endpoint is a positive result. */
  public static final Ioctl VFIO_EEH_PE_OP = command("VFIO_EEH_PE_OP", 21);

  /** Character device: {@link VfioDeviceBindIommufd}. */
  public static final Ioctl VFIO_DEVICE_BIND_IOMMUFD = command("VFIO_DEVICE_BIND_IOMMUFD", 18);

  /** Character device: {@link VfioDeviceAttachIommufdPt}. */
  public static final Ioctl VFIO_DEVICE_ATTACH_IOMMUFD_PT =
      command("VFIO_DEVICE_ATTACH_IOMMUFD_PT", 19);

  /** Character device: {@link VfioDeviceDetachIommufdPt}. */
  public static final Ioctl VFIO_DEVICE_DETACH_IOMMUFD_PT =
      command("VFIO_DEVICE_DETACH_IOMMUFD_PT", 20);

  /** Device: {@link VfioIrqSet}; a positive result is how many vectors there are instead. */
  public static final Ioctl VFIO_DEVICE_SET_IRQS = command("VFIO_DEVICE_SET_IRQS", 10);

  /** Device: {@link VfioPciHotResetInfo}. */
  public static final Ioctl VFIO_DEVICE_GET_PCI_HOT_RESET_INFO =
      command("VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", 12);

  /** Device: {@link VfioPciHotReset}. */
  public static final Ioctl VFIO_DEVICE_PCI_HOT_RESET = command("VFIO_DEVICE_PCI_HOT_RESET", 13);

  /** Device: {@link VfioDeviceIoeventfd}. */
  public static final Ioctl VFIO_DEVICE_IOEVENTFD = command("VFIO_DEVICE_IOEVENTFD", 16);

  /** Device: {@link VfioDeviceFeature}. */
  public static final Ioctl VFIO_DEVICE_FEATURE = command("VFIO_DEVICE_FEATURE", 17);

  /** Stream of device data: {@link VfioPrecopyInfo}. */
  public static final Ioctl VFIO_MIG_GET_PRECOPY_INFO = command("VFIO_MIG_GET_PRECOPY_INFO", 21);

  /** Every command above, for tests that compare them with the C header. */
  public static final List<Ioctl> COMMANDS =
      List.of(
          VFIO_GET_API_VERSION,
          VFIO_CHECK_EXTENSION,
          VFIO_SET_IOMMU,
          VFIO_GROUP_GET_STATUS,
          VFIO_GROUP_SET_CONTAINER,
          VFIO_GROUP_UNSET_CONTAINER,
          VFIO_GROUP_GET_DEVICE_FD,
          VFIO_DEVICE_GET_INFO,
          VFIO_DEVICE_GET_REGION_INFO,
          VFIO_DEVICE_GET_IRQ_INFO,
          VFIO_DEVICE_RESET,
          VFIO_IOMMU_GET_INFO,
          VFIO_IOMMU_SPAPR_TCE_GET_INFO,
          VFIO_IOMMU_MAP_DMA,
          VFIO_IOMMU_UNMAP_DMA,
          VFIO_IOMMU_ENABLE,
          VFIO_IOMMU_DISABLE,
          VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
          VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
          VFIO_IOMMU_SPAPR_TCE_CREATE,
          VFIO_IOMMU_SPAPR_TCE_REMOVE,
          VFIO_IOMMU_DIRTY_PAGES,
          VFIO_EEH_PE_OP,
          VFIO_DEVICE_BIND_IOMMUFD,
          VFIO_DEVICE_ATTACH_IOMMUFD_PT,
          VFIO_DEVICE_DETACH_IOMMUFD_PT,
          VFIO_DEVICE_SET_IRQS,
          VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
          VFIO_DEVICE_PCI_HOT_RESET,
          VFIO_DEVICE_IOEVENTFD,
          VFIO_DEVICE_FEATURE,
          VFIO_MIG_GET_PRECOPY_INFO);

  /** The only API version there has ever been. */
  public static final int VFIO_API_VERSION = 0;

  /** IOMMU type: Type1. */
  public static final int VFIO_TYPE1_IOMMU = 1;

  /** IOMMU type: sPAPR TCE, version 1. */
  public static final int VFIO_SPAPR_TCE_IOMMU = 2;

  /** IOMMU type: Type1, version 2. */
  public static final int VFIO_TYPE1v2_IOMMU = 3;

  /** Feature: the IOMMU enforces DMA cache coherency. */
  public static final int VFIO_DMA_CC_IOMMU = 4;

  /** Feature: enhanced error handling. */
  public static final int VFIO_EEH = 5;

  /** IOMMU type: Type1 with nesting; advertised up to 6.12, reserved later. */
  public static final int VFIO_TYPE1_NESTING_IOMMU = 6;

  /** IOMMU type: sPAPR TCE, version 2. */
  public static final int VFIO_SPAPR_TCE_v2_IOMMU = 7;

  /** IOMMU type: none. */
  public static final int VFIO_NOIOMMU_IOMMU = 8;

  /** Feature: unmap everything in one call. */
  public static final int VFIO_UNMAP_ALL = 9;

  /** Feature: exchange the process addresses of mappings. */
  public static final int VFIO_UPDATE_VADDR = 10;

  /** {@link VfioGroupStatus#FLAGS}: no device of the group is in other hands. */
  public static final int VFIO_GROUP_FLAGS_VIABLE = 1;

  /** {@link VfioGroupStatus#FLAGS}: the group is in a container. */
  public static final int VFIO_GROUP_FLAGS_CONTAINER_SET = 2;

  /** {@link VfioDeviceInfo#FLAGS}: the device can be reset. */
  public static final int VFIO_DEVICE_FLAGS_RESET = 1;

  /** {@link VfioDeviceInfo#FLAGS}: a PCI device. */
  public static final int VFIO_DEVICE_FLAGS_PCI = 2;

  /** {@link VfioRegionInfo#FLAGS}: readable. */
  public static final int VFIO_REGION_INFO_FLAG_READ = 1;

  /** {@link VfioRegionInfo#FLAGS}: writable. */
  public static final int VFIO_REGION_INFO_FLAG_WRITE = 2;

  /** {@link VfioRegionInfo#FLAGS}: mappable. */
  public static final int VFIO_REGION_INFO_FLAG_MMAP = 4;

  /** {@link VfioRegionInfo#FLAGS}: a capability chain follows. */
  public static final int VFIO_REGION_INFO_FLAG_CAPS = 8;

  /** Region capability: only some parts can be mapped. */
  public static final int VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1;

  /** Region capability: the region's type beyond its index. */
  public static final int VFIO_REGION_INFO_CAP_TYPE = 2;

  /** Region capability: the MSI-X table may be mapped with the rest. */
  public static final int VFIO_REGION_INFO_CAP_MSIX_MAPPABLE = 3;

  /** {@link VfioIrqInfo#FLAGS}: signalled by eventfd. */
  public static final int VFIO_IRQ_INFO_EVENTFD = 1;

  /** {@link VfioIrqInfo#FLAGS}: can be masked. */
  public static final int VFIO_IRQ_INFO_MASKABLE = 2;

  /** {@link VfioIrqInfo#FLAGS}: masked by each signal until unmasked. */
  public static final int VFIO_IRQ_INFO_AUTOMASKED = 4;

  /** {@link VfioIrqInfo#FLAGS}: the vectors must be enabled all at once. */
  public static final int VFIO_IRQ_INFO_NORESIZE = 8;

  /** {@link VfioDeviceInfo#FLAGS}: a capability chain follows. */
  public static final int VFIO_DEVICE_FLAGS_CAPS = 1 << 7;

  /** {@link VfioIrqSet#FLAGS}: no data. */
  public static final int VFIO_IRQ_SET_DATA_NONE = 1;

  /** {@link VfioIrqSet#FLAGS}: a byte for each interrupt: whether it is meant. */
  public static final int VFIO_IRQ_SET_DATA_BOOL = 1 << 1;

  /** {@link VfioIrqSet#FLAGS}: a descriptor for each interrupt; -1 for none. */
  public static final int VFIO_IRQ_SET_DATA_EVENTFD = 1 << 2;

  /** {@link VfioIrqSet#FLAGS}: masks. */
  public static final int VFIO_IRQ_SET_ACTION_MASK = 1 << 3;

  /** {@link VfioIrqSet#FLAGS}: unmasks. */
  public static final int VFIO_IRQ_SET_ACTION_UNMASK = 1 << 4;

  /** {@link VfioIrqSet#FLAGS}: triggers, or says what a trigger signals. */
  public static final int VFIO_IRQ_SET_ACTION_TRIGGER = 1 << 5;

  /** Interrupt index: INTx. */
  public static final int VFIO_PCI_INTX_IRQ_INDEX = 0;

  /** Interrupt index: MSI. */
  public static final int VFIO_PCI_MSI_IRQ_INDEX = 1;

  /** Interrupt index: MSI-X. */
  public static final int VFIO_PCI_MSIX_IRQ_INDEX = 2;

  /** Interrupt index: the device had an error that stopped it. */
  public static final int VFIO_PCI_ERR_IRQ_INDEX = 3;

  /** Interrupt index: the host wants the device back. */
  public static final int VFIO_PCI_REQ_IRQ_INDEX = 4;

  /** {@link VfioPciHotResetInfo#FLAGS}: devices are told by their numbers in the iommufd. */
  public static final int VFIO_PCI_HOT_RESET_FLAG_DEV_ID = 1;

  /** {@link VfioPciHotResetInfo#FLAGS}: all of them are this iommufd's. */
  public static final int VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED = 1 << 1;

  /** {@link VfioPciDependentDevice#GROUP_ID}: not bound, but in a group that the iommufd owns. */
  public static final int VFIO_PCI_DEVID_OWNED = 0;

  /** {@link VfioPciDependentDevice#GROUP_ID}: not the iommufd's. */
  public static final int VFIO_PCI_DEVID_NOT_OWNED = -1;

  /** {@link VfioDeviceIoeventfd#FLAGS}: writes 1 byte. */
  public static final int VFIO_DEVICE_IOEVENTFD_8 = 1;

  /** {@link VfioDeviceIoeventfd#FLAGS}: writes 2 bytes. */
  public static final int VFIO_DEVICE_IOEVENTFD_16 = 1 << 1;

  /** {@link VfioDeviceIoeventfd#FLAGS}: writes 4 bytes. */
  public static final int VFIO_DEVICE_IOEVENTFD_32 = 1 << 2;

  /** {@link VfioDeviceIoeventfd#FLAGS}: writes 8 bytes. */
  public static final int VFIO_DEVICE_IOEVENTFD_64 = 1 << 3;

  /** {@link VfioDeviceFeature#FLAGS}: which feature. */
  public static final int VFIO_DEVICE_FEATURE_MASK = 0xffff;

  /** {@link VfioDeviceFeature#FLAGS}: reads it. */
  public static final int VFIO_DEVICE_FEATURE_GET = 1 << 16;

  /** {@link VfioDeviceFeature#FLAGS}: sets it. */
  public static final int VFIO_DEVICE_FEATURE_SET = 1 << 17;

  /** {@link VfioDeviceFeature#FLAGS}: asks whether it is there. */
  public static final int VFIO_DEVICE_FEATURE_PROBE = 1 << 18;

  /**
   * Feature of a physical function: the token that users of its virtual functions must know; 16
   * bytes.
   */
  public static final int VFIO_DEVICE_FEATURE_PCI_VF_TOKEN = 0;

  /** Feature: {@link VfioDeviceFeatureMigration}. */
  public static final int VFIO_DEVICE_FEATURE_MIGRATION = 1;

  /** Feature: {@link VfioDeviceFeatureMigState}. */
  public static final int VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE = 2;

  /** Feature: low power until the next access; no data. */
  public static final int VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY = 3;

  /** Feature: {@link VfioDeviceLowPowerEntryWithWakeup}. */
  public static final int VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP = 4;

  /** Feature: full power; no data. */
  public static final int VFIO_DEVICE_FEATURE_LOW_POWER_EXIT = 5;

  /** Feature: {@link VfioDeviceFeatureDmaLoggingControl}. */
  public static final int VFIO_DEVICE_FEATURE_DMA_LOGGING_START = 6;

  /** Feature: ends the log; no data. */
  public static final int VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP = 7;

  /** Feature: {@link VfioDeviceFeatureDmaLoggingReport}. */
  public static final int VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT = 8;

  /** Feature: {@link VfioDeviceFeatureMigDataSize}. */
  public static final int VFIO_DEVICE_FEATURE_MIG_DATA_SIZE = 9;

  /** Feature: {@link VfioDeviceFeatureDmaBuf}; the result is a descriptor. */
  public static final int VFIO_DEVICE_FEATURE_DMA_BUF = 11;

  /** {@link VfioDeviceFeatureMigration#FLAGS}: can be copied while it is stopped. */
  public static final int VFIO_MIGRATION_STOP_COPY = 1;

  /** {@link VfioDeviceFeatureMigration#FLAGS}: can stop its DMA to other devices first. */
  public static final int VFIO_MIGRATION_P2P = 1 << 1;

  /** {@link VfioDeviceFeatureMigration#FLAGS}: can be copied while it runs. */
  public static final int VFIO_MIGRATION_PRE_COPY = 1 << 2;

  /** Migration state: failed; only a reset leaves it. */
  public static final int VFIO_DEVICE_STATE_ERROR = 0;

  /** Migration state: stopped. */
  public static final int VFIO_DEVICE_STATE_STOP = 1;

  /** Migration state: running. */
  public static final int VFIO_DEVICE_STATE_RUNNING = 2;

  /** Migration state: stopped, its data can be read. */
  public static final int VFIO_DEVICE_STATE_STOP_COPY = 3;

  /** Migration state: stopped, its data can be written. */
  public static final int VFIO_DEVICE_STATE_RESUMING = 4;

  /** Migration state: running without DMA to other devices. */
  public static final int VFIO_DEVICE_STATE_RUNNING_P2P = 5;

  /** Migration state: running, its data can be read. */
  public static final int VFIO_DEVICE_STATE_PRE_COPY = 6;

  /** Migration state: as PRE_COPY, without DMA to other devices. */
  public static final int VFIO_DEVICE_STATE_PRE_COPY_P2P = 7;

  /** {@link VfioIommuType1Info#FLAGS}: the page sizes are valid. */
  public static final int VFIO_IOMMU_INFO_PGSIZES = 1;

  /** {@link VfioIommuType1Info#FLAGS}: a capability chain follows. */
  public static final int VFIO_IOMMU_INFO_CAPS = 2;

  /** Type1 capability: valid IOVA ranges. */
  public static final int VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;

  /** Type1 capability: dirty tracking. */
  public static final int VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION = 2;

  /** Type1 capability: how many more mappings there may be. */
  public static final int VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL = 3;

  /** {@link VfioIommuType1DmaMap#FLAGS}: the device may read. */
  public static final int VFIO_DMA_MAP_FLAG_READ = 1;

  /** {@link VfioIommuType1DmaMap#FLAGS}: the device may write. */
  public static final int VFIO_DMA_MAP_FLAG_WRITE = 2;

  /** {@link VfioIommuType1DmaMap#FLAGS}: gives a mapping a new process address. */
  public static final int VFIO_DMA_MAP_FLAG_VADDR = 4;

  /** {@link VfioIommuType1DmaUnmap#FLAGS}: reads the dirty pages; a {@link VfioBitmap} follows. */
  public static final int VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP = 1;

  /** {@link VfioIommuType1DmaUnmap#FLAGS}: unmaps everything. */
  public static final int VFIO_DMA_UNMAP_FLAG_ALL = 2;

  /**
   * {@link VfioIommuType1DmaUnmap#FLAGS}: takes the process address away, and leaves the mapping.
   */
  public static final int VFIO_DMA_UNMAP_FLAG_VADDR = 4;

  /** {@link VfioIommuType1DirtyBitmap#FLAGS}: starts tracking. */
  public static final int VFIO_IOMMU_DIRTY_PAGES_FLAG_START = 1;

  /** {@link VfioIommuType1DirtyBitmap#FLAGS}: stops tracking. */
  public static final int VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP = 2;

  /**
   * {@link VfioIommuType1DirtyBitmap#FLAGS}: reads; a {@link VfioIommuType1DirtyBitmapGet} follows.
   */
  public static final int VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP = 4;

  /** {@link VfioEehPeOp#OP}: does nothing. */
  public static final int VFIO_EEH_PE_DISABLE = 0;

  /** {@link VfioEehPeOp#OP}: turns error handling on. */
  public static final int VFIO_EEH_PE_ENABLE = 1;

  /** {@link VfioEehPeOp#OP}: lets register access through again. */
  public static final int VFIO_EEH_PE_UNFREEZE_IO = 2;

  /** {@link VfioEehPeOp#OP}: lets DMA through again. */
  public static final int VFIO_EEH_PE_UNFREEZE_DMA = 3;

  /** {@link VfioEehPeOp#OP}: asks for the state. */
  public static final int VFIO_EEH_PE_GET_STATE = 4;

  /** {@link VfioEehPeOp#OP}: ends a reset. */
  public static final int VFIO_EEH_PE_RESET_DEACTIVATE = 5;

  /** {@link VfioEehPeOp#OP}: begins a hot reset. */
  public static final int VFIO_EEH_PE_RESET_HOT = 6;

  /** {@link VfioEehPeOp#OP}: begins a fundamental reset. */
  public static final int VFIO_EEH_PE_RESET_FUNDAMENTAL = 7;

  /** {@link VfioEehPeOp#OP}: configures bridges after a reset. */
  public static final int VFIO_EEH_PE_CONFIGURE = 8;

  /** {@link VfioEehPeOp#OP}: injects an error. */
  public static final int VFIO_EEH_PE_INJECT_ERR = 9;

  /** State of an endpoint: works. */
  public static final int VFIO_EEH_PE_STATE_NORMAL = 0;

  /** State of an endpoint: in reset. */
  public static final int VFIO_EEH_PE_STATE_RESET = 1;

  /** State of an endpoint: register access and DMA are stopped. */
  public static final int VFIO_EEH_PE_STATE_STOPPED = 2;

  /** State of an endpoint: DMA is stopped. */
  public static final int VFIO_EEH_PE_STATE_STOPPED_DMA = 4;

  /** State of an endpoint: not available. */
  public static final int VFIO_EEH_PE_STATE_UNAVAIL = 5;

  /** {@link VfioIommuSpaprTceInfo#FLAGS}: the {@code ddw} fields are valid. */
  public static final int VFIO_IOMMU_SPAPR_INFO_DDW = 1;

  /** Region index: the first of six BARs. */
  public static final int VFIO_PCI_BAR0_REGION_INDEX = 0;

  /** Region index: the expansion ROM. */
  public static final int VFIO_PCI_ROM_REGION_INDEX = 6;

  /** Region index: configuration space. */
  public static final int VFIO_PCI_CONFIG_REGION_INDEX = 7;

  /** Region index: VGA. */
  public static final int VFIO_PCI_VGA_REGION_INDEX = 8;

  private Vfio() {}

  private static Ioctl command(String name, int number) {
    return new Ioctl(name, TYPE, BASE + number);
  }
}
