package io.jvfio.sim;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;

/**
 * Where things are in configuration space. Source: PCI Local Bus Specification 3.0, chapter 6; PCI
 * Express Base Specification, chapter 7; PCI Power Management 1.2.
 */
final class PciConfig {
  static final int VENDOR = 0;
  static final int DEVICE = 2;
  static final int COMMAND = 4;
  static final int COMMAND_IO = 1;
  static final int COMMAND_MEMORY = 2;
  static final int COMMAND_MASTER = 4;
  static final int COMMAND_INTX_OFF = 1 << 10;
  static final int STATUS = 6;
  static final int STATUS_INTX = 1 << 3;
  static final int STATUS_CAPABILITIES = 1 << 4;
  static final int REVISION = 8;
  static final int CLASS = 9;
  static final int BAR0 = 0x10;
  static final int BAR_HAS_PORTS = 1;
  static final int BAR_IS_64_BIT = 4;
  static final int BAR_IS_PREFETCHABLE = 8;
  static final int SUBSYSTEM_VENDOR = 0x2c;
  static final int SUBSYSTEM_DEVICE = 0x2e;
  static final int ROM_BAR = 0x30;
  static final int CAPABILITIES = 0x34;
  static final int INTERRUPT_LINE = 0x3c;
  static final int INTERRUPT_PIN = 0x3d;
  static final int HEADER_END = 0x40;

  static final int CAPABILITY_POWER = 1;
  static final int CAPABILITY_MSI = 5;
  static final int CAPABILITY_EXPRESS = 0x10;
  static final int CAPABILITY_MSIX = 0x11;

  /** In the power management capability: control and status, with the power state. */
  static final int POWER_CONTROL = 4;

  static final int POWER_STATE = 3;
  static final int POWER_D3HOT = 3;

  /** In the PCI Express capability. */
  static final int EXPRESS_DEVICE_CAPABILITIES = 4;

  static final int EXPRESS_DEVICE_CONTROL = 8;
  static final int EXPRESS_CAN_RESET = 1 << 28;
  static final int EXPRESS_RESET = 1 << 15;

  /** In the MSI capability. */
  static final int MSI_CONTROL = 2;

  static final int MSI_ENABLE = 1;

  /** In the MSI-X capability. */
  static final int MSIX_CONTROL = 2;

  static final int MSIX_SIZE = 0x7ff;
  static final int MSIX_ENABLE = 1 << 15;
  static final int MSIX_TABLE = 4;
  static final int MSIX_CAPABILITY_SIZE = 12;
  static final int MSIX_ENTRY_SIZE = 16;

  private PciConfig() {}

  /** Where a capability starts, or 0. */
  static int capability(ConfigSpace config, int id) {
    if ((config.read(STATUS, 2) & STATUS_CAPABILITIES) == 0) {
      return 0;
    }
    int at = config.read(CAPABILITIES, 1) & ~3;
    for (int hops = 0; at >= HEADER_END && hops < 48; hops++) {
      if (config.read(at, 1) == id) {
        return at;
      }
      at = config.read(at + 1, 1) & ~3;
    }
    return 0;
  }

  /** What firmware and the host's kernel have written: BARs, command, interrupt line. */
  static void place(ConfigSpace config, HostDescription.Function function) {
    for (var place : function.bars()) {
      int at = BAR0 + 4 * place.bar();
      boolean wide = (config.read(at, 4) & 7) == BAR_IS_64_BIT;
      boolean ports = (config.read(at, 4) & BAR_HAS_PORTS) != 0;
      int flags = config.read(at, 4) & (ports ? 3 : 0xf);
      config.set(at, 4, (int) place.busAddress() | flags);
      if (wide) {
        config.set(at + 4, 4, (int) (place.busAddress() >>> 32));
      }
    }
    config.set(COMMAND, 2, function.command());
    config.set(INTERRUPT_LINE, 1, function.irq());
  }

  /** What accesses of a BAR need of the command register. */
  static int decoding(Bar bar) {
    return bar.hasPorts() ? COMMAND_IO : COMMAND_MEMORY;
  }

  static void setPowerState(ConfigSpace config, int state) {
    int at = capability(config, CAPABILITY_POWER);
    if (at != 0) {
      int control = config.read(at + POWER_CONTROL, 2);
      config.set(at + POWER_CONTROL, 2, (control & ~POWER_STATE) | state);
    }
  }

  static boolean isPowered(ConfigSpace config) {
    int at = capability(config, CAPABILITY_POWER);
    return at == 0 || (config.read(at + POWER_CONTROL, 2) & POWER_STATE) < POWER_D3HOT;
  }
}
