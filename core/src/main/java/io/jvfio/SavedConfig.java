package io.jvfio;

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
    add(config, PciHeader.CACHE_LINE_SIZE, 1);
    add(config, PciHeader.LATENCY_TIMER, 1);
    add(config, PciHeader.INTERRUPT_LINE, 1);
    for (var capability : PciCapability.of(config)) {
      int offset = capability.offset();
      switch (capability) {
        case PciCapability.PciExpress express -> {
          add(config, offset + 0x08, 2); // device control
          add(config, offset + 0x10, 2); // link control
          if (express.version() >= 2 && offset + 0x3c <= CapabilityList.FIRST_EXTENDED) {
            add(config, offset + 0x28, 2); // device control 2
            add(config, offset + 0x30, 2); // link control 2
          }
        }
        case PciCapability.LatencyTolerance _ -> add(config, offset + 4, 4);
        case PciCapability.AdvancedErrorReporting _ -> {
          add(config, offset + 0x08, 4); // masks and severity; the log itself is not written
          add(config, offset + 0x0c, 4);
          add(config, offset + 0x14, 4);
        }
        default -> {}
      }
    }
    // Last: with memory on in it, the kernel writes the BARs back that the reset has cleared.
    add(config, PciHeader.COMMAND, 2);
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
