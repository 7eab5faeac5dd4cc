package io.jvfio.cli;

import io.jvfio.HostProbe;
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
        print(output, probe);
      }
      return everyGroupWorks(probe) ? 0 : 1;
    }
  }

  private static boolean everyGroupWorks(HostProbe probe) {
    return !probe.groups().isEmpty()
        && probe.groups().stream().allMatch(group -> group.negotiation().chosen().isPresent());
  }

  private static void print(Output output, HostProbe probe) {
    if (probe.groups().isEmpty()) {
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
