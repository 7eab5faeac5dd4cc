// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.PciRegs;
import java.util.ArrayList;
import java.util.List;

/**
 * The settings in a device's configuration space that a reset of its bus loses, to be written back.
 * Interrupts are not among them: the kernel makes their registers from what is in use.
 */
final class SavedConfig {
  private record Register(int offset, int width, int value) {}

  private final List<Register> registers = new ArrayList<>();

  /**
   * Reads the settings.
   *
   * @throws VfioException if configuration space cannot be read
   */
  SavedConfig(PciConfigSpace config) {
    add(config, PciRegs.PCI_CACHE_LINE_SIZE, 1);
    add(config, PciRegs.PCI_LATENCY_TIMER, 1);
    add(config, PciRegs.PCI_INTERRUPT_LINE, 1);
    for (var capability : PciCapability.of(config)) {
      int offset = capability.offset();
      switch (capability) {
        case PciCapability.PciExpress express -> {
          add(config, offset + PciRegs.PCI_EXP_DEVCTL, 2);
          add(config, offset + PciRegs.PCI_EXP_LNKCTL, 2);
          if (express.version() >= 2 && offset + 0x3c <= PciRegs.PCI_CFG_SPACE_SIZE) {
            add(config, offset + PciRegs.PCI_EXP_DEVCTL2, 2);
            add(config, offset + PciRegs.PCI_EXP_LNKCTL2, 2);
          }
        }
        case PciCapability.LatencyTolerance _ ->
            add(config, offset + PciRegs.PCI_LTR_MAX_SNOOP_LAT, 4); // and no-snoop
        case PciCapability.AdvancedErrorReporting _ -> {
          // The log itself is not written.
          add(config, offset + PciRegs.PCI_ERR_UNCOR_MASK, 4);
          add(config, offset + PciRegs.PCI_ERR_UNCOR_SEVER, 4);
          add(config, offset + PciRegs.PCI_ERR_COR_MASK, 4);
        }
        default -> {}
      }
    }
    // Last: with memory on in it, the kernel writes the BARs back that the reset has cleared.
    add(config, PciRegs.PCI_COMMAND, 2);
  }

  private void add(PciConfigSpace config, int offset, int width) {
    int value =
        switch (width) {
          case 1 -> config.read8(offset);
          case 2 -> config.read16(offset);
          default -> config.read32(offset);
        };
    registers.add(new Register(offset, width, value));
  }

  void restore(PciConfigSpace config) {
    for (var register : registers) {
      switch (register.width) {
        case 1 -> config.write8(register.offset, register.value);
        case 2 -> config.write16(register.offset, register.value);
        default -> config.write32(register.offset, register.value);
      }
    }
  }
}
