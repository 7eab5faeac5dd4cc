// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import java.util.ArrayList;
import java.util.List;

/** Sentences for people. */
public final class Text {
  private static final int WIDTH = 110;
  private static final long[] UNITS = {1L << 40, 1L << 30, 1L << 20, 1L << 10};
  private static final String[] UNIT_NAMES = {"TiB", "GiB", "MiB", "KiB"};

  private static final String[] SPAN_UNITS = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

  private static final String[] DECIMAL_UNITS = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
  private static final String[] LATENCY_UNITS = {"ns", "\u00b5s", "ms", "s"};

  private Text() {}

  /** Prints {@code text} in lines of at most 110 columns, all moved right by {@code indent}. */
  public static void wrapped(Output output, String indent, String text) {
    for (var paragraph : text.lines().toList()) {
      var line = new StringBuilder(indent);
      for (var word : paragraph.strip().split(" ", -1)) {
        if (line.length() + word.length() > WIDTH && line.length() > indent.length()) {
          output.line(line.toString().stripTrailing());
          line.setLength(0);
          line.append(indent).append("  ");
        }
        line.append(word).append(' ');
      }
      output.line(line.toString().stripTrailing());
    }
  }

  /** A size with the largest binary unit that keeps it whole, such as {@code 64 MiB}. */
  public static String bytes(long byteSize) {
    for (int i = 0; i < UNITS.length; i++) {
      if (byteSize >= UNITS[i] && byteSize % UNITS[i] == 0) {
        return byteSize / UNITS[i] + " " + UNIT_NAMES[i];
      }
    }
    return byteSize + " bytes";
  }

  /**
   * The length of a range of addresses to about three digits, such as {@code 3.98 GiB}.
   *
   * @param start the first address
   * @param last the last address, compared as an unsigned number
   */
  public static String span(long start, long last) {
    return span(unsigned(last - start) + 1);
  }

  /** A number of bytes to about three digits, in binary units. */
  public static String span(double size) {
    return scaled(size, 1024, SPAN_UNITS);
  }

  /** A number of bytes to about three digits, in the units that makers of disks use. */
  public static String decimalSpan(double size) {
    return scaled(size, 1000, DECIMAL_UNITS);
  }

  private static String scaled(double number, int factor, String[] units) {
    double value = number;
    int unit = 0;
    while (rounded(value) >= factor && unit < units.length - 1) {
      value /= factor;
      unit++;
    }
    double rounded = rounded(value);
    return (rounded == Math.rint(rounded) ? "%.0f" : rounded >= 10 ? "%.1f" : "%.2f")
            .formatted(rounded)
        + " "
        + units[unit];
  }

  private static double rounded(double value) {
    double step = value >= 100 ? 1 : value >= 10 ? 10 : 100;
    return Math.rint(value * step) / step;
  }

  /** An unsigned number, as near as a double comes. */
  public static double unsigned(long number) {
    return (number >>> 1) * 2.0 + (number & 1);
  }

  /**
   * The lines of {@code text} when it is broken at spaces, or else anywhere, to fit a width.
   *
   * @param width the most characters of a line
   */
  public static List<String> broken(String text, int width) {
    var lines = new ArrayList<String>();
    for (var paragraph : text.lines().toList()) {
      var rest = paragraph.strip();
      while (rest.length() > width) {
        int space = rest.lastIndexOf(' ', width);
        int end = space > 0 ? space : width;
        lines.add(rest.substring(0, end).stripTrailing());
        rest = rest.substring(end).strip();
      }
      lines.add(rest);
    }
    return lines;
  }

  /** A rate, such as {@code 512.3 MiB/s}. */
  public static String rate(long byteCount, long nanos) {
    return "%.1f MiB/s".formatted(byteCount / (double) (1 << 20) / (nanos / 1e9));
  }

  /** A latency to about three digits, such as {@code 12.3 µs}. */
  public static String latency(double nanos) {
    return scaled(nanos, 1000, LATENCY_UNITS);
  }

  /** A latency as the clock told it. */
  public static String latency(long nanos) {
    return latency((double) nanos);
  }

  /** A time in seconds to two digits, such as {@code 10.00 s}. */
  public static String seconds(long nanos) {
    return "%.2f s".formatted(nanos / 1e9);
  }
}
