// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.option.AddressText;
import io.jvfio.cli.option.ByteSize;
import java.util.OptionalLong;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Addresses that a user asks about, as in {@code 0xfee00000+4K}.
 *
 * @param iova the first address
 * @param byteSize how many there are, at least 1; empty if the user did not say
 */
record AskedRange(long iova, OptionalLong byteSize) {

  /** Reads {@code ADDR[+SIZE]}. */
  static final class Converter implements ITypeConverter<AskedRange> {
    @Override
    public AskedRange convert(String text) {
      int plus = text.indexOf('+');
      if (plus < 0) {
        return new AskedRange(AddressText.parse(text), OptionalLong.empty());
      }
      long size = ByteSize.parse(text.substring(plus + 1));
      if (size == 0) {
        throw new TypeConversionException("'" + text + "' asks about no byte at all");
      }
      return new AskedRange(AddressText.parse(text.substring(0, plus)), OptionalLong.of(size));
    }
  }
}
