// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A picture before it has a format: shapes in the order in which they are painted, measured in
 * pixels from the upper left corner.
 */
public final class Scene {
  private final String title;
  private final int width;
  private final int height;
  private final List<Shape> shapes = new ArrayList<>();

  /**
   * An empty picture.
   *
   * @param title for those who cannot see it
   */
  public Scene(String title, int width, int height) {
    this.title = title;
    this.width = width;
    this.height = height;
  }

  /**
   * What a thing is painted with; each has a colour on light and one on dark ground.
   *
   * <p>Light is what a PNG has; an SVG has the one that its reader prefers.
   */
  public enum Ink {
    PAPER(0xffffff, 0x0d1117),
    STRONG(0x1f2328, 0xe6edf3),
    SOFT(0x57606a, 0x9aa4af),
    GRID(0xe4e7eb, 0x262c34),
    FINE_GRID(0xf1f3f5, 0x1a2027),
    FRAME(0x8c959f, 0x6e7781),
    FIRST(0x0072b2, 0x56b4e9),
    FIRST_AREA(0xdcecf6, 0x13324a),
    SECOND(0xd55e00, 0xe8873a);

    private final int light;
    private final int dark;

    Ink(int light, int dark) {
      this.light = light;
      this.dark = dark;
    }

    /** Red, green and blue on light ground. */
    int light() {
      return light;
    }

    /** Red, green and blue on dark ground. */
    int dark() {
      return dark;
    }
  }

  /** Which side of its place a text is on. */
  public enum Anchor {
    START,
    MIDDLE,
    END
  }

  /** Something to paint. */
  public sealed interface Shape {}

  /** A filled rectangle. */
  record Box(double x, double y, double width, double height, Ink ink) implements Shape {}

  /** A filled circle with a thin rim of the paper's colour. */
  record Dot(double x, double y, double radius, Ink ink) implements Shape {}

  /** A line through points, or the area within. */
  public record Path(List<Point> points, double width, Ink ink, boolean isArea) implements Shape {
    public Path {
      points = List.copyOf(points);
    }
  }

  /** A place. */
  public record Point(double x, double y) {}

  /** A line of text, whose base line is at {@code y}. */
  public record Words(
      String text, double x, double y, double size, Anchor anchor, boolean bold, Ink ink)
      implements Shape {}

  void box(double x, double y, double boxWidth, double boxHeight, Ink ink) {
    shapes.add(new Box(x, y, boxWidth, boxHeight, ink));
  }

  public void dot(double x, double y, double radius, Ink ink) {
    shapes.add(new Dot(x, y, radius, ink));
  }

  public void line(double lineWidth, Ink ink, Point... points) {
    line(lineWidth, ink, Arrays.asList(points));
  }

  public void line(double lineWidth, Ink ink, List<Point> points) {
    shapes.add(new Path(points, lineWidth, ink, false));
  }

  public void area(Ink ink, List<Point> points) {
    shapes.add(new Path(points, 0, ink, true));
  }

  public void words(String text, double x, double y, double size, Anchor anchor, Ink ink) {
    shapes.add(new Words(text, x, y, size, anchor, false, ink));
  }

  public void boldWords(String text, double x, double y, double size, Anchor anchor, Ink ink) {
    shapes.add(new Words(text, x, y, size, anchor, true, ink));
  }

  String title() {
    return title;
  }

  public int width() {
    return width;
  }

  public int height() {
    return height;
  }

  public List<Shape> shapes() {
    return List.copyOf(shapes);
  }
}
