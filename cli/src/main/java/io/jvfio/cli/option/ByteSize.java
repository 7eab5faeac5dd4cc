// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import java.util.Map;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Reads sizes such as {@code 4096}, {@code 0x1000}, {@code 64MiB} or {@code 1g}; all units are
 * binary.
 */
public final class ByteSize implements ITypeConverter<Long> {
  private static final Pattern FORM =
      Pattern.compile("([0-9]{1,18})\\s*([kKmMgGtT]?)(?:[iI]?[bB])?");
  private static final Pattern HEXADECIMAL = Pattern.compile("0[xX]([0-9a-fA-F]{1,16})");
  private static final Map<String, Integer> SHIFTS =
      Map.of("", 0, "k", 10, "m", 20, "g", 30, "t", 40);

  @Override
  public Long convert(String text) {
    return parse(text);
  }

  /**
   * Reads a size in bytes.
   *
   * @throws TypeConversionException if it is none, or is more than a signed 64-bit number
   */
  public static long parse(String text) {
    var hexadecimal = HEXADECIMAL.matcher(text);
    if (hexadecimal.matches()) {
      long size = Long.parseUnsignedLong(hexadecimal.group(1), 16);
      if (size < 0) {
        throw tooLarge(text);
      }
      return size;
    }
    var matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new TypeConversionException("'" + text + "' is no size such as 4096, 64MiB or 1GiB");
    }
    long number = Long.parseLong(matcher.group(1));
    int shift = SHIFTS.getOrDefault(matcher.group(2).toLowerCase(java.util.Locale.ROOT), 0);
    if (number > Long.MAX_VALUE >> shift) {
      throw tooLarge(text);
    }
    return number << shift;
  }

  private static TypeConversionException tooLarge(String text) {
    return new TypeConversionException("'" + text + "' is more than 8 EiB");
  }
}
