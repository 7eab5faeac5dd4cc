// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.Svg;
import io.jvfio.cli.output.Text;
import io.jvfio.ops.Topology;
import java.util.List;

/**
 * A host's PCI devices as an SVG picture: a row for each, moved right below its bridge, with a line
 * from the bridge, and a bar at the right for its group. Bars of a group have one colour for what
 * can be done with it, and its number, so that nobody needs the colour.
 *
 * <p>It has colours for a light and for a dark page.
 */
final class TopologyPicture {
  private static final int WIDTH = 960;
  private static final int MARGIN = 28;
  private static final int TITLE = 64;
  private static final int ROW = 30;
  private static final int BOX = 22;
  private static final int STEP = 26;
  private static final int GROUP = 700;
  private static final int SIZE = 12;

  /** More than a wide font takes for a character on average. */
  private static final double CHARACTER = 0.62 * SIZE;

  private static final String STYLE =
      """
      svg { color-scheme: light dark; font-family: sans-serif; font-size: 12px; }
      .page { fill: #ffffff; } .ink { fill: #1f2328; } .faint { fill: #59636e; }
      .line { stroke: #818b98; fill: none; shape-rendering: crispEdges; } .box { fill: #f0f3f6; stroke: #818b98; }
      .ready { fill: #dafbe1; stroke: #1a7f37; } .free { fill: #ddf4ff; stroke: #0969da; }
      .blocked { fill: #ffebe9; stroke: #cf222e; } .unsafe { fill: #fff8c5; stroke: #9a6700; }
      @media (prefers-color-scheme: dark) {
        .page { fill: #0d1117; } .ink { fill: #e6edf3; } .faint { fill: #9198a1; }
        .line { stroke: #656c76; } .box { fill: #151b23; stroke: #656c76; }
        .ready { fill: #12261e; stroke: #3fb950; } .free { fill: #121d2f; stroke: #4493f8; }
        .blocked { fill: #25171c; stroke: #f85149; } .unsafe { fill: #272115; stroke: #d29922; }
      }
      """;

  private final Svg svg = new Svg();
  private int row;

  private TopologyPicture() {}

  /** The picture of a host. */
  static String of(Topology topology) {
    return new TopologyPicture().draw(topology);
  }

  private String draw(Topology topology) {
    int rows = topology.roots().stream().mapToInt(root -> 1 + count(root.devices())).sum();
    int height = TITLE + rows * ROW + MARGIN;
    svg.open(
        "svg",
        "xmlns",
        "http://www.w3.org/2000/svg",
        "width",
        WIDTH,
        "height",
        height,
        "viewBox",
        "0 0 " + WIDTH + " " + height,
        "role",
        "img",
        "aria-label",
        "PCI devices of " + topology.host());
    svg.text("style", STYLE);
    svg.empty("rect", "class", "page", "width", WIDTH, "height", height);
    svg.text(
        "text",
        "PCI devices of " + topology.host(),
        "class",
        "ink",
        "x",
        MARGIN,
        "y",
        36,
        "font-size",
        20);
    for (var root : topology.roots()) {
      int y = next();
      label(root.bus(), "ink", MARGIN, y);
      nodes(root.devices(), MARGIN + 8, y + BOX / 2);
    }
    svg.close();
    return svg.toString();
  }

  private static int count(List<Topology.Node> nodes) {
    return nodes.stream().mapToInt(node -> 1 + count(node.below())).sum();
  }

  /** The middle of the next row. */
  private int next() {
    return TITLE + ROW * row++ + ROW / 2;
  }

  /**
   * Draws devices below each other, with lines from what they are below.
   *
   * @param x where the line comes down
   * @param from where it begins
   */
  private void nodes(List<Topology.Node> nodes, int x, int from) {
    for (var node : nodes) {
      int y = next();
      int left = x + STEP - 8;
      svg.empty("path", "class", "line", "d", "M%d %d V%d H%d".formatted(x, from, y, left));
      box(node, left, y);
      nodes(node.below(), left + 12, y + BOX / 2);
    }
  }

  private void box(Topology.Node node, int left, int y) {
    var device = node.device();
    svg.empty(
        "rect",
        "class",
        "box",
        "x",
        left,
        "y",
        y - BOX / 2,
        "width",
        Math.max(STEP, GROUP - STEP - left),
        "height",
        BOX,
        "rx",
        4);
    var text =
        "%s  %s  %s  %s"
            .formatted(
                device.address(),
                PciVendor.label(device.vendor()),
                PciClass.name(device.classCode()),
                device.driver().map(driver -> "(" + driver + ")").orElse("(no driver)"));
    int characters = (int) ((GROUP - STEP - left - 16) / CHARACTER);
    label(Text.broken(text, Math.max(12, characters)).getFirst(), "ink", left + 8, y);
    var group = node.group();
    if (group.isEmpty()) {
      label(TopologyCommand.state(node), "faint", GROUP + 8, y);
      return;
    }
    svg.empty(
        "rect",
        "class",
        colour(node),
        "x",
        GROUP,
        "y",
        y - BOX / 2,
        "width",
        WIDTH - MARGIN - GROUP,
        "height",
        BOX,
        "rx",
        4);
    var state = TopologyCommand.state(node);
    label("group " + group.get().id() + (state.isEmpty() ? "" : ": " + state), "ink", GROUP + 8, y);
  }

  private static String colour(Topology.Node node) {
    var group = node.group().orElseThrow();
    if (group.noIommu()) {
      return "unsafe";
    }
    return group.isViable() ? group.isBoundToVfio() ? "ready" : "free" : "blocked";
  }

  private void label(String text, String colour, int x, int y) {
    svg.text("text", text, "class", colour, "x", x, "y", y + SIZE / 3);
  }
}
