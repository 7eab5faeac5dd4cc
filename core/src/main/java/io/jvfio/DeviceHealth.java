// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.DeviceAnswers;
import io.jvfio.linux.uapi.PciRegs;
import io.jvfio.spi.Explanation;
import java.util.Optional;

/**
 * Why a device does not answer, or answers ones: the one place that looks. Source: {@code
 * drivers/vfio/pci/vfio_pci_config.c}, {@code __vfio_pci_memory_enabled}.
 */
final class DeviceHealth {
  private static final int D3HOT = 3;

  private final PciConfigSpace config;
  private final Optional<EehEndpoint> endpoint;
  private final DeviceAnswers answers;

  DeviceHealth(PciConfigSpace config, Optional<EehEndpoint> endpoint, DeviceAnswers answers) {
    this.config = config;
    this.endpoint = endpoint;
    this.answers = answers;
  }

  /**
   * Whether the device answers. The vendor id, which is usually asked, does not tell here: VFIO
   * answers it from a copy. Class and revision come from the device, and none has all ones there.
   */
  static boolean answers(PciConfigSpace config) {
    try {
      return config.read32(PciRegs.PCI_CLASS_REVISION) != -1;
    } catch (VfioException e) {
      return false;
    }
  }

  /** After an access that failed. */
  Explanation whyNoAnswer() {
    if (!answers(config)) {
      return answers.gone();
    }
    try {
      boolean asleep =
          PciCapability.of(config).stream()
              .anyMatch(
                  each ->
                      each instanceof PciCapability.PowerManagement power
                          && power.powerState() == D3HOT);
      if (asleep) {
        return new Explanation(
            "The device did not answer: it is asleep (D3hot).",
            "Wake it by its Power Management capability, or by a reset, before its registers are used.");
      }
      if ((config.read16(PciRegs.PCI_COMMAND) & PciRegs.PCI_COMMAND_MEMORY) == 0) {
        return new Explanation(
            "The device did not answer: it decodes no memory (COMMAND bit 1 is off).",
            "Turn it on with enableBusMaster(), or in configuration space.");
      }
    } catch (VfioException e) {
      return answers.gone();
    }
    return answers.noAnswer();
  }

  /**
   * After a register of 32 or 64 bits that read as all ones: fails where that is known not to be
   * its value.
   */
  void check(String subject) {
    var why = whyOnes();
    if (why.isPresent()) {
      throw new VfioException(
          "register access", subject, null, why.get().meaning(), why.get().nextStep());
    }
  }

  private Optional<Explanation> whyOnes() {
    if (!answers(config)) {
      return Optional.of(answers.gone());
    }
    return endpoint
        .filter(EehEndpoint::isStopped)
        .map(
            _ ->
                new Explanation(
                    "The register reads as ones, since EEH has cut the device off after an error.",
                    "Recover it with EehEndpoint.recover(), then open its driver again."));
  }
}
