// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.PciRegs;

/**
 * The ids of a device, which tell who made it and what it is. Source: PCI Local Bus Specification
 * 3.0, section 6.2.1.
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
    int revisionAndClass = config.read32(PciRegs.PCI_CLASS_REVISION);
    return new PciIdentity(
        config.read16(PciRegs.PCI_VENDOR_ID),
        config.read16(PciRegs.PCI_DEVICE_ID),
        config.read16(PciRegs.PCI_SUBSYSTEM_VENDOR_ID),
        config.read16(PciRegs.PCI_SUBSYSTEM_ID),
        revisionAndClass >>> 8,
        revisionAndClass & 0xff);
  }

  @Override
  public String toString() {
    return "%04x:%04x rev %02x".formatted(vendor, device, revision);
  }
}
