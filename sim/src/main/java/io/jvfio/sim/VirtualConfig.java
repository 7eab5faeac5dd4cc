package io.jvfio.sim;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.ResetReason;

/**
 * A device's configuration space as its user sees it: BARs and some bits are the kernel's own copy,
 * some cannot be written, and some writes do something. Source: {@code
 * drivers/vfio/pci/vfio_pci_config.c}.
 */
final class VirtualConfig {
  private final HostDevice device;
  private final VfioPci pci;
  private final ConfigSpace config;
  private final int[] bars = new int[6];
  private final int[] barMasks = new int[6];
  private final int[] barFlags = new int[6];
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
      barMasks[index] = (int) mask & (bar.hasPorts() ? ~3 : ~0xf);
      barFlags[index] =
          (bar.hasPorts() ? PciConfig.BAR_HAS_PORTS : 0)
              | (wide ? PciConfig.BAR_IS_64_BIT : 0)
              | (bar.prefetchable() ? PciConfig.BAR_IS_PREFETCHABLE : 0);
      if (wide) {
        barMasks[index + 1] = (int) (mask >>> 32);
      }
    }
    for (int i = 0; i < bars.length; i++) {
      bars[i] = config.read(PciConfig.BAR0 + 4 * i, 4) & barMasks[i];
    }
    msi = PciConfig.capability(config, PciConfig.CAPABILITY_MSI);
    msix = PciConfig.capability(config, PciConfig.CAPABILITY_MSIX);
    express = PciConfig.capability(config, PciConfig.CAPABILITY_EXPRESS);
    power = PciConfig.capability(config, PciConfig.CAPABILITY_POWER);
    interruptLine = config.read(PciConfig.INTERRUPT_LINE, 1);
    memoryOn = (config.read(PciConfig.COMMAND, 2) & PciConfig.COMMAND_MEMORY) != 0;
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
    if (offset >= PciConfig.BAR0 && offset < PciConfig.BAR0 + 24) {
      int bar = (offset - PciConfig.BAR0) / 4;
      return (bars[bar] | barFlags[bar]) >>> (8 * (offset & 3)) & 0xff;
    }
    if (offset >= PciConfig.ROM_BAR && offset < PciConfig.ROM_BAR + 4) {
      return 0;
    }
    int value = device.gone ? remembered(offset) : config.read(offset, 1);
    return switch (offset) {
      case PciConfig.COMMAND + 1 -> intxOff ? value | 4 : value & ~4;
      case PciConfig.INTERRUPT_LINE -> interruptLine;
      default -> value;
    };
  }

  /** What the kernel has of a device that does not answer: its copy of what it shows virtually. */
  private int remembered(int offset) {
    return switch (offset) {
      case PciConfig.VENDOR,
          PciConfig.VENDOR + 1,
          PciConfig.DEVICE,
          PciConfig.DEVICE + 1,
          PciConfig.CAPABILITIES,
          PciConfig.INTERRUPT_PIN ->
          config.read(offset, 1);
      default -> 0xff;
    };
  }

  void write(int offset, int width, int value) {
    for (int i = 0; i < width; i++) {
      writeByte(offset + i, value >>> (8 * i) & 0xff);
    }
    if (express != 0 && !device.gone) {
      resetIfAsked(offset, width, value);
    }
  }

  private void writeByte(int offset, int value) {
    if (offset >= PciConfig.BAR0 && offset < PciConfig.BAR0 + 24) {
      int bar = (offset - PciConfig.BAR0) / 4;
      int shift = 8 * (offset & 3);
      bars[bar] = ((bars[bar] & ~(0xff << shift)) | value << shift) & barMasks[bar];
    } else if (offset == PciConfig.COMMAND) {
      int kept = PciConfig.COMMAND_IO | PciConfig.COMMAND_MEMORY | PciConfig.COMMAND_MASTER;
      int hardware = config.read(offset, 1);
      config.set(offset, 1, (hardware & ~kept) | (value & kept));
      memoryOn = (value & PciConfig.COMMAND_MEMORY) != 0;
    } else if (offset == PciConfig.COMMAND + 1) {
      int off = PciConfig.COMMAND_INTX_OFF >> 8;
      intxOff = (value & off) != 0;
      pci.interrupts().setLineOff(intxOff);
      config.write(offset, 1, value & ~off);
    } else if (offset == PciConfig.INTERRUPT_LINE) {
      interruptLine = value;
    } else if (device.gone) {
      return; // lost on the way
    } else if (msi != 0 && offset == msi + PciConfig.MSI_CONTROL) {
      config.write(offset, 1, pci.interrupts().usesMsi() ? value : value & ~PciConfig.MSI_ENABLE);
    } else if (power != 0 && offset == power + PciConfig.POWER_CONTROL) {
      PciConfig.setPowerState(config, value & PciConfig.POWER_STATE);
    } else if (offset >= PciConfig.HEADER_END
        && !isInside(offset, msix, PciConfig.MSIX_CAPABILITY_SIZE)
        && !isInside(offset, power, 8)
        && !isInside(offset, express, PciConfig.EXPRESS_DEVICE_CONTROL)) {
      config.write(offset, 1, value);
    }
  }

  private static boolean isInside(int offset, int capability, int byteSize) {
    return capability != 0 && offset >= capability && offset < capability + byteSize;
  }

  /** The reset bit of PCI Express reads as 0, before and after. */
  private void resetIfAsked(int offset, int width, int value) {
    int control = express + PciConfig.EXPRESS_DEVICE_CONTROL;
    boolean written = offset <= control + 1 && offset + width > control + 1;
    if (written && (value >>> (8 * (control + 1 - offset)) & PciConfig.EXPRESS_RESET >> 8) != 0) {
      config.set(control + 1, 1, config.read(control + 1, 1) & ~(PciConfig.EXPRESS_RESET >> 8));
      if (canReset(config)) {
        pci.reset(ResetReason.FUNCTION_LEVEL_RESET);
      }
    }
  }

  /** Whether the kernel finds a way to reset this one function. */
  static boolean canReset(ConfigSpace config) {
    int express = PciConfig.capability(config, PciConfig.CAPABILITY_EXPRESS);
    return express != 0
        && (config.read(express + PciConfig.EXPRESS_DEVICE_CAPABILITIES, 4)
                & PciConfig.EXPRESS_CAN_RESET)
            != 0;
  }
}
