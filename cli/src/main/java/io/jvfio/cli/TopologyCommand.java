// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.IommuGroup;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Table;
import io.jvfio.cli.output.Text;
import io.jvfio.ops.Topology;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio topology}. */
@Command(
    name = "topology",
    description =
        "Draw the tree of PCI devices: bridges and what is below them, drivers, IOMMU groups, and"
            + " whether each group can be opened.",
    mixinStandardHelpOptions = true)
final class TopologyCommand implements Runnable {
  private static final int BRIDGE = 0x06;

  @ParentCommand @Nullable Main main;

  @Mixin PictureOption picture = new PictureOption();

  @Override
  public void run() {
    var command = Objects.requireNonNull(main);
    var output = command.output();
    picture.check(output);
    try (var opened = command.openHost()) {
      var topology = Topology.of(opened.host());
      output = picture.draw(output, () -> TopologyPicture.of(topology));
      if (output.isJson()) {
        output.json(
            Json.object(
                "host",
                topology.host(),
                "roots",
                topology.roots().stream().map(TopologyCommand::json).toList()));
        return;
      }
      print(output, topology);
      if (opened.host().groups().isEmpty() && !topology.roots().isEmpty()) {
        output.line("");
        Text.wrapped(output, "", opened.host().whyNoGroups());
      }
    }
  }

  private static Map<String, Object> json(Topology.Root root) {
    return Json.object(
        "bus", root.bus(), "devices", root.devices().stream().map(TopologyCommand::json).toList());
  }

  private static Map<String, Object> json(Topology.Node node) {
    var device = node.device();
    return Json.object(
        "address", device.address().toString(),
        "class", "0x%06x".formatted(device.classCode()),
        "vendor", "0x%04x".formatted(device.vendor()),
        "device", "0x%04x".formatted(device.device()),
        "driver", device.driver(),
        "group", node.group().map(group -> OptionalInt.of(group.id())).orElse(OptionalInt.empty()),
        "viable", node.group().filter(IommuGroup::isViable).isPresent(),
        "below", node.below().stream().map(TopologyCommand::json).toList());
  }

  private static void print(Output output, Topology topology) {
    if (topology.roots().isEmpty()) {
      output.line("This host has no PCI devices.");
      return;
    }
    var table = new Table("", "DEVICE", "ID", "CLASS", "DRIVER", "GROUP", "STATE");
    for (var root : topology.roots()) {
      table.row(root.bus(), "", "", "", "", "");
      rows(table, root.devices(), "");
    }
    output.table(table);
  }

  private static void rows(Table table, List<Topology.Node> nodes, String before) {
    for (int i = 0; i < nodes.size(); i++) {
      boolean isLast = i == nodes.size() - 1;
      var node = nodes.get(i);
      var device = node.device();
      table.row(
          before + (isLast ? "\u2514\u2500 " : "\u251c\u2500 ") + device.address(),
          "%04x:%04x".formatted(device.vendor(), device.device()),
          PciClass.name(device.classCode()),
          device.driver().orElse("-"),
          node.group().map(group -> Integer.toString(group.id())).orElse("-"),
          state(node));
      rows(table, node.below(), before + (isLast ? "   " : "\u2502  "));
    }
  }

  /** A few words on what can be done with a device; none for a part of the machine itself. */
  static String state(Topology.Node node) {
    var device = node.device();
    boolean isBridge = device.classCode() >>> 16 == BRIDGE;
    if (node.group().isEmpty()) {
      return isBridge ? "" : "no group";
    }
    var group = node.group().get();
    if (group.noIommu()) {
      return "no IOMMU, unsafe";
    }
    if (!group.isViable()) {
      return device.blocksGroup() ? "blocks its group" : "blocked";
    }
    return device.isBoundToVfio() ? "can be opened" : isBridge ? "" : "can be bound";
  }
}
