// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.user.VfioUserOptions;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio show}. */
@Command(
    name = "show",
    description =
        "Open a device and show all that can be known of it: IOMMU, resets, regions, interrupts, capabilities.",
    mixinStandardHelpOptions = true)
final class ShowCommand implements Runnable {
  @ParentCommand @Nullable Main main;
  @Mixin PolicyOptions policy = new PolicyOptions();

  @Parameters(
      paramLabel = "DEVICE",
      description = DeviceName.DESCRIPTION,
      converter = DeviceName.Converter.class)
  @Nullable DeviceName name;

  @Override
  public void run() {
    var command = Objects.requireNonNull(main);
    var output = command.output();
    try (var opened =
        command.openDevice(Objects.requireNonNull(name), policy, VfioUserOptions.defaults())) {
      var report = DeviceReport.of(opened.known(), opened.device());
      if (output.isJson()) {
        output.json(DeviceJson.of(opened.host(), report));
      } else {
        new DeviceText(output, report).print();
      }
    }
  }
}
