// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * The type of a region beyond the standard ones. Source: {@code VFIO_REGION_TYPE_} and {@code
 * VFIO_REGION_SUBTYPE_} in {@code include/uapi/linux/vfio.h}.
 *
 * @param type its type; with bit 31 set, the rest is the PCI vendor who defines the subtypes
 * @param subtype its subtype
 */
public record RegionType(int type, int subtype) {
  private static final int PCI_VENDOR = 1 << 31;
  private static final int INTEL = PCI_VENDOR | 0x8086;
  private static final int NVIDIA = PCI_VENDOR | 0x10de;
  private static final int IBM = PCI_VENDOR | 0x1014;
  private static final int GRAPHICS = 1;
  private static final int CHANNEL = 2;
  private static final int MIGRATION = 3;

  /** Its name where jvfio knows one, otherwise its numbers. */
  public String label() {
    return switch (type) {
      case INTEL -> known("graphics OpRegion", "host bridge configuration", "LPC configuration");
      case NVIDIA -> known("NVLink 2 memory");
      case IBM -> known("NVLink 2 address translation shootdown");
      case GRAPHICS -> known("graphics EDID");
      case CHANNEL -> known("channel commands", "channel subchannel block", "channel reports");
      case MIGRATION -> known("migration, version 1");
      default -> numbers();
    };
  }

  /** One of {@code names}, of which the first is that of subtype 1. */
  private String known(String... names) {
    return subtype >= 1 && subtype <= names.length ? names[subtype - 1] : numbers();
  }

  private String numbers() {
    return (type & PCI_VENDOR) != 0
        ? "vendor 0x%04x subtype %s".formatted(type & 0xffff, Integer.toUnsignedString(subtype))
        : "type %s subtype %s"
            .formatted(Integer.toUnsignedString(type), Integer.toUnsignedString(subtype));
  }

  @Override
  public String toString() {
    return "%s (0x%x, %s)".formatted(label(), type, Integer.toUnsignedString(subtype));
  }
}
