package io.jvfio;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Reads a device's capability lists, of which nothing is trusted. */
final class CapabilityList {
  static final int FIRST_EXTENDED = 0x100;

  private static final int STATUS = 0x06;
  private static final int STATUS_HAS_LIST = 1 << 4;
  private static final int HEADER_TYPE = 0x0e;
  private static final int HEADER_OF_CARDBUS = 2;
  private static final int FIRST = 0x34;
  private static final int FIRST_OF_CARDBUS = 0x14;
  private static final int HEADER_END = 0x40;
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
    if ((config.read16(STATUS) & STATUS_HAS_LIST) == 0) {
      return;
    }
    boolean cardbus = (config.read8(HEADER_TYPE) & 0x7f) == HEADER_OF_CARDBUS;
    var seen = new HashSet<Integer>();
    int offset = config.read8(cardbus ? FIRST_OF_CARDBUS : FIRST) & ~3;
    while (offset >= HEADER_END && seen.add(offset)) {
      int id = config.read8(offset);
      if (id == NO_ANSWER) {
        return;
      }
      var entry = new Entry(offset, Math.min(config.byteSize(), FIRST_EXTENDED) - offset);
      found.add(known(entry.standard(id), offset, id));
      offset = config.read8(offset + 1) & ~3;
    }
  }

  private void readExtended() {
    var seen = new HashSet<Integer>();
    int offset = FIRST_EXTENDED;
    while (offset >= FIRST_EXTENDED && offset <= config.byteSize() - 4 && seen.add(offset)) {
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
        case 0x01 -> room < 8 ? null : powerManagement();
        case 0x03 -> room < 8 ? null : new PciCapability.VitalProductData(offset);
        case 0x05 -> room < 10 ? null : msi();
        case 0x09 -> room < 4 ? null : new PciCapability.VendorSpecific(offset, at8(2));
        case 0x0d -> room < 8 ? null : new PciCapability.SubsystemIds(offset, at16(4), at16(6));
        case 0x10 -> room < 0x14 ? null : pciExpress();
        case 0x11 -> room < 12 ? null : msiX();
        case 0x13 ->
            room < 6 ? null : new PciCapability.Af(offset, isSet(at8(3), 1), isSet(at8(3), 0));
        default -> null;
      };
    }

    @Nullable PciCapability extended(int id) {
      return switch (id) {
        case 0x01 -> room < 0x1c ? null : errors();
        case 0x03 -> room < 12 ? null : new PciCapability.DeviceSerialNumber(offset, serial());
        case 0x0b -> room < 8 ? null : vendorSpecific();
        case 0x0d ->
            room < 8
                ? null
                : new PciCapability.AccessControlServices(
                    offset, named(ACCESS_CONTROLS, at16(4)), named(ACCESS_CONTROLS, at16(6)));
        case 0x0e -> room < 8 ? null : new PciCapability.AlternativeRoutingId(offset, at8(5));
        case 0x0f -> room < 8 ? null : addressTranslation();
        case 0x10 -> room < 0x40 ? null : srIov();
        case 0x15 -> room < 12 ? null : new PciCapability.ResizableBar(offset, resizable());
        case 0x18 ->
            room < 8
                ? null
                : new PciCapability.LatencyTolerance(offset, latency(at16(4)), latency(at16(6)));
        case 0x19 -> room < 12 ? null : new PciCapability.SecondaryPciExpress(offset, at32(8));
        case 0x1b -> room < 8 ? null : pasid();
        case 0x1e ->
            room < 12
                ? null
                : new PciCapability.L1PmSubstates(
                    offset, named(L1_STATES, at32(4)), named(L1_STATES, at32(8)));
        case 0x1f -> room < 12 ? null : precisionTime();
        case 0x23 -> room < 12 ? null : designatedVendorSpecific();
        case 0x25 ->
            room < 12
                ? null
                : new PciCapability.DataLinkFeature(offset, isSet(at32(4), 0), isSet(at32(8), 31));
        default -> null;
      };
    }

    private PciCapability powerManagement() {
      int capabilities = at16(2);
      int control = at16(4);
      return new PciCapability.PowerManagement(
          offset,
          capabilities & 7,
          control & 3,
          isSet(capabilities, 9),
          isSet(capabilities, 10),
          isSet(control, 3),
          capabilities >>> 11 & 0x1f);
    }

    private PciCapability msi() {
      int control = at16(2);
      return new PciCapability.Msi(
          offset,
          isSet(control, 0),
          1 << (control >>> 1 & 7),
          1 << (control >>> 4 & 7),
          isSet(control, 7),
          isSet(control, 8));
    }

    private PciCapability msiX() {
      int control = at16(2);
      int vectors = (control & 0x7ff) + 1;
      int table = at32(4);
      int pending = at32(8);
      return new PciCapability.MsiX(
          offset,
          isSet(control, 15),
          isSet(control, 14),
          vectors,
          table & 7,
          Integer.toUnsignedLong(table & ~7),
          vectors * 16,
          pending & 7,
          Integer.toUnsignedLong(pending & ~7),
          (vectors + 63) / 64 * 8);
    }

    private PciCapability pciExpress() {
      int flags = at16(2);
      int device = at32(4);
      int control = at16(8);
      return new PciCapability.PciExpress(
          offset,
          flags & 0xf,
          portType(flags >>> 4 & 0xf),
          payload(device),
          payload(control >>> 5),
          payload(control >>> 12),
          isSet(device, 28),
          isSet(device, 5),
          isSet(at16(10), 5),
          link(at32(12)),
          link(at16(0x12)));
    }

    private static int payload(int field) {
      return 128 << (field & 7);
    }

    private static PciCapability.Link link(int field) {
      int megatransfers =
          switch (field & 0xf) {
            case 1 -> 2_500;
            case 2 -> 5_000;
            case 3 -> 8_000;
            case 4 -> 16_000;
            case 5 -> 32_000;
            case 6 -> 64_000;
            default -> 0;
          };
      return new PciCapability.Link(megatransfers, field >>> 4 & 0x3f);
    }

    private static PciCapability.PortType portType(int number) {
      return switch (number) {
        case 0 -> PciCapability.PortType.ENDPOINT;
        case 1 -> PciCapability.PortType.LEGACY_ENDPOINT;
        case 4 -> PciCapability.PortType.ROOT_PORT;
        case 5 -> PciCapability.PortType.UPSTREAM_PORT;
        case 6 -> PciCapability.PortType.DOWNSTREAM_PORT;
        case 7 -> PciCapability.PortType.PCI_BRIDGE;
        case 8 -> PciCapability.PortType.REVERSE_BRIDGE;
        case 9 -> PciCapability.PortType.INTEGRATED_ENDPOINT;
        case 10 -> PciCapability.PortType.EVENT_COLLECTOR;
        default -> PciCapability.PortType.UNKNOWN;
      };
    }

    private PciCapability errors() {
      int lost = at32(4);
      int corrected = at32(0x10);
      return new PciCapability.AdvancedErrorReporting(
          offset,
          bits(lost).mapToObj(CapabilityList::uncorrectable).toList(),
          bits(corrected).mapToObj(CapabilityList::correctable).toList());
    }

    private long serial() {
      return Integer.toUnsignedLong(at32(4)) | (long) at32(8) << 32;
    }

    private PciCapability vendorSpecific() {
      int header = at32(4);
      return new PciCapability.ExtendedVendorSpecific(
          offset, header & 0xffff, header >>> 16 & 0xf, header >>> 20);
    }

    private PciCapability designatedVendorSpecific() {
      int header = at32(4);
      return new PciCapability.Dvsec(
          offset, header & 0xffff, at16(8), header >>> 16 & 0xf, header >>> 20);
    }

    private PciCapability addressTranslation() {
      int depth = at16(4) & 0x1f;
      return new PciCapability.AddressTranslation(
          offset, depth == 0 ? 32 : depth, isSet(at16(4), 5), isSet(at16(6), 15));
    }

    private PciCapability srIov() {
      return new PciCapability.SrIov(
          offset, isSet(at16(8), 0), at16(0x0e), at16(0x10), at16(0x14), at16(0x16), at16(0x1a));
    }

    private List<PciCapability.Choice> resizable() {
      var bars = new ArrayList<PciCapability.Choice>();
      int count = Math.min(at32(8) >>> 5 & 7, (room - 4) / 8);
      for (int i = 0; i < count; i++) {
        int sizes = at32(4 + 8 * i);
        int control = at32(8 + 8 * i);
        bars.add(
            new PciCapability.Choice(
                control & 7,
                1L << (20 + Math.min(control >>> 8 & 0x3f, 42)), // what is beyond fits no long
                bits(sizes >>> 4).mapToObj(bit -> 1L << (20 + bit)).toList()));
      }
      return bars;
    }

    private PciCapability pasid() {
      int capabilities = at16(4);
      return new PciCapability.Pasid(
          offset,
          capabilities >>> 8 & 0x1f,
          isSet(capabilities, 1),
          isSet(capabilities, 2),
          isSet(at16(6), 0));
    }

    private PciCapability precisionTime() {
      int capabilities = at32(4);
      return new PciCapability.Ptm(
          offset,
          isSet(capabilities, 0),
          isSet(capabilities, 1),
          isSet(capabilities, 2),
          capabilities >>> 8 & 0xff,
          isSet(at32(8), 0));
    }
  }

  /** A latency in units of 32 to the power of a scale, of which 6 and 7 mean nothing. */
  private static long latency(int field) {
    int scale = field >>> 10 & 7;
    return scale > 5 ? 0 : (long) (field & 0x3ff) << (5 * scale);
  }

  private static boolean isSet(int register, int bit) {
    return (register >>> bit & 1) != 0;
  }

  private static IntStream bits(int register) {
    return IntStream.range(0, Integer.SIZE).filter(bit -> isSet(register, bit));
  }

  private static List<String> named(List<String> names, int register) {
    return IntStream.range(0, names.size())
        .filter(bit -> isSet(register, bit))
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
      case 0x01 -> "Power Management";
      case 0x03 -> "Vital Product Data";
      case 0x04 -> "Slot Identification";
      case 0x05 -> "MSI";
      case 0x09 -> "Vendor Specific";
      case 0x0d -> "Bridge Subsystem Vendor ID";
      case 0x10 -> "PCI Express";
      case 0x11 -> "MSI-X";
      case 0x12 -> "SATA";
      case 0x13 -> "Advanced Features";
      case 0x14 -> "Enhanced Allocation";
      default -> "capability 0x%02x".formatted(id);
    };
  }

  private static String extendedName(int id) {
    return switch (id) {
      case 0x0001 -> "Advanced Error Reporting";
      case 0x0003 -> "Device Serial Number";
      case 0x000b -> "Vendor Specific";
      case 0x000d -> "Access Control Services";
      case 0x000e -> "Alternative Routing-ID";
      case 0x000f -> "Address Translation Services";
      case 0x0010 -> "Single Root I/O Virtualization";
      case 0x0013 -> "Page Request";
      case 0x0015 -> "Resizable BAR";
      case 0x0018 -> "Latency Tolerance Reporting";
      case 0x0019 -> "Secondary PCI Express";
      case 0x001b -> "Process Address Space ID";
      case 0x001e -> "L1 PM Substates";
      case 0x0023 -> "Designated Vendor Specific";
      case 0x001f -> "Precision Time Measurement";
      case 0x0025 -> "Data Link Feature";
      case 0x0002, 0x0009 -> "Virtual Channel";
      case 0x0004 -> "Power Budgeting";
      case 0x0012 -> "Multicast";
      case 0x0016 -> "Dynamic Power Allocation";
      case 0x0017 -> "TPH Requester";
      case 0x001d -> "Downstream Port Containment";
      case 0x0026 -> "Physical Layer 16.0 GT/s";
      case 0x0027 -> "Lane Margining at the Receiver";
      case 0x002a -> "Physical Layer 32.0 GT/s";
      case 0x002e -> "Data Object Exchange";
      default -> "extended capability 0x%04x".formatted(id);
    };
  }
}
