package io.jvfio;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;

/**
 * One entry of a device's capability lists. Source: PCI Local Bus Specification 3.0, section 6.7;
 * PCI Express Base Specification, section 7.6.
 *
 * @param offset where it starts in configuration space, in bytes
 * @param id which capability
 * @param extended whether it is in the extended list, whose ids are numbers of their own
 * @param name what PCI people call it
 */
public record PciCapability(int offset, int id, boolean extended, String name) {
  private static final int STATUS = 0x06;
  private static final int STATUS_HAS_LIST = 1 << 4;
  private static final int FIRST = 0x34;
  private static final int FIRST_EXTENDED = 0x100;

  /** The capabilities of a device, standard ones first, each list in its own order. */
  public static List<PciCapability> of(PciConfigSpace config) {
    var found = new ArrayList<PciCapability>();
    addStandard(config, found);
    addExtended(config, found);
    return List.copyOf(found);
  }

  private static void addStandard(PciConfigSpace config, List<PciCapability> found) {
    if ((config.read16(STATUS) & STATUS_HAS_LIST) == 0) {
      return;
    }
    var seen = new HashSet<Integer>();
    int offset = config.read8(FIRST) & ~3;
    while (offset >= 0x40 && seen.add(offset)) {
      int id = config.read8(offset);
      if (id == 0xff) {
        return; // the device does not answer
      }
      found.add(new PciCapability(offset, id, false, standardName(id)));
      offset = config.read8(offset + 1) & ~3;
    }
  }

  private static void addExtended(PciConfigSpace config, List<PciCapability> found) {
    if (config.byteSize() <= FIRST_EXTENDED) {
      return;
    }
    var seen = new HashSet<Integer>();
    int offset = FIRST_EXTENDED;
    while (offset >= FIRST_EXTENDED && offset <= config.byteSize() - 4 && seen.add(offset)) {
      int header = config.read32(offset);
      if (header == 0 || header == -1) {
        return;
      }
      int id = header & 0xffff;
      found.add(new PciCapability(offset, id, true, extendedName(id)));
      offset = (header >>> 20) & ~3;
    }
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
      case 0x0025 -> "Data Link Feature";
      default -> "extended capability 0x%04x".formatted(id);
    };
  }
}
