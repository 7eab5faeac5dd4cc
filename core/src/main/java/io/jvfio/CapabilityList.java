// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.PciRegs;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Reads a device's capability lists, of which nothing is trusted. */
final class CapabilityList {
  private static final int NO_ANSWER = 0xff;

  private static final List<String> ACCESS_CONTROLS =
      List.of(
          "source validation",
          "translation blocking",
          "request redirect",
          "completion redirect",
          "upstream forwarding",
          "egress control",
          "direct translated");
  private static final List<String> L1_STATES =
      List.of("PCI-PM L1.2", "PCI-PM L1.1", "ASPM L1.2", "ASPM L1.1");

  private final PciConfigSpace config;
  private final List<PciCapability> found = new ArrayList<>();

  CapabilityList(PciConfigSpace config) {
    this.config = config;
  }

  List<PciCapability> read() {
    readStandard();
    readExtended();
    return List.copyOf(found);
  }

  private void readStandard() {
    if ((config.read16(PciRegs.PCI_STATUS) & PciRegs.PCI_STATUS_CAP_LIST) == 0) {
      return;
    }
    boolean cardbus =
        (config.read8(PciRegs.PCI_HEADER_TYPE) & PciRegs.PCI_HEADER_TYPE_MASK)
            == PciRegs.PCI_HEADER_TYPE_CARDBUS;
    var seen = new HashSet<Integer>();
    int offset =
        config.read8(cardbus ? PciRegs.PCI_CB_CAPABILITY_LIST : PciRegs.PCI_CAPABILITY_LIST) & ~3;
    while (offset >= PciRegs.PCI_STD_HEADER_SIZEOF && seen.add(offset)) {
      int id = config.read8(offset);
      if (id == NO_ANSWER) {
        return;
      }
      var entry =
          new Entry(offset, Math.min(config.byteSize(), PciRegs.PCI_CFG_SPACE_SIZE) - offset);
      found.add(known(entry.standard(id), offset, id));
      offset = config.read8(offset + PciRegs.PCI_CAP_LIST_NEXT) & ~3;
    }
  }

  private void readExtended() {
    var seen = new HashSet<Integer>();
    int offset = PciRegs.PCI_CFG_SPACE_SIZE;
    while (offset >= PciRegs.PCI_CFG_SPACE_SIZE
        && offset <= config.byteSize() - 4
        && seen.add(offset)) {
      int header = config.read32(offset);
      if (header == 0 || header == -1) {
        return;
      }
      int id = header & 0xffff;
      if (id != 0) { // the kernel gives this id to what it hides at the start of the list
        var entry = new Entry(offset, config.byteSize() - offset);
        found.add(known(entry.extended(id), offset, id));
      }
      offset = (header >>> 20) & ~3;
    }
  }

  private static PciCapability known(@Nullable PciCapability decoded, int offset, int id) {
    return decoded == null ? new PciCapability.Unknown(offset, id) : decoded;
  }

  /** A capability, and how many bytes there are from its start to the end of its list's space. */
  private final class Entry {
    private final int offset;
    private final int room;

    Entry(int offset, int room) {
      this.offset = offset;
      this.room = room;
    }

    private int at8(int register) {
      return config.read8(offset + register);
    }

    private int at16(int register) {
      return config.read16(offset + register);
    }

    private int at32(int register) {
      return config.read32(offset + register);
    }

    /** Decodes it, or null where it is not known or has no room. */
    @Nullable PciCapability standard(int id) {
      return switch (id) {
        case PciRegs.PCI_CAP_ID_PM -> room < 8 ? null : powerManagement();
        case PciRegs.PCI_CAP_ID_VPD -> room < 8 ? null : new PciCapability.VitalProductData(offset);
        case PciRegs.PCI_CAP_ID_MSI -> room < 10 ? null : msi();
        case PciRegs.PCI_CAP_ID_VNDR ->
            room < 4 ? null : new PciCapability.VendorSpecific(offset, at8(PciRegs.PCI_CAP_FLAGS));
        case PciRegs.PCI_CAP_ID_SSVID ->
            room < 8
                ? null
                : new PciCapability.SubsystemIds(
                    offset, at16(PciRegs.PCI_SSVID_VENDOR_ID), at16(PciRegs.PCI_SSVID_DEVICE_ID));
        case PciRegs.PCI_CAP_ID_EXP -> room < 0x14 ? null : pciExpress();
        case PciRegs.PCI_CAP_ID_MSIX -> room < 12 ? null : msiX();
        case PciRegs.PCI_CAP_ID_AF ->
            room < 6
                ? null
                : new PciCapability.Af(
                    offset,
                    isSet(at8(PciRegs.PCI_AF_CAP), PciRegs.PCI_AF_CAP_FLR),
                    isSet(at8(PciRegs.PCI_AF_CAP), PciRegs.PCI_AF_CAP_TP));
        default -> null;
      };
    }

    @Nullable PciCapability extended(int id) {
      return switch (id) {
        case PciRegs.PCI_EXT_CAP_ID_ERR -> room < 0x1c ? null : errors();
        case PciRegs.PCI_EXT_CAP_ID_DSN ->
            room < 12 ? null : new PciCapability.DeviceSerialNumber(offset, serial());
        case PciRegs.PCI_EXT_CAP_ID_VNDR -> room < 8 ? null : vendorSpecific();
        case PciRegs.PCI_EXT_CAP_ID_ACS ->
            room < 8
                ? null
                : new PciCapability.AccessControlServices(
                    offset,
                    named(ACCESS_CONTROLS, at16(PciRegs.PCI_ACS_CAP)),
                    named(ACCESS_CONTROLS, at16(PciRegs.PCI_ACS_CTRL)));
        case PciRegs.PCI_EXT_CAP_ID_ARI ->
            room < 8
                ? null
                : new PciCapability.AlternativeRoutingId(offset, at8(PciRegs.PCI_ARI_CAP + 1));
        case PciRegs.PCI_EXT_CAP_ID_ATS -> room < 8 ? null : addressTranslation();
        case PciRegs.PCI_EXT_CAP_ID_SRIOV -> room < 0x40 ? null : srIov();
        case PciRegs.PCI_EXT_CAP_ID_REBAR ->
            room < 12 ? null : new PciCapability.ResizableBar(offset, resizable());
        case PciRegs.PCI_EXT_CAP_ID_LTR ->
            room < 8
                ? null
                : new PciCapability.LatencyTolerance(
                    offset,
                    latency(at16(PciRegs.PCI_LTR_MAX_SNOOP_LAT)),
                    latency(at16(PciRegs.PCI_LTR_MAX_NOSNOOP_LAT)));
        case PciRegs.PCI_EXT_CAP_ID_SECPCI ->
            room < 12 ? null : new PciCapability.SecondaryPciExpress(offset, at32(8));
        case PciRegs.PCI_EXT_CAP_ID_PASID -> room < 8 ? null : pasid();
        case PciRegs.PCI_EXT_CAP_ID_L1SS ->
            room < 12
                ? null
                : new PciCapability.L1PmSubstates(
                    offset,
                    named(L1_STATES, at32(PciRegs.PCI_L1SS_CAP)),
                    named(L1_STATES, at32(PciRegs.PCI_L1SS_CTL1)));
        case PciRegs.PCI_EXT_CAP_ID_PTM -> room < 12 ? null : precisionTime();
        case PciRegs.PCI_EXT_CAP_ID_DVSEC -> room < 12 ? null : designatedVendorSpecific();
        case PciRegs.PCI_EXT_CAP_ID_DLF ->
            room < 12
                ? null
                : new PciCapability.DataLinkFeature(
                    offset, isSet(at32(PciRegs.PCI_DLF_CAP), 1), isSet(at32(8), 1 << 31));
        default -> null;
      };
    }

    private PciCapability powerManagement() {
      int capabilities = at16(PciRegs.PCI_PM_PMC);
      int control = at16(PciRegs.PCI_PM_CTRL);
      return new PciCapability.PowerManagement(
          offset,
          capabilities & PciRegs.PCI_PM_CAP_VER_MASK,
          control & PciRegs.PCI_PM_CTRL_STATE_MASK,
          isSet(capabilities, PciRegs.PCI_PM_CAP_D1),
          isSet(capabilities, PciRegs.PCI_PM_CAP_D2),
          isSet(control, PciRegs.PCI_PM_CTRL_NO_SOFT_RESET),
          capabilities >>> PciRegs.PCI_PM_CAP_PME_SHIFT);
    }

    private PciCapability msi() {
      int control = at16(PciRegs.PCI_MSI_FLAGS);
      return new PciCapability.Msi(
          offset,
          isSet(control, PciRegs.PCI_MSI_FLAGS_ENABLE),
          1 << ((control & PciRegs.PCI_MSI_FLAGS_QMASK) >>> 1),
          1 << ((control & PciRegs.PCI_MSI_FLAGS_QSIZE) >>> 4),
          isSet(control, PciRegs.PCI_MSI_FLAGS_64BIT),
          isSet(control, PciRegs.PCI_MSI_FLAGS_MASKBIT));
    }

    private PciCapability msiX() {
      int control = at16(PciRegs.PCI_MSIX_FLAGS);
      int vectors = (control & PciRegs.PCI_MSIX_FLAGS_QSIZE) + 1;
      int table = at32(PciRegs.PCI_MSIX_TABLE);
      int pending = at32(PciRegs.PCI_MSIX_PBA);
      return new PciCapability.MsiX(
          offset,
          isSet(control, PciRegs.PCI_MSIX_FLAGS_ENABLE),
          isSet(control, PciRegs.PCI_MSIX_FLAGS_MASKALL),
          vectors,
          table & PciRegs.PCI_MSIX_TABLE_BIR,
          Integer.toUnsignedLong(table & PciRegs.PCI_MSIX_TABLE_OFFSET),
          vectors * PciRegs.PCI_MSIX_ENTRY_SIZE,
          pending & PciRegs.PCI_MSIX_PBA_BIR,
          Integer.toUnsignedLong(pending & PciRegs.PCI_MSIX_PBA_OFFSET),
          (vectors + 63) / 64 * 8);
    }

    private PciCapability pciExpress() {
      int flags = at16(PciRegs.PCI_EXP_FLAGS);
      int device = at32(PciRegs.PCI_EXP_DEVCAP);
      int control = at16(PciRegs.PCI_EXP_DEVCTL);
      return new PciCapability.PciExpress(
          offset,
          flags & PciRegs.PCI_EXP_FLAGS_VERS,
          portType((flags & PciRegs.PCI_EXP_FLAGS_TYPE) >>> 4),
          payload(device & PciRegs.PCI_EXP_DEVCAP_PAYLOAD),
          payload((control & PciRegs.PCI_EXP_DEVCTL_PAYLOAD) >>> 5),
          payload((control & PciRegs.PCI_EXP_DEVCTL_READRQ) >>> 12),
          isSet(device, PciRegs.PCI_EXP_DEVCAP_FLR),
          isSet(device, PciRegs.PCI_EXP_DEVCAP_EXT_TAG),
          isSet(at16(PciRegs.PCI_EXP_DEVSTA), PciRegs.PCI_EXP_DEVSTA_TRPND),
          link(at32(PciRegs.PCI_EXP_LNKCAP)),
          link(at16(PciRegs.PCI_EXP_LNKSTA)));
    }

    private static int payload(int field) {
      return 128 << field;
    }

    /** The link as it can be, or as it is: both registers have the same fields. */
    private static PciCapability.Link link(int field) {
      int megatransfers =
          switch (field & PciRegs.PCI_EXP_LNKSTA_CLS) {
            case PciRegs.PCI_EXP_LNKSTA_CLS_2_5GB -> 2_500;
            case PciRegs.PCI_EXP_LNKSTA_CLS_5_0GB -> 5_000;
            case PciRegs.PCI_EXP_LNKSTA_CLS_8_0GB -> 8_000;
            case PciRegs.PCI_EXP_LNKSTA_CLS_16_0GB -> 16_000;
            case PciRegs.PCI_EXP_LNKSTA_CLS_32_0GB -> 32_000;
            case PciRegs.PCI_EXP_LNKSTA_CLS_64_0GB -> 64_000;
            default -> 0;
          };
      return new PciCapability.Link(
          megatransfers, (field & PciRegs.PCI_EXP_LNKSTA_NLW) >>> PciRegs.PCI_EXP_LNKSTA_NLW_SHIFT);
    }

    private static PciCapability.PortType portType(int number) {
      return switch (number) {
        case PciRegs.PCI_EXP_TYPE_ENDPOINT -> PciCapability.PortType.ENDPOINT;
        case PciRegs.PCI_EXP_TYPE_LEG_END -> PciCapability.PortType.LEGACY_ENDPOINT;
        case PciRegs.PCI_EXP_TYPE_ROOT_PORT -> PciCapability.PortType.ROOT_PORT;
        case PciRegs.PCI_EXP_TYPE_UPSTREAM -> PciCapability.PortType.UPSTREAM_PORT;
        case PciRegs.PCI_EXP_TYPE_DOWNSTREAM -> PciCapability.PortType.DOWNSTREAM_PORT;
        case PciRegs.PCI_EXP_TYPE_PCI_BRIDGE -> PciCapability.PortType.PCI_BRIDGE;
        case PciRegs.PCI_EXP_TYPE_PCIE_BRIDGE -> PciCapability.PortType.REVERSE_BRIDGE;
        case PciRegs.PCI_EXP_TYPE_RC_END -> PciCapability.PortType.INTEGRATED_ENDPOINT;
        case PciRegs.PCI_EXP_TYPE_RC_EC -> PciCapability.PortType.EVENT_COLLECTOR;
        default -> PciCapability.PortType.UNKNOWN;
      };
    }

    private PciCapability errors() {
      int lost = at32(PciRegs.PCI_ERR_UNCOR_STATUS);
      int corrected = at32(PciRegs.PCI_ERR_COR_STATUS);
      return new PciCapability.AdvancedErrorReporting(
          offset,
          bits(lost).mapToObj(CapabilityList::uncorrectable).toList(),
          bits(corrected).mapToObj(CapabilityList::correctable).toList());
    }

    private long serial() {
      return Integer.toUnsignedLong(at32(4)) | (long) at32(8) << 32;
    }

    private PciCapability vendorSpecific() {
      int header = at32(PciRegs.PCI_VNDR_HEADER);
      return new PciCapability.ExtendedVendorSpecific(
          offset, header & 0xffff, header >>> 16 & 0xf, header >>> 20);
    }

    private PciCapability designatedVendorSpecific() {
      int header = at32(PciRegs.PCI_DVSEC_HEADER1);
      return new PciCapability.Dvsec(
          offset,
          header & 0xffff,
          at16(PciRegs.PCI_DVSEC_HEADER2),
          header >>> 16 & 0xf,
          header >>> 20);
    }

    private PciCapability addressTranslation() {
      int capabilities = at16(PciRegs.PCI_ATS_CAP);
      int depth = capabilities & 0x1f;
      return new PciCapability.AddressTranslation(
          offset,
          depth == 0 ? PciRegs.PCI_ATS_MAX_QDEP : depth,
          isSet(capabilities, PciRegs.PCI_ATS_CAP_PAGE_ALIGNED),
          isSet(at16(PciRegs.PCI_ATS_CTRL), PciRegs.PCI_ATS_CTRL_ENABLE));
    }

    private PciCapability srIov() {
      return new PciCapability.SrIov(
          offset,
          isSet(at16(PciRegs.PCI_SRIOV_CTRL), PciRegs.PCI_SRIOV_CTRL_VFE),
          at16(PciRegs.PCI_SRIOV_TOTAL_VF),
          at16(PciRegs.PCI_SRIOV_NUM_VF),
          at16(PciRegs.PCI_SRIOV_VF_OFFSET),
          at16(PciRegs.PCI_SRIOV_VF_STRIDE),
          at16(PciRegs.PCI_SRIOV_VF_DID));
    }

    private List<PciCapability.Choice> resizable() {
      var bars = new ArrayList<PciCapability.Choice>();
      int told =
          (at32(PciRegs.PCI_REBAR_CTRL) & PciRegs.PCI_REBAR_CTRL_NBAR_MASK)
              >>> PciRegs.PCI_REBAR_CTRL_NBAR_SHIFT;
      int count = Math.min(told, (room - 4) / 8);
      for (int i = 0; i < count; i++) {
        int sizes = at32(PciRegs.PCI_REBAR_CAP + 8 * i);
        int control = at32(PciRegs.PCI_REBAR_CTRL + 8 * i);
        int size = control >>> PciRegs.PCI_REBAR_CTRL_BAR_SHIFT & 0x3f;
        bars.add(
            new PciCapability.Choice(
                control & PciRegs.PCI_REBAR_CTRL_BAR_IDX,
                1L << (20 + Math.min(size, 42)), // what is beyond fits no long
                bits(sizes >>> 4).mapToObj(bit -> 1L << (20 + bit)).toList()));
      }
      return bars;
    }

    private PciCapability pasid() {
      int capabilities = at16(PciRegs.PCI_PASID_CAP);
      return new PciCapability.Pasid(
          offset,
          (capabilities & PciRegs.PCI_PASID_CAP_WIDTH) >>> 8,
          isSet(capabilities, PciRegs.PCI_PASID_CAP_EXEC),
          isSet(capabilities, PciRegs.PCI_PASID_CAP_PRIV),
          isSet(at16(PciRegs.PCI_PASID_CTRL), PciRegs.PCI_PASID_CTRL_ENABLE));
    }

    private PciCapability precisionTime() {
      int capabilities = at32(PciRegs.PCI_PTM_CAP);
      return new PciCapability.Ptm(
          offset,
          isSet(capabilities, PciRegs.PCI_PTM_CAP_REQ),
          isSet(capabilities, PciRegs.PCI_PTM_CAP_RES),
          isSet(capabilities, PciRegs.PCI_PTM_CAP_ROOT),
          (capabilities & PciRegs.PCI_PTM_GRANULARITY_MASK) >>> 8,
          isSet(at32(PciRegs.PCI_PTM_CTRL), PciRegs.PCI_PTM_CTRL_ENABLE));
    }
  }

  /** A latency in units of 32 to the power of a scale, of which 6 and 7 mean nothing. */
  private static long latency(int field) {
    int scale = (field & PciRegs.PCI_LTR_SCALE_MASK) >>> PciRegs.PCI_LTR_SCALE_SHIFT;
    return scale > 5 ? 0 : (long) (field & PciRegs.PCI_LTR_VALUE_MASK) << (5 * scale);
  }

  private static boolean isSet(int register, int bit) {
    return (register & bit) != 0;
  }

  private static IntStream bits(int register) {
    return IntStream.range(0, Integer.SIZE).filter(bit -> isSet(register, 1 << bit));
  }

  private static List<String> named(List<String> names, int register) {
    return IntStream.range(0, names.size())
        .filter(bit -> isSet(register, 1 << bit))
        .mapToObj(names::get)
        .toList();
  }

  private static String uncorrectable(int bit) {
    return switch (bit) {
      case 4 -> "data link protocol";
      case 5 -> "surprise link down";
      case 12 -> "poisoned packet";
      case 13 -> "flow control protocol";
      case 14 -> "completion timeout";
      case 15 -> "completer abort";
      case 16 -> "unexpected completion";
      case 17 -> "receiver overflow";
      case 18 -> "malformed packet";
      case 19 -> "end-to-end checksum";
      case 20 -> "unsupported request";
      case 21 -> "access control violation";
      case 22 -> "internal error";
      default -> "error " + bit;
    };
  }

  private static String correctable(int bit) {
    return switch (bit) {
      case 0 -> "receiver error";
      case 6 -> "bad packet";
      case 7 -> "bad data link packet";
      case 8 -> "replay rollover";
      case 12 -> "replay timeout";
      case 13 -> "advisory non-fatal";
      case 14 -> "internal error";
      case 15 -> "log overflow";
      default -> "error " + bit;
    };
  }

  static String name(int id, boolean extended) {
    return extended ? extendedName(id) : standardName(id);
  }

  private static String standardName(int id) {
    return switch (id) {
      case PciRegs.PCI_CAP_ID_PM -> "Power Management";
      case PciRegs.PCI_CAP_ID_VPD -> "Vital Product Data";
      case PciRegs.PCI_CAP_ID_SLOTID -> "Slot Identification";
      case PciRegs.PCI_CAP_ID_MSI -> "MSI";
      case PciRegs.PCI_CAP_ID_VNDR -> "Vendor Specific";
      case PciRegs.PCI_CAP_ID_SSVID -> "Bridge Subsystem Vendor ID";
      case PciRegs.PCI_CAP_ID_EXP -> "PCI Express";
      case PciRegs.PCI_CAP_ID_MSIX -> "MSI-X";
      case PciRegs.PCI_CAP_ID_SATA -> "SATA";
      case PciRegs.PCI_CAP_ID_AF -> "Advanced Features";
      case PciRegs.PCI_CAP_ID_EA -> "Enhanced Allocation";
      default -> "capability 0x%02x".formatted(id);
    };
  }

  private static String extendedName(int id) {
    return switch (id) {
      case PciRegs.PCI_EXT_CAP_ID_ERR -> "Advanced Error Reporting";
      case PciRegs.PCI_EXT_CAP_ID_DSN -> "Device Serial Number";
      case PciRegs.PCI_EXT_CAP_ID_VNDR -> "Vendor Specific";
      case PciRegs.PCI_EXT_CAP_ID_ACS -> "Access Control Services";
      case PciRegs.PCI_EXT_CAP_ID_ARI -> "Alternative Routing-ID";
      case PciRegs.PCI_EXT_CAP_ID_ATS -> "Address Translation Services";
      case PciRegs.PCI_EXT_CAP_ID_SRIOV -> "Single Root I/O Virtualization";
      case PciRegs.PCI_EXT_CAP_ID_PRI -> "Page Request";
      case PciRegs.PCI_EXT_CAP_ID_REBAR -> "Resizable BAR";
      case PciRegs.PCI_EXT_CAP_ID_LTR -> "Latency Tolerance Reporting";
      case PciRegs.PCI_EXT_CAP_ID_SECPCI -> "Secondary PCI Express";
      case PciRegs.PCI_EXT_CAP_ID_PASID -> "Process Address Space ID";
      case PciRegs.PCI_EXT_CAP_ID_L1SS -> "L1 PM Substates";
      case PciRegs.PCI_EXT_CAP_ID_DVSEC -> "Designated Vendor Specific";
      case PciRegs.PCI_EXT_CAP_ID_PTM -> "Precision Time Measurement";
      case PciRegs.PCI_EXT_CAP_ID_DLF -> "Data Link Feature";
      case PciRegs.PCI_EXT_CAP_ID_VC, PciRegs.PCI_EXT_CAP_ID_VC9 -> "Virtual Channel";
      case PciRegs.PCI_EXT_CAP_ID_PWR -> "Power Budgeting";
      case PciRegs.PCI_EXT_CAP_ID_MCAST -> "Multicast";
      case PciRegs.PCI_EXT_CAP_ID_DPA -> "Dynamic Power Allocation";
      case PciRegs.PCI_EXT_CAP_ID_TPH -> "TPH Requester";
      case PciRegs.PCI_EXT_CAP_ID_DPC -> "Downstream Port Containment";
      case PciRegs.PCI_EXT_CAP_ID_PL_16GT -> "Physical Layer 16.0 GT/s";
      case 0x0027 -> "Lane Margining at the Receiver";
      case PciRegs.PCI_EXT_CAP_ID_PL_32GT -> "Physical Layer 32.0 GT/s";
      case PciRegs.PCI_EXT_CAP_ID_DOE -> "Data Object Exchange";
      default -> "extended capability 0x%04x".formatted(id);
    };
  }
}
