package io.jvfio.cli;

import io.jvfio.PciAddress;
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
      description = "A PCI address.",
      converter = AddressConverter.class)
  @Nullable PciAddress address;

  @Override
  public void run() {
    var command = Objects.requireNonNull(main);
    var output = command.output();
    var iommuPolicy = policy.policy();
    try (var opened = command.openHost()) {
      var host = opened.host();
      var known = host.device(Objects.requireNonNull(address));
      try (var device = host.open(known.address(), iommuPolicy)) {
        var report = DeviceReport.of(known, device);
        if (output.isJson()) {
          output.json(DeviceJson.of(host.name(), report));
        } else {
          new DeviceText(output, report).print();
        }
      }
    }
  }
}
