// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.PciRegs;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An open device as PCI describes it: who made it, its BARs, and what it says that it can do.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="pci"}
 *
 * <p>It owns nothing and need not be closed. Everything is read from configuration space when it is
 * asked for. Safe for use by several threads.
 */
public final class PciDevice {
  private final VfioDevice device;

  private PciDevice(VfioDevice device) {
    this.device = device;
  }

  /** The PCI side of an open device. */
  public static PciDevice of(VfioDevice device) {
    return new PciDevice(device);
  }

  /** The device. */
  public VfioDevice device() {
    return device;
  }

  /** The configuration space. */
  public PciConfigSpace config() {
    return device.config();
  }

  /**
   * The ids that tell who made it, and what it is.
   *
   * @throws VfioException if configuration space cannot be read
   */
  public PciIdentity identity() {
    return PciIdentity.of(config());
  }

  /**
   * Whether it answers: it is in its slot, and has a link to the host. A device that is pulled
   * reads as all ones, on most machines without any error, so this is what to ask when a register
   * has that value.
   */
  public boolean isPresent() {
    return DeviceHealth.answers(config());
  }

  /**
   * The BARs that it has, in ascending order of index.
   *
   * @throws VfioException if configuration space cannot be read
   */
  public List<PciBar> bars() {
    var bars = new ArrayList<PciBar>();
    for (int index = 0; index < PciRegs.PCI_STD_NUM_BARS; index++) {
      long size = device.region(index).info().byteSize();
      if (size == 0) {
        continue;
      }
      int register = config().read32(PciRegs.PCI_BASE_ADDRESS_0 + Integer.BYTES * index);
      boolean io = (register & PciRegs.PCI_BASE_ADDRESS_SPACE_IO) != 0;
      bars.add(
          new PciBar(
              index,
              io,
              !io && (register & PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64) != 0,
              !io && (register & PciRegs.PCI_BASE_ADDRESS_MEM_PREFETCH) != 0,
              size));
    }
    return List.copyOf(bars);
  }

  /**
   * The region behind a BAR.
   *
   * @param index 0 to 5
   * @throws IllegalArgumentException if the device has no such BAR
   */
  public Region bar(int index) {
    if (index < 0
        || index >= PciRegs.PCI_STD_NUM_BARS
        || device.region(index).info().byteSize() == 0) {
      throw new IllegalArgumentException(device.name() + " has no BAR" + index);
    }
    return device.region(index);
  }

  /**
   * Its capabilities, standard ones first, each list in its own order.
   *
   * @throws VfioException if configuration space cannot be read
   */
  public List<PciCapability> capabilities() {
    return PciCapability.of(config());
  }

  /**
   * The first capability of a kind.
   *
   * @throws VfioException if configuration space cannot be read
   */
  public <C extends PciCapability> Optional<C> capability(Class<C> kind) {
    return capabilities().stream().filter(kind::isInstance).map(kind::cast).findFirst();
  }

  /**
   * Lets the device do DMA and send messages until the result is closed.
   *
   * @throws VfioException if the kernel refuses
   */
  public BusMastering startBusMastering() {
    return new BusMastering(device);
  }

  @Override
  public String toString() {
    return "PCI device " + device.name();
  }
}
