// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.model.edu.EduModel;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code jvfio serve edu}. */
@Command(
    name = "edu",
    description = "Serve QEMU's educational device, 1234:11e8.",
    mixinStandardHelpOptions = true)
final class ServeEdu extends ServeCommand.Served<EduModel> {
  @Option(
      names = "--dma-bits",
      paramLabel = "N",
      description = "How many bits the device's memory addresses have; 28 by default.")
  int dmaBits = EduModel.DMA_BITS;

  @Override
  EduModel model() {
    try {
      return new EduModel(dmaBits);
    } catch (IllegalArgumentException e) {
      throw wrong("--dma-bits: " + e.getMessage());
    }
  }

  @Override
  String describe(EduModel model) {
    return "an EDU device with addresses of " + dmaBits + " bits";
  }
}
