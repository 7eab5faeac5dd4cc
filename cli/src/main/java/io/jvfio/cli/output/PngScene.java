// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import io.jvfio.cli.output.Scene.Ink;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.GraphicsEnvironment;
import java.awt.RenderingHints;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Set;
import javax.imageio.ImageIO;

/**
 * A scene as a PNG image, on light ground, with two pixels for each of the scene. Needs the module
 * {@code java.desktop} and a font; no display.
 */
public final class PngScene {
  private static final int SCALE = 2;

  /** The first of these that is installed; all have a true bold. */
  private static final String[] FONTS = {
    "Segoe UI", "Helvetica Neue", "DejaVu Sans", "Liberation Sans", "Noto Sans", "Arial"
  };

  private final Graphics2D to;
  private final String font;

  private PngScene(Graphics2D to) {
    this.to = to;
    var installed =
        Set.of(GraphicsEnvironment.getLocalGraphicsEnvironment().getAvailableFontFamilyNames());
    font = Arrays.stream(FONTS).filter(installed::contains).findFirst().orElse(Font.SANS_SERIF);
  }

  /** The image, encoded. */
  static byte[] of(Scene scene) {
    System.setProperty("java.awt.headless", "true");
    var image =
        new BufferedImage(
            scene.width() * SCALE, scene.height() * SCALE, BufferedImage.TYPE_INT_RGB);
    var to = image.createGraphics();
    try {
      to.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
      to.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      to.setRenderingHint(
          RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
      to.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
      to.scale(SCALE, SCALE);
      to.setColor(color(Ink.PAPER));
      to.fill(new Rectangle2D.Double(0, 0, scene.width(), scene.height()));
      var painter = new PngScene(to);
      scene.shapes().forEach(painter::draw);
    } finally {
      to.dispose();
    }
    var encoded = new ByteArrayOutputStream();
    try {
      if (!ImageIO.write(image, "png", encoded)) {
        throw new IllegalStateException("this Java runtime writes no PNG");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return encoded.toByteArray();
  }

  private static Color color(Ink ink) {
    return new Color(ink.light());
  }

  private void draw(Scene.Shape shape) {
    switch (shape) {
      case Scene.Box box -> {
        to.setColor(color(box.ink()));
        to.fill(new Rectangle2D.Double(box.x(), box.y(), box.width(), box.height()));
      }
      case Scene.Dot dot -> {
        circle(dot, dot.radius() + 1.5, Ink.PAPER);
        circle(dot, dot.radius(), dot.ink());
      }
      case Scene.Path path -> {
        to.setColor(color(path.ink()));
        if (path.isArea()) {
          var area = outline(path);
          area.closePath();
          to.fill(area);
        } else {
          to.setStroke(
              new BasicStroke((float) path.width(), BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
          to.draw(outline(path));
        }
      }
      case Scene.Words words -> {
        to.setColor(color(words.ink()));
        to.setFont(
            new Font(font, words.bold() ? Font.BOLD : Font.PLAIN, 1)
                .deriveFont((float) words.size()));
        double length =
            to.getFont().getStringBounds(words.text(), to.getFontRenderContext()).getWidth();
        double start =
            switch (words.anchor()) {
              case START -> words.x();
              case MIDDLE -> words.x() - length / 2;
              case END -> words.x() - length;
            };
        to.drawString(words.text(), (float) start, (float) words.y());
      }
    }
  }

  private void circle(Scene.Dot dot, double radius, Ink ink) {
    to.setColor(color(ink));
    to.fill(new Ellipse2D.Double(dot.x() - radius, dot.y() - radius, 2 * radius, 2 * radius));
  }

  private static Path2D.Double outline(Scene.Path path) {
    var outline = new Path2D.Double();
    for (var point : path.points()) {
      if (outline.getCurrentPoint() == null) {
        outline.moveTo(point.x(), point.y());
      } else {
        outline.lineTo(point.x(), point.y());
      }
    }
    return outline;
  }
}
