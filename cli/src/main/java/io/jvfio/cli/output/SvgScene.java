// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import io.jvfio.cli.output.Scene.Ink;
import io.jvfio.cli.output.Scene.Point;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** A scene as an SVG document, light or dark as its reader prefers. */
public final class SvgScene {
  private final Scene scene;
  private final Svg svg = new Svg();

  private SvgScene(Scene scene) {
    this.scene = scene;
  }

  /** The document. */
  static String of(Scene scene) {
    return new SvgScene(scene).draw();
  }

  private String draw() {
    svg.open(
        "svg",
        "xmlns",
        "http://www.w3.org/2000/svg",
        "width",
        scene.width(),
        "height",
        scene.height(),
        "viewBox",
        "0 0 %d %d".formatted(scene.width(), scene.height()),
        "role",
        "img");
    svg.text("title", scene.title());
    svg.text("style", style());
    svg.empty("rect", "class", name(Ink.PAPER), "width", scene.width(), "height", scene.height());
    scene.shapes().forEach(this::draw);
    return svg.close().toString();
  }

  private static String style() {
    var style = new StringBuilder();
    style.append(
        "text { font-family: 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif; }\n");
    style.append("path { stroke-linejoin: round; stroke-linecap: round; }\n");
    for (var ink : Ink.values()) {
      style.append(rules(ink, ink.light()));
    }
    style.append("@media (prefers-color-scheme: dark) {\n");
    for (var ink : Ink.values()) {
      style.append("  ").append(rules(ink, ink.dark()));
    }
    return style.append("}\n").toString();
  }

  private static String rules(Ink ink, int color) {
    return ".%s { fill: #%06x; } .line-%s { stroke: #%06x; fill: none; }%n"
        .formatted(name(ink), color, name(ink), color);
  }

  private static String name(Ink ink) {
    return ink.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private void draw(Scene.Shape shape) {
    switch (shape) {
      case Scene.Box box ->
          svg.empty(
              "rect",
              "class",
              name(box.ink()),
              "x",
              box.x(),
              "y",
              box.y(),
              "width",
              box.width(),
              "height",
              box.height());
      case Scene.Dot dot -> {
        svg.empty(
            "circle",
            "class",
            name(Ink.PAPER),
            "cx",
            dot.x(),
            "cy",
            dot.y(),
            "r",
            dot.radius() + 1.5);
        svg.empty(
            "circle", "class", name(dot.ink()), "cx", dot.x(), "cy", dot.y(), "r", dot.radius());
      }
      case Scene.Path path when path.isArea() ->
          svg.empty("path", "class", name(path.ink()), "d", data(path.points()) + " Z");
      case Scene.Path path ->
          svg.empty(
              "path",
              "class",
              "line-" + name(path.ink()),
              "stroke-width",
              path.width(),
              "d",
              data(path.points()));
      case Scene.Words words ->
          svg.text(
              "text",
              words.text(),
              "class",
              name(words.ink()),
              "x",
              words.x(),
              "y",
              words.y(),
              "font-size",
              words.size(),
              "font-weight",
              words.bold() ? "600" : "400",
              "text-anchor",
              words.anchor().name().toLowerCase(Locale.ROOT));
    }
  }

  private static String data(List<Point> points) {
    return points.stream()
        .map(point -> String.format(Locale.ROOT, "%.2f %.2f", point.x(), point.y()))
        .collect(Collectors.joining(" L", "M", ""));
  }
}
