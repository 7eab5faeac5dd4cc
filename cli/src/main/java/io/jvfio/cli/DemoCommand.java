// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.HostDevice;
import io.jvfio.HostProbe;
import io.jvfio.IommuPolicy;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Progress;
import io.jvfio.cli.output.Text;
import io.jvfio.nvme.NvmeController;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio demo}. */
@Command(
    name = "demo",
    description = {
      "Do the main job on an embedded host: negotiate an IOMMU, fall back, map memory, drive an NVMe controller.",
      "Needs no root, no IOMMU and no QEMU. --host chooses another simulated host."
    },
    mixinStandardHelpOptions = true)
final class DemoCommand implements Runnable {
  private static final String HOST = HostOpener.SIMULATED + "pseries-5.10";
  private static final int NVME = 0x010802;
  private static final long BYTE_SIZE = 64 << 20;

  @ParentCommand @Nullable Main main;

  @Override
  public void run() {
    var command = Objects.requireNonNull(main);
    var output = command.output();
    try (var opened = command.openHost(HOST)) {
      var host = opened.host();
      if (host.name().equals(HostOpener.LOCAL)) {
        throw new CommandFailure(
            "the demo overwrites a disk, so it runs on simulated hosts only; on this machine use 'jvfio probe' and"
                + " 'jvfio nvme verify'");
      }
      var address =
          host.devices().stream()
              .filter(device -> device.classCode() == NVME && device.isBoundToVfio())
              .map(HostDevice::address)
              .findFirst()
              .orElseThrow(
                  () ->
                      new CommandFailure(
                          "host " + host.name() + " has no NVMe controller on vfio-pci"));
      var group = host.device(address).group().orElseThrow();
      var probe = host.probe(List.of(group), IommuPolicy.automatic());
      if (!output.isJson()) {
        output.line("Host %s: an NVMe controller at %s.".formatted(host.name(), address));
        output.line("");
        output.line("1. Which IOMMU works? Ask the kernel for each, and try it.");
        Negotiations.print(output, probe.groups().getFirst());
      }
      try (var device = host.open(address);
          var controller = NvmeController.open(device)) {
        run(output, host, probe, device, controller);
      }
    }
  }

  private static void run(
      Output output, VfioHost host, HostProbe probe, VfioDevice device, NvmeController controller) {
    var identity = controller.identify();
    var namespace = controller.namespace(1);
    if (!output.isJson()) {
      output.line("");
      output.line("2. Identify the controller, by DMA through that IOMMU.");
      output.line(
          "  %s, serial %s, firmware %s, %s in blocks of %d"
              .formatted(
                  identity.model(),
                  identity.serial(),
                  identity.firmware(),
                  Text.bytes(namespace.byteSize()),
                  namespace.blockSize()));
      output.line("");
      output.line(
          "3. Write %s of random data, read them back, compare.".formatted(Text.bytes(BYTE_SIZE)));
    }
    long seed = new SplittableRandom().nextLong();
    RoundTrip.Result result;
    try (var progress = new Progress(output, "  verifying", 2 * BYTE_SIZE)) {
      result = new RoundTrip(namespace, 0, BYTE_SIZE, seed).run(device.dmaSpace(), progress::at);
    }
    if (output.isJson()) {
      var document = Negotiations.json(host.name(), probe);
      document.put("device", device.name());
      document.put(
          "controller",
          Json.object(
              "model", identity.model(),
              "serial", identity.serial(),
              "firmware", identity.firmware()));
      document.put("bytesVerified", BYTE_SIZE);
      document.put("seed", seed);
      document.put("writeNanos", result.writeNanos());
      document.put("readNanos", result.readNanos());
      output.json(document);
      return;
    }
    output.line(
        "  written at %s, read back at %s: verified"
            .formatted(
                Text.rate(BYTE_SIZE, result.writeNanos()),
                Text.rate(BYTE_SIZE, result.readNanos())));
    output.line("");
    output.line(
        "On a real machine: 'jvfio list', then 'jvfio probe'. The other simulated hosts: 'jvfio hosts'.");
  }
}
