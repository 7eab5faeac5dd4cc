package io.jvfio;

/**
 * Who made a device, and what it is. Source: PCI Local Bus Specification 3.0, section 6.2.1.
 *
 * @param vendor vendor id
 * @param device device id
 * @param subsystemVendor vendor id of the card
 * @param subsystemDevice the card vendor's own id
 * @param classCode base class, subclass and programming interface: 24 bits
 * @param revision of the device, 0 to 255
 */
public record PciIdentity(
    int vendor, int device, int subsystemVendor, int subsystemDevice, int classCode, int revision) {

  static PciIdentity of(PciConfigSpace config) {
    int revisionAndClass = config.read32(PciHeader.CLASS);
    return new PciIdentity(
        config.read16(PciHeader.VENDOR),
        config.read16(PciHeader.DEVICE),
        config.read16(PciHeader.SUBSYSTEM_VENDOR),
        config.read16(PciHeader.SUBSYSTEM_DEVICE),
        revisionAndClass >>> 8,
        revisionAndClass & 0xff);
  }

  @Override
  public String toString() {
    return "%04x:%04x rev %02x".formatted(vendor, device, revision);
  }
}
