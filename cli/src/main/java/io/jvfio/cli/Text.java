package io.jvfio.cli;

/** Sentences for people. */
final class Text {
  private static final int WIDTH = 110;
  private static final long[] UNITS = {1L << 40, 1L << 30, 1L << 20, 1L << 10};
  private static final String[] UNIT_NAMES = {"TiB", "GiB", "MiB", "KiB"};

  private Text() {}

  /** Prints {@code text} in lines of at most 110 columns, all moved right by {@code indent}. */
  static void wrapped(Output output, String indent, String text) {
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
  static String bytes(long byteSize) {
    for (int i = 0; i < UNITS.length; i++) {
      if (byteSize >= UNITS[i] && byteSize % UNITS[i] == 0) {
        return byteSize / UNITS[i] + " " + UNIT_NAMES[i];
      }
    }
    return byteSize + " bytes";
  }

  /** A rate, such as {@code 512.3 MiB/s}. */
  static String rate(long byteCount, long nanos) {
    return "%.1f MiB/s".formatted(byteCount / (double) (1 << 20) / (nanos / 1e9));
  }
}
