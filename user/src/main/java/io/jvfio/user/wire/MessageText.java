// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import java.util.HexFormat;

/** Numbers and names of messages, for people. */
public final class MessageText {
  private static final HexFormat HEX = HexFormat.ofDelimiter(" ");
  private static final long[] UNITS = {1L << 60, 1L << 50, 1L << 40, 1L << 30, 1L << 20, 1L << 10};
  private static final String[] UNIT_NAMES = {"EiB", "PiB", "TiB", "GiB", "MiB", "KiB"};

  private MessageText() {}

  /** An unsigned number of bytes, with the largest binary unit that keeps it whole. */
  public static String bytes(long byteSize) {
    for (int i = 0; i < UNITS.length; i++) {
      if (byteSize != 0 && Long.remainderUnsigned(byteSize, UNITS[i]) == 0) {
        return Long.toUnsignedString(Long.divideUnsigned(byteSize, UNITS[i])) + " " + UNIT_NAMES[i];
      }
    }
    return byteSize == 1 ? "1 byte" : Long.toUnsignedString(byteSize) + " bytes";
  }

  /** An unsigned number in hexadecimal. */
  public static String hex(long value) {
    return "0x" + Long.toHexString(value);
  }

  /** Bytes as pairs of digits. */
  public static String dump(byte[] bytes, int from, int to) {
    return HEX.formatHex(bytes, from, to);
  }

  /** What a peer wrote, so that no terminal obeys it. */
  public static String printable(String text) {
    var result = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean isPlain = (c >= ' ' && c < 0x7f) || (c > 0x9f && Character.isDefined(c));
      if (isPlain) {
        result.append(c);
      } else {
        result.append("\\u%04x".formatted((int) c));
      }
    }
    return result.toString();
  }

  /** A time to about three digits. */
  public static String duration(long nanos) {
    if (nanos < 10_000) {
      return "%.1f \u00b5s".formatted(nanos / 1e3);
    }
    return nanos < 10_000_000
        ? nanos / 1000 + " \u00b5s"
        : nanos < 10_000_000_000L ? nanos / 1_000_000 + " ms" : nanos / 1_000_000_000 + " s";
  }
}
