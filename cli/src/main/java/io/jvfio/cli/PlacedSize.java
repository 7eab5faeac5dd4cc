// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.MapOptions;
import io.jvfio.cli.option.AddressText;
import io.jvfio.cli.option.ByteSize;
import java.util.OptionalLong;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * So much memory, and perhaps where, as in {@code 2MiB@0x100000}.
 *
 * @param byteSize in bytes, at least 1
 * @param iova the address wished for; empty for any
 * @param text as the user wrote it
 */
record PlacedSize(long byteSize, OptionalLong iova, String text) {
  private static final long MOST = 1L << 62;

  /** How to map it. */
  MapOptions options() {
    return iova.isPresent() ? MapOptions.at(iova.getAsLong()) : MapOptions.anywhere();
  }

  /** Reads {@code SIZE[@ADDR]}. */
  static final class Converter implements ITypeConverter<PlacedSize> {
    @Override
    public PlacedSize convert(String text) {
      int at = text.indexOf('@');
      long size = ByteSize.parse(at < 0 ? text : text.substring(0, at));
      if (size == 0 || size > MOST) {
        throw new TypeConversionException(
            "'" + text + "' is no size of memory: that is 1 byte at least and 4 EiB at most");
      }
      return new PlacedSize(
          size,
          at < 0
              ? OptionalLong.empty()
              : OptionalLong.of(AddressText.parse(text.substring(at + 1))),
          text);
    }
  }
}
