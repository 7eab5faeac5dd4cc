// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import java.util.regex.Pattern;
import picocli.CommandLine.TypeConversionException;

/** IO virtual addresses on the command line: 64 bits without a sign. */
public final class AddressText {
  private static final Pattern HEXADECIMAL = Pattern.compile("0[xX]([0-9a-fA-F]{1,16})");
  private static final Pattern DECIMAL = Pattern.compile("[0-9]{1,20}");

  private AddressText() {}

  /**
   * Reads an address.
   *
   * @throws TypeConversionException if it is none, or does not fit 64 bits
   */
  public static long parse(String text) {
    var hexadecimal = HEXADECIMAL.matcher(text);
    if (hexadecimal.matches()) {
      return Long.parseUnsignedLong(hexadecimal.group(1), 16);
    }
    if (DECIMAL.matcher(text).matches()) {
      try {
        return Long.parseUnsignedLong(text);
      } catch (NumberFormatException e) {
        throw new TypeConversionException("'" + text + "' is more than 64 bits can hold");
      }
    }
    throw new TypeConversionException(
        "'" + text + "' is no address such as 0xfee00000 or 4276092928");
  }

  /** As every command prints addresses. */
  public static String of(long address) {
    return "0x%x".formatted(address);
  }

  /** The first and the last address of a range. */
  public static String range(long start, long last) {
    return of(start) + ".." + of(last);
  }
}
