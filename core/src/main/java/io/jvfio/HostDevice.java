// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * A PCI device of a host, as sysfs describes it.
 *
 * @param address where it is
 * @param classCode base class, subclass and programming interface: 24 bits
 * @param vendor vendor id
 * @param device device id
 * @param driver the host driver it is bound to
 * @param group its IOMMU group; empty where the host has no IOMMU for it
 */
public record HostDevice(
    PciAddress address,
    int classCode,
    int vendor,
    int device,
    Optional<String> driver,
    OptionalInt group) {
  private static final int PCI_BRIDGE = 0x0604;

  /** Whether it is a bridge to another PCI bus. */
  public boolean isBridge() {
    return classCode >>> 8 == PCI_BRIDGE;
  }

  /** Its name in messages, together with its driver. */
  public String label() {
    return "%s (%s)".formatted(address, driver.map(name -> "driver " + name).orElse("no driver"));
  }

  /**
   * Whether a VFIO driver owns it, so that it can be opened: {@code vfio-pci} or one of its
   * variants.
   */
  public boolean isBoundToVfio() {
    return driver.isPresent() && driver.get().contains("vfio");
  }

  /**
   * Whether it keeps its group from being opened.
   *
   * <p>Bridges, unbound devices, and drivers that start no DMA of their own do not: {@code vfio-*},
   * {@code pci-stub} and the PCI Express port driver. Source: {@code driver_managed_dma} in {@code
   * drivers/pci/}.
   */
  public boolean blocksGroup() {
    return driver.isPresent()
        && !isBoundToVfio()
        && !isBridge()
        && !driver.get().equals("pci-stub")
        && !driver.get().equals("pcieport");
  }

  @Override
  public String toString() {
    return "%s %04x:%04x class %06x, %s%s"
        .formatted(
            address,
            vendor,
            device,
            classCode,
            driver.map(name -> "driver " + name).orElse("no driver"),
            group.isPresent() ? ", group " + group.getAsInt() : ", no group");
  }
}
