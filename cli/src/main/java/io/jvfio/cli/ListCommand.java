// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Table;
import io.jvfio.cli.output.Text;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code jvfio list}. */
record ListCommand(Main command) implements Runnable {
  /** The command as picocli sees it. */
  static CommandSpec spec(Main command) {
    var spec =
        Main.withHelp(CommandSpec.wrapWithoutInspection(new ListCommand(command))).name("list");
    spec.usageMessage()
        .description(
            "List PCI devices: driver, IOMMU group, whether the group can be opened, and who blocks it.");
    return spec;
  }

  @Override
  public void run() {
    var output = command.output();
    try (var opened = command.openHost()) {
      var host = opened.host();
      var groups =
          host.groups().stream().collect(Collectors.toMap(IommuGroup::id, Function.identity()));
      var devices = host.devices();
      if (output.isJson()) {
        output.json(
            Json.object(
                "host",
                host.name(),
                "devices",
                devices.stream().map(device -> describe(device, groups)).toList()));
      } else {
        print(output, devices, groups);
        if (groups.isEmpty() && !devices.isEmpty()) {
          output.line("");
          Text.wrapped(output, "", host.whyNoGroups());
        }
      }
    }
  }

  private static Map<String, Object> describe(HostDevice device, Map<Integer, IommuGroup> groups) {
    var group = groupOf(device, groups);
    return Json.object(
        "address", device.address().toString(),
        "class", "0x%06x".formatted(device.classCode()),
        "vendor", "0x%04x".formatted(device.vendor()),
        "device", "0x%04x".formatted(device.device()),
        "driver", device.driver(),
        "group", device.group(),
        "viable", group != null && group.isViable(),
        "blockedBy",
            blockers(group).stream()
                .map(
                    blocker ->
                        Json.object(
                            "address", blocker.address().toString(), "driver", blocker.driver()))
                .toList());
  }

  private static void print(
      Output output, List<HostDevice> devices, Map<Integer, IommuGroup> groups) {
    if (devices.isEmpty()) {
      output.line("This host has no PCI devices.");
      return;
    }
    var table = new Table("", "ADDRESS", "ID", "CLASS", "DRIVER", "GROUP", "VIABLE", "BLOCKED BY");
    for (var device : devices) {
      var group = groupOf(device, groups);
      table.row(
          device.address().toString(),
          "%04x:%04x".formatted(device.vendor(), device.device()),
          PciClass.name(device.classCode()),
          device.driver().orElse("-"),
          group == null ? "-" : Integer.toString(group.id()),
          group == null ? "-" : group.isViable() ? "yes" : "no",
          blockers(group).stream()
              .map(blocker -> blocker.address() + " (" + blocker.driver().orElse("-") + ")")
              .collect(Collectors.joining(", ")));
    }
    output.table(table);
  }

  private static @Nullable IommuGroup groupOf(HostDevice device, Map<Integer, IommuGroup> groups) {
    return device.group().isPresent() ? groups.get(device.group().getAsInt()) : null;
  }

  private static List<HostDevice> blockers(@Nullable IommuGroup group) {
    return group == null ? List.of() : group.blockers();
  }
}
