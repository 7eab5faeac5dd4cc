// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import io.jvfio.linux.uapi.PciRegs;
import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.ResetReason;
import io.jvfio.sim.setup.HostDescription;

/**
 * A device's configuration space as its user sees it: BARs and some bits are the kernel's own copy,
 * some cannot be written, and some writes do something. Source: {@code
 * drivers/vfio/pci/vfio_pci_config.c}.
 */
final class VirtualConfig {
  private static final int BARS_END =
      PciRegs.PCI_BASE_ADDRESS_0 + Integer.BYTES * PciRegs.PCI_STD_NUM_BARS;

  /** The bit in the command register's upper byte that turns the line off. */
  private static final int LINE_OFF = PciRegs.PCI_COMMAND_INTX_DISABLE >> 8;

  private final HostDevice device;
  private final VfioPci pci;
  private final ConfigSpace config;
  private final int[] bars = new int[PciRegs.PCI_STD_NUM_BARS];
  private final int[] barMasks = new int[PciRegs.PCI_STD_NUM_BARS];
  private final int[] barFlags = new int[PciRegs.PCI_STD_NUM_BARS];
  private final int msi;
  private final int msix;
  private final int express;
  private final int power;
  private boolean memoryOn;
  private boolean intxOff;
  private int interruptLine;

  VirtualConfig(VfioPci pci, HostDevice device) {
    this.pci = pci;
    this.device = device;
    var function = device.description();
    var model = pci.model();
    this.config = model.config();
    for (var bar : model.bars()) {
      int index = bar.index();
      long mask = -bar.byteSize();
      boolean wide = isWide(bar, function);
      barMasks[index] =
          (int) mask
              & (bar.hasPorts()
                  ? PciRegs.PCI_BASE_ADDRESS_IO_MASK
                  : PciRegs.PCI_BASE_ADDRESS_MEM_MASK);
      barFlags[index] =
          (bar.hasPorts() ? PciRegs.PCI_BASE_ADDRESS_SPACE_IO : 0)
              | (wide ? PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64 : 0)
              | (bar.prefetchable() ? PciRegs.PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
      if (wide) {
        barMasks[index + 1] = (int) (mask >>> 32);
      }
    }
    for (int i = 0; i < bars.length; i++) {
      bars[i] = config.read(PciRegs.PCI_BASE_ADDRESS_0 + 4 * i, 4) & barMasks[i];
    }
    msi = PciConfig.capability(config, PciRegs.PCI_CAP_ID_MSI);
    msix = PciConfig.capability(config, PciRegs.PCI_CAP_ID_MSIX);
    express = PciConfig.capability(config, PciRegs.PCI_CAP_ID_EXP);
    power = PciConfig.capability(config, PciRegs.PCI_CAP_ID_PM);
    interruptLine = config.read(PciRegs.PCI_INTERRUPT_LINE, 1);
    memoryOn = (config.read(PciRegs.PCI_COMMAND, 2) & PciRegs.PCI_COMMAND_MEMORY) != 0;
  }

  /** The kernel's own idea of a BAR counts here, and on POWER that comes from the device tree. */
  private static boolean isWide(Bar bar, HostDescription.Function function) {
    for (var place : function.bars()) {
      if (place.bar() == bar.index()) {
        return bar.is64Bit() && place.isWide();
      }
    }
    return bar.is64Bit();
  }

  int byteSize() {
    return config.byteSize();
  }

  /**
   * Whether accesses of its memory are let through to the device, by what its user has written last
   * to the command register.
   */
  boolean memoryEnabled() {
    return PciConfig.isPowered(config) && memoryOn;
  }

  int read(int offset, int width) {
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= readByte(offset + i) << (8 * i);
    }
    return value;
  }

  private int readByte(int offset) {
    if (offset >= PciRegs.PCI_BASE_ADDRESS_0 && offset < BARS_END) {
      int bar = (offset - PciRegs.PCI_BASE_ADDRESS_0) / 4;
      return (bars[bar] | barFlags[bar]) >>> (8 * (offset & 3)) & 0xff;
    }
    if (offset >= PciRegs.PCI_ROM_ADDRESS && offset < PciRegs.PCI_ROM_ADDRESS + 4) {
      return 0;
    }
    int value = device.isGone() ? remembered(offset) : config.read(offset, 1);
    return switch (offset) {
      case PciRegs.PCI_COMMAND + 1 -> intxOff ? value | LINE_OFF : value & ~LINE_OFF;
      case PciRegs.PCI_INTERRUPT_LINE -> interruptLine;
      default -> value;
    };
  }

  /** What the kernel has of a device that does not answer: its copy of what it shows virtually. */
  private int remembered(int offset) {
    return switch (offset) {
      case PciRegs.PCI_VENDOR_ID,
          PciRegs.PCI_VENDOR_ID + 1,
          PciRegs.PCI_DEVICE_ID,
          PciRegs.PCI_DEVICE_ID + 1,
          PciRegs.PCI_CAPABILITY_LIST,
          PciRegs.PCI_INTERRUPT_PIN ->
          config.read(offset, 1);
      default -> 0xff;
    };
  }

  void write(int offset, int width, int value) {
    for (int i = 0; i < width; i++) {
      writeByte(offset + i, value >>> (8 * i) & 0xff);
    }
    if (express != 0 && !device.isGone()) {
      resetIfAsked(offset, width, value);
    }
  }

  private void writeByte(int offset, int value) {
    if (offset >= PciRegs.PCI_BASE_ADDRESS_0 && offset < BARS_END) {
      int bar = (offset - PciRegs.PCI_BASE_ADDRESS_0) / 4;
      int shift = 8 * (offset & 3);
      bars[bar] = ((bars[bar] & ~(0xff << shift)) | value << shift) & barMasks[bar];
    } else if (offset == PciRegs.PCI_COMMAND) {
      int kept = PciRegs.PCI_COMMAND_IO | PciRegs.PCI_COMMAND_MEMORY | PciRegs.PCI_COMMAND_MASTER;
      int hardware = config.read(offset, 1);
      config.set(offset, 1, (hardware & ~kept) | (value & kept));
      memoryOn = (value & PciRegs.PCI_COMMAND_MEMORY) != 0;
    } else if (offset == PciRegs.PCI_COMMAND + 1) {
      intxOff = (value & LINE_OFF) != 0;
      pci.interrupts().setLineOff(intxOff);
      config.write(offset, 1, value & ~LINE_OFF);
    } else if (offset == PciRegs.PCI_INTERRUPT_LINE) {
      interruptLine = value;
    } else if (device.isGone()) {
      return; // lost on the way
    } else if (msi != 0 && offset == msi + PciRegs.PCI_MSI_FLAGS) {
      config.write(
          offset, 1, pci.interrupts().usesMsi() ? value : value & ~PciRegs.PCI_MSI_FLAGS_ENABLE);
    } else if (power != 0 && offset == power + PciRegs.PCI_PM_CTRL) {
      PciConfig.setPowerState(config, value & PciRegs.PCI_PM_CTRL_STATE_MASK);
    } else if (offset >= PciRegs.PCI_STD_HEADER_SIZEOF
        && !isInside(offset, msix, PciRegs.PCI_CAP_MSIX_SIZEOF)
        && !isInside(offset, power, PciRegs.PCI_PM_SIZEOF)
        && !isInside(offset, express, PciRegs.PCI_EXP_DEVCTL)) {
      config.write(offset, 1, value);
    }
  }

  private static boolean isInside(int offset, int capability, int byteSize) {
    return capability != 0 && offset >= capability && offset < capability + byteSize;
  }

  /** The reset bit of PCI Express reads as 0, before and after. */
  private void resetIfAsked(int offset, int width, int value) {
    int control = express + PciRegs.PCI_EXP_DEVCTL;
    boolean written = offset <= control + 1 && offset + width > control + 1;
    if (written
        && (value >>> (8 * (control + 1 - offset)) & PciRegs.PCI_EXP_DEVCTL_BCR_FLR >> 8) != 0) {
      config.set(
          control + 1, 1, config.read(control + 1, 1) & ~(PciRegs.PCI_EXP_DEVCTL_BCR_FLR >> 8));
      if (PciConfig.canReset(config)) {
        pci.reset(ResetReason.FUNCTION_LEVEL_RESET);
      }
    }
  }
}
