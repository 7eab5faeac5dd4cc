// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

/**
 * Registers of PCI configuration space, their bits, and the ids of capabilities, from {@code
 * linux/pci_regs.h} and under the header's own names. Registers of a capability count from its
 * start.
 */
public final class PciRegs {
  /** Bytes of configuration space of a conventional device; where extended capabilities begin. */
  public static final int PCI_CFG_SPACE_SIZE = 256;

  /** Bytes of configuration space of a PCI Express device. */
  public static final int PCI_CFG_SPACE_EXP_SIZE = 4096;

  /** Bytes of the header; no capability is before its end. */
  public static final int PCI_STD_HEADER_SIZEOF = 64;

  /** The number of BARs in a header of type 0. */
  public static final int PCI_STD_NUM_BARS = 6;

  /** The id of the device's maker; 16 bits. */
  public static final int PCI_VENDOR_ID = 0x00;

  /** The id that its maker gives the device; 16 bits. */
  public static final int PCI_DEVICE_ID = 0x02;

  /** The command register: what the device may do; 16 bits. */
  public static final int PCI_COMMAND = 0x04;

  /** {@link #PCI_COMMAND}: answers in I/O space. */
  public static final int PCI_COMMAND_IO = 0x1;

  /** {@link #PCI_COMMAND}: answers in memory space. */
  public static final int PCI_COMMAND_MEMORY = 0x2;

  /** {@link #PCI_COMMAND}: bus mastering. */
  public static final int PCI_COMMAND_MASTER = 0x4;

  /** {@link #PCI_COMMAND}: reports errors. */
  public static final int PCI_COMMAND_SERR = 0x100;

  /** {@link #PCI_COMMAND}: does not raise the interrupt line. */
  public static final int PCI_COMMAND_INTX_DISABLE = 0x400;

  /** The status register: what the device is and has met; 16 bits. */
  public static final int PCI_STATUS = 0x06;

  /** {@link #PCI_STATUS}: an interrupt of the line is pending. */
  public static final int PCI_STATUS_INTERRUPT = 0x08;

  /** {@link #PCI_STATUS}: there is a list of capabilities. */
  public static final int PCI_STATUS_CAP_LIST = 0x10;

  /** Class in the upper 24 bits, revision in the lower 8. */
  public static final int PCI_CLASS_REVISION = 0x08;

  /** Revision; 8 bits. */
  public static final int PCI_REVISION_ID = 0x08;

  /** Programming interface, subclass and class; 8 bits each. */
  public static final int PCI_CLASS_PROG = 0x09;

  /** Cache line size; 8 bits. */
  public static final int PCI_CACHE_LINE_SIZE = 0x0c;

  /** Latency timer; 8 bits. */
  public static final int PCI_LATENCY_TIMER = 0x0d;

  /** Layout of the header; 8 bits. */
  public static final int PCI_HEADER_TYPE = 0x0e;

  /** {@link #PCI_HEADER_TYPE}: without the bit of a device of several functions. */
  public static final int PCI_HEADER_TYPE_MASK = 0x7f;

  /** {@link #PCI_HEADER_TYPE}: a CardBus bridge. */
  public static final int PCI_HEADER_TYPE_CARDBUS = 2;

  /** The first BAR; 32 bits, as the others. */
  public static final int PCI_BASE_ADDRESS_0 = 0x10;

  /** The second BAR. */
  public static final int PCI_BASE_ADDRESS_1 = 0x14;

  /** The third BAR. */
  public static final int PCI_BASE_ADDRESS_2 = 0x18;

  /** The fourth BAR. */
  public static final int PCI_BASE_ADDRESS_3 = 0x1c;

  /** BAR: the bit that tells I/O space from memory. */
  public static final int PCI_BASE_ADDRESS_SPACE = 0x01;

  /** BAR: I/O space. */
  public static final int PCI_BASE_ADDRESS_SPACE_IO = 0x01;

  /** BAR of memory: the bits that tell the width of its address. */
  public static final int PCI_BASE_ADDRESS_MEM_TYPE_MASK = 0x06;

  /** BAR of memory: an address of 64 bits, which takes the next BAR, too. */
  public static final int PCI_BASE_ADDRESS_MEM_TYPE_64 = 0x04;

  /** BAR of memory: reads have no side effects. */
  public static final int PCI_BASE_ADDRESS_MEM_PREFETCH = 0x08;

  /** BAR of memory: the lower half of its address. */
  public static final int PCI_BASE_ADDRESS_MEM_MASK = ~0x0f;

  /** BAR of I/O space: its address. */
  public static final int PCI_BASE_ADDRESS_IO_MASK = ~0x03;

  /** The id of the card's maker; 16 bits. */
  public static final int PCI_SUBSYSTEM_VENDOR_ID = 0x2c;

  /** The id that its maker gives the card; 16 bits. */
  public static final int PCI_SUBSYSTEM_ID = 0x2e;

  /** Address of the expansion ROM; 32 bits. */
  public static final int PCI_ROM_ADDRESS = 0x30;

  /** The offset of the first capability; 8 bits. */
  public static final int PCI_CAPABILITY_LIST = 0x34;

  /** Software's note of the interrupt line; 8 bits. */
  public static final int PCI_INTERRUPT_LINE = 0x3c;

  /** The interrupt line that the device has, 0 for none; 8 bits. */
  public static final int PCI_INTERRUPT_PIN = 0x3d;

  /** {@link #PCI_CAPABILITY_LIST} of a CardBus bridge. */
  public static final int PCI_CB_CAPABILITY_LIST = 0x14;

  /** Capability: power management. */
  public static final int PCI_CAP_ID_PM = 0x01;

  /** Capability: vital product data. */
  public static final int PCI_CAP_ID_VPD = 0x03;

  /** Capability: slot identification. */
  public static final int PCI_CAP_ID_SLOTID = 0x04;

  /** Capability: MSI. */
  public static final int PCI_CAP_ID_MSI = 0x05;

  /** Capability: the vendor's own. */
  public static final int PCI_CAP_ID_VNDR = 0x09;

  /** Capability: subsystem of a bridge. */
  public static final int PCI_CAP_ID_SSVID = 0x0d;

  /** Capability: PCI Express. */
  public static final int PCI_CAP_ID_EXP = 0x10;

  /** Capability: MSI-X. */
  public static final int PCI_CAP_ID_MSIX = 0x11;

  /** Capability: SATA. */
  public static final int PCI_CAP_ID_SATA = 0x12;

  /** Capability: advanced features. */
  public static final int PCI_CAP_ID_AF = 0x13;

  /** Capability: enhanced allocation. */
  public static final int PCI_CAP_ID_EA = 0x14;

  /** Any capability: where the next one is; 8 bits. */
  public static final int PCI_CAP_LIST_NEXT = 1;

  /** Any capability: its own flags, if it has such; 16 bits. */
  public static final int PCI_CAP_FLAGS = 2;

  /** Power management: capabilities; 16 bits. */
  public static final int PCI_PM_PMC = 2;

  /** {@link #PCI_PM_PMC}: version. */
  public static final int PCI_PM_CAP_VER_MASK = 0x0007;

  /** {@link #PCI_PM_PMC}: has state D1. */
  public static final int PCI_PM_CAP_D1 = 0x0200;

  /** {@link #PCI_PM_PMC}: has state D2. */
  public static final int PCI_PM_CAP_D2 = 0x0400;

  /** {@link #PCI_PM_PMC}: the lowest bit of the states that it can wake the host from. */
  public static final int PCI_PM_CAP_PME_SHIFT = 11;

  /** Power management: control and status; 16 bits. */
  public static final int PCI_PM_CTRL = 4;

  /** {@link #PCI_PM_CTRL}: the state, 0 to 3. */
  public static final int PCI_PM_CTRL_STATE_MASK = 0x0003;

  /** {@link #PCI_PM_CTRL}: nothing is lost from D3hot to D0. */
  public static final int PCI_PM_CTRL_NO_SOFT_RESET = 0x0008;

  /** Power management: bytes of the capability. */
  public static final int PCI_PM_SIZEOF = 8;

  /** MSI: control; 16 bits. */
  public static final int PCI_MSI_FLAGS = 0x02;

  /** {@link #PCI_MSI_FLAGS}: in use. */
  public static final int PCI_MSI_FLAGS_ENABLE = 0x0001;

  /** {@link #PCI_MSI_FLAGS}: how many vectors it can have, as a power of two. */
  public static final int PCI_MSI_FLAGS_QMASK = 0x000e;

  /** {@link #PCI_MSI_FLAGS}: how many vectors it may use, as a power of two. */
  public static final int PCI_MSI_FLAGS_QSIZE = 0x0070;

  /** {@link #PCI_MSI_FLAGS}: takes addresses of 64 bits. */
  public static final int PCI_MSI_FLAGS_64BIT = 0x0080;

  /** {@link #PCI_MSI_FLAGS}: vectors can be masked. */
  public static final int PCI_MSI_FLAGS_MASKBIT = 0x0100;

  /** MSI: the lower half of the address. */
  public static final int PCI_MSI_ADDRESS_LO = 0x04;

  /** MSI with {@link #PCI_MSI_FLAGS_64BIT}: the upper half of the address. */
  public static final int PCI_MSI_ADDRESS_HI = 0x08;

  /** MSI with {@link #PCI_MSI_FLAGS_64BIT}: the data; 16 bits. */
  public static final int PCI_MSI_DATA_64 = 0x0c;

  /** MSI-X: control; 16 bits. */
  public static final int PCI_MSIX_FLAGS = 2;

  /** {@link #PCI_MSIX_FLAGS}: how many vectors there are, less one. */
  public static final int PCI_MSIX_FLAGS_QSIZE = 0x07ff;

  /** {@link #PCI_MSIX_FLAGS}: all vectors are masked. */
  public static final int PCI_MSIX_FLAGS_MASKALL = 0x4000;

  /** {@link #PCI_MSIX_FLAGS}: in use. */
  public static final int PCI_MSIX_FLAGS_ENABLE = 0x8000;

  /** MSI-X: where the table is; 32 bits. */
  public static final int PCI_MSIX_TABLE = 4;

  /** {@link #PCI_MSIX_TABLE}: in which BAR. */
  public static final int PCI_MSIX_TABLE_BIR = 0x00000007;

  /** {@link #PCI_MSIX_TABLE}: where in that BAR. */
  public static final int PCI_MSIX_TABLE_OFFSET = 0xfffffff8;

  /** MSI-X: where the pending bits are; 32 bits. */
  public static final int PCI_MSIX_PBA = 8;

  /** {@link #PCI_MSIX_PBA}: in which BAR. */
  public static final int PCI_MSIX_PBA_BIR = 0x00000007;

  /** {@link #PCI_MSIX_PBA}: where in that BAR. */
  public static final int PCI_MSIX_PBA_OFFSET = 0xfffffff8;

  /** MSI-X: bytes of the capability. */
  public static final int PCI_CAP_MSIX_SIZEOF = 12;

  /** MSI-X table: bytes of an entry. */
  public static final int PCI_MSIX_ENTRY_SIZE = 16;

  /** MSI-X table, in an entry: the data; 32 bits. */
  public static final int PCI_MSIX_ENTRY_DATA = 0x8;

  /** MSI-X table, in an entry: control; 32 bits. */
  public static final int PCI_MSIX_ENTRY_VECTOR_CTRL = 0xc;

  /** {@link #PCI_MSIX_ENTRY_VECTOR_CTRL}: masked. */
  public static final int PCI_MSIX_ENTRY_CTRL_MASKBIT = 0x00000001;

  /** Advanced features: capabilities; 8 bits. */
  public static final int PCI_AF_CAP = 3;

  /** {@link #PCI_AF_CAP}: tells of transactions that are pending. */
  public static final int PCI_AF_CAP_TP = 0x01;

  /** {@link #PCI_AF_CAP}: can be reset by itself. */
  public static final int PCI_AF_CAP_FLR = 0x02;

  /** Advanced features: control; 8 bits. */
  public static final int PCI_AF_CTRL = 4;

  /** {@link #PCI_AF_CTRL}: resets. */
  public static final int PCI_AF_CTRL_FLR = 0x01;

  /** Subsystem of a bridge: vendor; 16 bits. */
  public static final int PCI_SSVID_VENDOR_ID = 4;

  /** Subsystem of a bridge: device; 16 bits. */
  public static final int PCI_SSVID_DEVICE_ID = 6;

  /** PCI Express: capabilities; 16 bits. */
  public static final int PCI_EXP_FLAGS = 0x02;

  /** {@link #PCI_EXP_FLAGS}: version. */
  public static final int PCI_EXP_FLAGS_VERS = 0x000f;

  /** {@link #PCI_EXP_FLAGS}: the kind of device. */
  public static final int PCI_EXP_FLAGS_TYPE = 0x00f0;

  /** {@link #PCI_EXP_FLAGS_TYPE}: an endpoint. */
  public static final int PCI_EXP_TYPE_ENDPOINT = 0x0;

  /** {@link #PCI_EXP_FLAGS_TYPE}: a legacy endpoint. */
  public static final int PCI_EXP_TYPE_LEG_END = 0x1;

  /** {@link #PCI_EXP_FLAGS_TYPE}: a root port. */
  public static final int PCI_EXP_TYPE_ROOT_PORT = 0x4;

  /** {@link #PCI_EXP_FLAGS_TYPE}: the upstream port of a switch. */
  public static final int PCI_EXP_TYPE_UPSTREAM = 0x5;

  /** {@link #PCI_EXP_FLAGS_TYPE}: a downstream port of a switch. */
  public static final int PCI_EXP_TYPE_DOWNSTREAM = 0x6;

  /** {@link #PCI_EXP_FLAGS_TYPE}: a bridge to PCI or PCI-X. */
  public static final int PCI_EXP_TYPE_PCI_BRIDGE = 0x7;

  /** {@link #PCI_EXP_FLAGS_TYPE}: a bridge from PCI or PCI-X. */
  public static final int PCI_EXP_TYPE_PCIE_BRIDGE = 0x8;

  /** {@link #PCI_EXP_FLAGS_TYPE}: an endpoint in the root complex. */
  public static final int PCI_EXP_TYPE_RC_END = 0x9;

  /** {@link #PCI_EXP_FLAGS_TYPE}: an event collector of the root complex. */
  public static final int PCI_EXP_TYPE_RC_EC = 0xa;

  /** PCI Express: what the device can do; 32 bits. */
  public static final int PCI_EXP_DEVCAP = 0x04;

  /** {@link #PCI_EXP_DEVCAP}: the largest payload, 128 bytes times a power of two. */
  public static final int PCI_EXP_DEVCAP_PAYLOAD = 0x00000007;

  /** {@link #PCI_EXP_DEVCAP}: tags of 8 bits. */
  public static final int PCI_EXP_DEVCAP_EXT_TAG = 0x00000020;

  /** {@link #PCI_EXP_DEVCAP}: role-based error reporting. */
  public static final int PCI_EXP_DEVCAP_RBER = 0x00008000;

  /** {@link #PCI_EXP_DEVCAP}: can be reset by itself. */
  public static final int PCI_EXP_DEVCAP_FLR = 0x10000000;

  /** PCI Express: what the device is told to do; 16 bits. */
  public static final int PCI_EXP_DEVCTL = 0x08;

  /** {@link #PCI_EXP_DEVCTL}: reports errors that were corrected. */
  public static final int PCI_EXP_DEVCTL_CERE = 0x0001;

  /** {@link #PCI_EXP_DEVCTL}: reports errors that are not fatal. */
  public static final int PCI_EXP_DEVCTL_NFERE = 0x0002;

  /** {@link #PCI_EXP_DEVCTL}: reports fatal errors. */
  public static final int PCI_EXP_DEVCTL_FERE = 0x0004;

  /** {@link #PCI_EXP_DEVCTL}: reports requests that it does not support. */
  public static final int PCI_EXP_DEVCTL_URRE = 0x0008;

  /** {@link #PCI_EXP_DEVCTL}: the largest payload, as {@link #PCI_EXP_DEVCAP_PAYLOAD}. */
  public static final int PCI_EXP_DEVCTL_PAYLOAD = 0x00e0;

  /** {@link #PCI_EXP_DEVCTL}: the largest read, 128 bytes times a power of two. */
  public static final int PCI_EXP_DEVCTL_READRQ = 0x7000;

  /** {@link #PCI_EXP_DEVCTL} of an endpoint: resets. */
  public static final int PCI_EXP_DEVCTL_BCR_FLR = 0x8000;

  /** PCI Express: what the device has met; 16 bits. */
  public static final int PCI_EXP_DEVSTA = 0x0a;

  /** {@link #PCI_EXP_DEVSTA}: transactions are pending. */
  public static final int PCI_EXP_DEVSTA_TRPND = 0x0020;

  /** PCI Express: what the link can do; 32 bits. */
  public static final int PCI_EXP_LNKCAP = 0x0c;

  /** {@link #PCI_EXP_LNKCAP}: has state L0s. */
  public static final int PCI_EXP_LNKCAP_ASPM_L0S = 0x00000400;

  /** PCI Express: what the link is told to do; 16 bits. */
  public static final int PCI_EXP_LNKCTL = 0x10;

  /** PCI Express: how the link is; 16 bits. */
  public static final int PCI_EXP_LNKSTA = 0x12;

  /** {@link #PCI_EXP_LNKSTA}: speed. */
  public static final int PCI_EXP_LNKSTA_CLS = 0x000f;

  /** {@link #PCI_EXP_LNKSTA_CLS}: 2.5 GT/s. */
  public static final int PCI_EXP_LNKSTA_CLS_2_5GB = 0x0001;

  /** {@link #PCI_EXP_LNKSTA_CLS}: 5 GT/s. */
  public static final int PCI_EXP_LNKSTA_CLS_5_0GB = 0x0002;

  /** {@link #PCI_EXP_LNKSTA_CLS}: 8 GT/s. */
  public static final int PCI_EXP_LNKSTA_CLS_8_0GB = 0x0003;

  /** {@link #PCI_EXP_LNKSTA_CLS}: 16 GT/s. */
  public static final int PCI_EXP_LNKSTA_CLS_16_0GB = 0x0004;

  /** {@link #PCI_EXP_LNKSTA_CLS}: 32 GT/s. */
  public static final int PCI_EXP_LNKSTA_CLS_32_0GB = 0x0005;

  /** {@link #PCI_EXP_LNKSTA_CLS}: 64 GT/s. */
  public static final int PCI_EXP_LNKSTA_CLS_64_0GB = 0x0006;

  /** {@link #PCI_EXP_LNKSTA}: how many lanes. */
  public static final int PCI_EXP_LNKSTA_NLW = 0x03f0;

  /** {@link #PCI_EXP_LNKSTA_NLW}: one. */
  public static final int PCI_EXP_LNKSTA_NLW_X1 = 0x0010;

  /** {@link #PCI_EXP_LNKSTA_NLW}: its lowest bit. */
  public static final int PCI_EXP_LNKSTA_NLW_SHIFT = 4;

  /** PCI Express 2: what else the device can do; 32 bits. */
  public static final int PCI_EXP_DEVCAP2 = 0x24;

  /** PCI Express 2: what else the device is told to do; 16 bits. */
  public static final int PCI_EXP_DEVCTL2 = 0x28;

  /** PCI Express 2: what else the link is told to do; 16 bits. */
  public static final int PCI_EXP_LNKCTL2 = 0x30;

  /** Extended capability: advanced error reporting. */
  public static final int PCI_EXT_CAP_ID_ERR = 0x01;

  /** Extended capability: virtual channels. */
  public static final int PCI_EXT_CAP_ID_VC = 0x02;

  /** Extended capability: device serial number. */
  public static final int PCI_EXT_CAP_ID_DSN = 0x03;

  /** Extended capability: power budgeting. */
  public static final int PCI_EXT_CAP_ID_PWR = 0x04;

  /** Extended capability: virtual channels, of a device that has more than one kind. */
  public static final int PCI_EXT_CAP_ID_VC9 = 0x09;

  /** Extended capability: the vendor's own. */
  public static final int PCI_EXT_CAP_ID_VNDR = 0x0b;

  /** Extended capability: access control services. */
  public static final int PCI_EXT_CAP_ID_ACS = 0x0d;

  /** Extended capability: alternative routing id. */
  public static final int PCI_EXT_CAP_ID_ARI = 0x0e;

  /** Extended capability: address translation services. */
  public static final int PCI_EXT_CAP_ID_ATS = 0x0f;

  /** Extended capability: SR-IOV. */
  public static final int PCI_EXT_CAP_ID_SRIOV = 0x10;

  /** Extended capability: multicast. */
  public static final int PCI_EXT_CAP_ID_MCAST = 0x12;

  /** Extended capability: page requests. */
  public static final int PCI_EXT_CAP_ID_PRI = 0x13;

  /** Extended capability: BARs that can be resized. */
  public static final int PCI_EXT_CAP_ID_REBAR = 0x15;

  /** Extended capability: dynamic power allocation. */
  public static final int PCI_EXT_CAP_ID_DPA = 0x16;

  /** Extended capability: requester of processing hints. */
  public static final int PCI_EXT_CAP_ID_TPH = 0x17;

  /** Extended capability: latency tolerance reporting. */
  public static final int PCI_EXT_CAP_ID_LTR = 0x18;

  /** Extended capability: secondary PCI Express. */
  public static final int PCI_EXT_CAP_ID_SECPCI = 0x19;

  /** Extended capability: process address space ids. */
  public static final int PCI_EXT_CAP_ID_PASID = 0x1b;

  /** Extended capability: downstream port containment. */
  public static final int PCI_EXT_CAP_ID_DPC = 0x1d;

  /** Extended capability: substates of L1. */
  public static final int PCI_EXT_CAP_ID_L1SS = 0x1e;

  /** Extended capability: precision time measurement. */
  public static final int PCI_EXT_CAP_ID_PTM = 0x1f;

  /** Extended capability: some vendor's own. */
  public static final int PCI_EXT_CAP_ID_DVSEC = 0x23;

  /** Extended capability: data link feature. */
  public static final int PCI_EXT_CAP_ID_DLF = 0x25;

  /** Extended capability: physical layer of 16 GT/s. */
  public static final int PCI_EXT_CAP_ID_PL_16GT = 0x26;

  /** Extended capability: physical layer of 32 GT/s. */
  public static final int PCI_EXT_CAP_ID_PL_32GT = 0x2a;

  /** Extended capability: data object exchange. */
  public static final int PCI_EXT_CAP_ID_DOE = 0x2e;

  /** Error reporting: errors that were not corrected; 32 bits. */
  public static final int PCI_ERR_UNCOR_STATUS = 0x04;

  /** Error reporting: which of {@link #PCI_ERR_UNCOR_STATUS} are not reported. */
  public static final int PCI_ERR_UNCOR_MASK = 0x08;

  /** Error reporting: which of {@link #PCI_ERR_UNCOR_STATUS} are fatal. */
  public static final int PCI_ERR_UNCOR_SEVER = 0x0c;

  /** Error reporting: errors that were corrected; 32 bits. */
  public static final int PCI_ERR_COR_STATUS = 0x10;

  /** Error reporting: which of {@link #PCI_ERR_COR_STATUS} are not reported. */
  public static final int PCI_ERR_COR_MASK = 0x14;

  /** The vendor's own: id, revision and length; 32 bits. */
  public static final int PCI_VNDR_HEADER = 4;

  /** Alternative routing id: capabilities, and the next function in the upper 8 of 16 bits. */
  public static final int PCI_ARI_CAP = 0x04;

  /** Address translation: capabilities; 16 bits. */
  public static final int PCI_ATS_CAP = 0x04;

  /** Address translation: how many invalidations fit where {@link #PCI_ATS_CAP} tells 0. */
  public static final int PCI_ATS_MAX_QDEP = 32;

  /** {@link #PCI_ATS_CAP}: asks for whole pages. */
  public static final int PCI_ATS_CAP_PAGE_ALIGNED = 0x0020;

  /** Address translation: control; 16 bits. */
  public static final int PCI_ATS_CTRL = 0x06;

  /** {@link #PCI_ATS_CTRL}: in use. */
  public static final int PCI_ATS_CTRL_ENABLE = 0x8000;

  /** Process address spaces: capabilities; 16 bits. */
  public static final int PCI_PASID_CAP = 0x04;

  /** {@link #PCI_PASID_CAP}: asks for permission to execute. */
  public static final int PCI_PASID_CAP_EXEC = 0x0002;

  /** {@link #PCI_PASID_CAP}: has a privileged mode. */
  public static final int PCI_PASID_CAP_PRIV = 0x0004;

  /** {@link #PCI_PASID_CAP}: how many bits an id has. */
  public static final int PCI_PASID_CAP_WIDTH = 0x1f00;

  /** Process address spaces: control; 16 bits. */
  public static final int PCI_PASID_CTRL = 0x06;

  /** {@link #PCI_PASID_CTRL}: in use. */
  public static final int PCI_PASID_CTRL_ENABLE = 0x0001;

  /** SR-IOV: control; 16 bits. */
  public static final int PCI_SRIOV_CTRL = 0x08;

  /** {@link #PCI_SRIOV_CTRL}: there are virtual functions. */
  public static final int PCI_SRIOV_CTRL_VFE = 0x0001;

  /** SR-IOV: how many virtual functions there can be; 16 bits. */
  public static final int PCI_SRIOV_TOTAL_VF = 0x0e;

  /** SR-IOV: how many virtual functions there are; 16 bits. */
  public static final int PCI_SRIOV_NUM_VF = 0x10;

  /** SR-IOV: where the first virtual function is; 16 bits. */
  public static final int PCI_SRIOV_VF_OFFSET = 0x14;

  /** SR-IOV: how far it is to the next virtual function; 16 bits. */
  public static final int PCI_SRIOV_VF_STRIDE = 0x16;

  /** SR-IOV: device id of virtual functions; 16 bits. */
  public static final int PCI_SRIOV_VF_DID = 0x1a;

  /** Latency tolerance: longest with snooping; 16 bits. */
  public static final int PCI_LTR_MAX_SNOOP_LAT = 0x4;

  /** Latency tolerance: longest without snooping; 16 bits. */
  public static final int PCI_LTR_MAX_NOSNOOP_LAT = 0x6;

  /** Latency: its value. */
  public static final int PCI_LTR_VALUE_MASK = 0x000003ff;

  /** Latency: its unit, in nanoseconds 32 to that power. */
  public static final int PCI_LTR_SCALE_MASK = 0x00001c00;

  /** {@link #PCI_LTR_SCALE_MASK}: its lowest bit. */
  public static final int PCI_LTR_SCALE_SHIFT = 10;

  /** Access control: capabilities; 16 bits. */
  public static final int PCI_ACS_CAP = 0x04;

  /** Access control: which of {@link #PCI_ACS_CAP} are in use; 16 bits. */
  public static final int PCI_ACS_CTRL = 0x06;

  /** Resizable BARs: sizes of the first; 32 bits. */
  public static final int PCI_REBAR_CAP = 4;

  /** Resizable BARs: control of the first; 32 bits. */
  public static final int PCI_REBAR_CTRL = 8;

  /** {@link #PCI_REBAR_CTRL}: which BAR it is. */
  public static final int PCI_REBAR_CTRL_BAR_IDX = 0x00000007;

  /** {@link #PCI_REBAR_CTRL} of the first: how many BARs can be resized. */
  public static final int PCI_REBAR_CTRL_NBAR_MASK = 0x000000e0;

  /** {@link #PCI_REBAR_CTRL_NBAR_MASK}: its lowest bit. */
  public static final int PCI_REBAR_CTRL_NBAR_SHIFT = 5;

  /** {@link #PCI_REBAR_CTRL}: the lowest bit of the size, 1 MiB times a power of two. */
  public static final int PCI_REBAR_CTRL_BAR_SHIFT = 8;

  /** Precision time: capabilities; 32 bits. */
  public static final int PCI_PTM_CAP = 0x04;

  /** {@link #PCI_PTM_CAP}: can ask. */
  public static final int PCI_PTM_CAP_REQ = 0x00000001;

  /** {@link #PCI_PTM_CAP}: can answer. */
  public static final int PCI_PTM_CAP_RES = 0x00000002;

  /** {@link #PCI_PTM_CAP}: can be the source of time. */
  public static final int PCI_PTM_CAP_ROOT = 0x00000004;

  /** {@link #PCI_PTM_CAP}: what its clock counts, in nanoseconds. */
  public static final int PCI_PTM_GRANULARITY_MASK = 0x0000ff00;

  /** Precision time: control; 32 bits. */
  public static final int PCI_PTM_CTRL = 0x08;

  /** {@link #PCI_PTM_CTRL}: in use. */
  public static final int PCI_PTM_CTRL_ENABLE = 0x00000001;

  /** Substates of L1: which it has; 32 bits. */
  public static final int PCI_L1SS_CAP = 0x04;

  /** Substates of L1: which are in use; 32 bits. */
  public static final int PCI_L1SS_CTL1 = 0x08;

  /** Some vendor's own: vendor, revision and length; 32 bits. */
  public static final int PCI_DVSEC_HEADER1 = 0x4;

  /** Some vendor's own: id; 16 bits. */
  public static final int PCI_DVSEC_HEADER2 = 0x8;

  /** Data link feature: capabilities; 32 bits. */
  public static final int PCI_DLF_CAP = 0x04;

  private PciRegs() {}
}
