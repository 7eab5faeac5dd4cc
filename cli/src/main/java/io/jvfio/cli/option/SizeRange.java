// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import io.jvfio.cli.output.Text;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * One size, or all from one to another.
 *
 * @param smallest in bytes, at least 1
 * @param largest in bytes, a multiple of the smallest
 */
public record SizeRange(long smallest, long largest) {

  /** Whether it is more than one size. */
  boolean isRange() {
    return largest > smallest;
  }

  /** Such as {@code 4 KiB} or {@code 512 bytes to 1 MiB}. */
  @Override
  public String toString() {
    return isRange() ? Text.bytes(smallest) + " to " + Text.bytes(largest) : Text.bytes(smallest);
  }

  /** Reads {@code 4k} or {@code 512-1M}. */
  public static final class Converter implements ITypeConverter<SizeRange> {
    @Override
    public SizeRange convert(String text) {
      int dash = text.indexOf('-');
      long smallest = ByteSize.parse(dash < 0 ? text : text.substring(0, dash));
      long largest = dash < 0 ? smallest : ByteSize.parse(text.substring(dash + 1));
      if (smallest == 0 || largest < smallest || largest % smallest != 0) {
        throw new TypeConversionException(
            "'%s' is no range of sizes such as 512-1M, of which the second is a multiple of the first"
                .formatted(text));
      }
      return new SizeRange(smallest, largest);
    }
  }
}
