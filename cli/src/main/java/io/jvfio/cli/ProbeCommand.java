// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.HostProbe;
import io.jvfio.VfioHost;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Text;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio probe}. */
@Command(
    name = "probe",
    description =
        "Negotiate the IOMMU type of each group for real, and say why. Without GROUP: of all groups that have a"
            + " device bound to a VFIO driver. Nothing is left changed.",
    exitCodeListHeading = "Exit status:%n",
    exitCodeList = {
      "0:Without GROUP and --iommu: an IOMMU type works for at least one group. With either: one works for each group"
          + " that was asked about.",
      "1:Without GROUP and --iommu: none works for any group. With either: none works for one of the groups, or a"
          + " group cannot be asked.",
      "2:Wrong usage."
    },
    mixinStandardHelpOptions = true)
final class ProbeCommand implements Callable<Integer> {
  @ParentCommand @Nullable Main main;
  @Mixin PolicyOptions policy = new PolicyOptions();

  @Parameters(paramLabel = "GROUP", description = "Numbers of IOMMU groups.", arity = "0..*")
  List<Integer> groups = List.of();

  @Override
  public Integer call() {
    var command = Objects.requireNonNull(main);
    var output = command.output();
    var iommuPolicy = policy.policy();
    try (var opened = command.openHost()) {
      var probe = opened.host().probe(groups, iommuPolicy);
      if (output.isJson()) {
        output.json(Negotiations.json(opened.host().name(), probe));
      } else {
        print(output, opened.host(), probe);
      }
      return isDone(probe) ? 0 : 1;
    }
  }

  /**
   * Whether the user has got what was asked for. Who asks about a machine has it with one group
   * that works: others may be for the host, or not for any device of interest.
   */
  private boolean isDone(HostProbe probe) {
    boolean isParticular = !groups.isEmpty() || policy.required != null;
    var chosen = probe.groups().stream().map(group -> group.negotiation().chosen().isPresent());
    return isParticular
        ? !probe.groups().isEmpty() && chosen.allMatch(works -> works)
        : chosen.anyMatch(works -> works);
  }

  private static void print(Output output, VfioHost host, HostProbe probe) {
    if (probe.groups().isEmpty()) {
      if (host.groups().isEmpty()) {
        Text.wrapped(output, "", host.whyNoGroups());
        return;
      }
      output.line(
          "No IOMMU group has a device bound to a VFIO driver, so there is nothing to negotiate with.");
      output.line(
          "'jvfio list' shows the devices; bind one to vfio-pci through its driver_override.");
      return;
    }
    for (var group : probe.groups()) {
      Negotiations.print(output, group);
      output.line("");
    }
    output.line(
        probe.common().isEmpty()
            ? "No IOMMU type works for every group."
            : "Works for every group: " + Negotiations.names(probe.common()));
  }
}
