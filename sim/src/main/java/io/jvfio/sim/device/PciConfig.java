// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_0;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_IO_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_MEM_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_SPACE;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_SPACE_IO;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAPABILITY_LIST;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_EXP;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_PM;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_LIST_NEXT;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_IO;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MEMORY;
import static io.jvfio.linux.uapi.PciRegs.PCI_EXP_DEVCAP;
import static io.jvfio.linux.uapi.PciRegs.PCI_EXP_DEVCAP_FLR;
import static io.jvfio.linux.uapi.PciRegs.PCI_INTERRUPT_LINE;
import static io.jvfio.linux.uapi.PciRegs.PCI_PM_CTRL;
import static io.jvfio.linux.uapi.PciRegs.PCI_PM_CTRL_STATE_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS_CAP_LIST;
import static io.jvfio.linux.uapi.PciRegs.PCI_STD_HEADER_SIZEOF;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.sim.setup.HostDescription;

/**
 * The accesses to configuration space that the host makes on its own account. Source: PCI Local Bus
 * Specification 3.0, chapter 6; PCI Express Base Specification, chapter 7; PCI Power Management
 * 1.2.
 */
final class PciConfig {
  static final int POWER_D3HOT = 3;

  /** As many as there is room for. */
  private static final int MOST_CAPABILITIES = 48;

  private PciConfig() {}

  /** Where a capability starts, or 0. */
  static int capability(ConfigSpace config, int id) {
    if ((config.read(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST) == 0) {
      return 0;
    }
    int at = config.read(PCI_CAPABILITY_LIST, 1) & ~3;
    for (int hops = 0; at >= PCI_STD_HEADER_SIZEOF && hops < MOST_CAPABILITIES; hops++) {
      if (config.read(at, 1) == id) {
        return at;
      }
      at = config.read(at + PCI_CAP_LIST_NEXT, 1) & ~3;
    }
    return 0;
  }

  /** What firmware and the host's kernel have written: BARs, command, interrupt line. */
  static void place(ConfigSpace config, HostDescription.Function function) {
    for (var place : function.bars()) {
      int at = PCI_BASE_ADDRESS_0 + 4 * place.bar();
      boolean wide =
          (config.read(at, 4) & (PCI_BASE_ADDRESS_SPACE | PCI_BASE_ADDRESS_MEM_TYPE_MASK))
              == PCI_BASE_ADDRESS_MEM_TYPE_64;
      boolean ports = (config.read(at, 4) & PCI_BASE_ADDRESS_SPACE_IO) != 0;
      int flags =
          config.read(at, 4) & ~(ports ? PCI_BASE_ADDRESS_IO_MASK : PCI_BASE_ADDRESS_MEM_MASK);
      config.set(at, 4, (int) place.busAddress() | flags);
      if (wide) {
        config.set(at + 4, 4, (int) (place.busAddress() >>> 32));
      }
    }
    config.set(PCI_COMMAND, 2, function.command());
    config.set(PCI_INTERRUPT_LINE, 1, function.irq());
  }

  /** What accesses of a BAR need of the command register. */
  static int decoding(Bar bar) {
    return bar.hasPorts() ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
  }

  static void setPowerState(ConfigSpace config, int state) {
    int at = capability(config, PCI_CAP_ID_PM);
    if (at != 0) {
      int control = config.read(at + PCI_PM_CTRL, 2);
      config.set(at + PCI_PM_CTRL, 2, (control & ~PCI_PM_CTRL_STATE_MASK) | state);
    }
  }

  static boolean isPowered(ConfigSpace config) {
    int at = capability(config, PCI_CAP_ID_PM);
    return at == 0 || (config.read(at + PCI_PM_CTRL, 2) & PCI_PM_CTRL_STATE_MASK) < POWER_D3HOT;
  }

  /** Whether the kernel finds a way to reset this one function. */
  static boolean canReset(ConfigSpace config) {
    int express = capability(config, PCI_CAP_ID_EXP);
    return express != 0 && (config.read(express + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR) != 0;
  }
}
