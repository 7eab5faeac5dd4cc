// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;

/** Writes XML element by element; whatever text comes in, what comes out is well-formed. */
public final class Svg {
  private static final int REPLACEMENT = 0xfffd;

  private final StringBuilder out =
      new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
  private final Deque<String> open = new ArrayDeque<>();

  /**
   * Begins an element.
   *
   * @param attributes a name, its value, the next name, and so on
   */
  public Svg open(String element, Object... attributes) {
    tag(element, attributes).append(">\n");
    open.push(element);
    return this;
  }

  /** Ends the element begun last. */
  public Svg close() {
    indent(open.size() - 1).append("</").append(open.pop()).append(">\n");
    return this;
  }

  /** An element with nothing in it. */
  public Svg empty(String element, Object... attributes) {
    tag(element, attributes).append("/>\n");
    return this;
  }

  /** An element with text in it. */
  public Svg text(String element, String text, Object... attributes) {
    tag(element, attributes).append('>').append(escaped(text));
    out.append("</").append(element).append(">\n");
    return this;
  }

  private StringBuilder tag(String element, Object... attributes) {
    indent(open.size()).append('<').append(element);
    for (int i = 0; i < attributes.length; i += 2) {
      out.append(' ').append(attributes[i]).append("=\"").append(value(attributes[i + 1]));
      out.append('"');
    }
    return out;
  }

  private StringBuilder indent(int depth) {
    return out.append("  ".repeat(depth));
  }

  private static String value(Object value) {
    return switch (value) {
      case Double number when number != Math.rint(number) ->
          String.format(Locale.ROOT, "%.2f", number);
      case Double number -> Long.toString(number.longValue());
      default -> escaped(value.toString());
    };
  }

  /** Text without what means something in XML, and without what XML cannot hold. */
  private static String escaped(String text) {
    var escaped = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            point -> {
              switch (point) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                default -> escaped.appendCodePoint(isAllowed(point) ? point : REPLACEMENT);
              }
            });
    return escaped.toString();
  }

  /** Production 2 of XML 1.0. */
  private static boolean isAllowed(int point) {
    return point == '\t'
        || point == '\n'
        || (point >= ' ' && point < Character.MIN_SURROGATE)
        || (point > Character.MAX_SURROGATE && point <= REPLACEMENT)
        || Character.isSupplementaryCodePoint(point);
  }

  /** The document. */
  @Override
  public String toString() {
    if (!open.isEmpty()) {
      throw new IllegalStateException("not closed: " + open);
    }
    return out.toString();
  }
}
