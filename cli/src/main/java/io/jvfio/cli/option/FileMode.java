// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads the permissions of a file as {@code chmod} takes them: three octal digits. */
public final class FileMode implements ITypeConverter<Integer> {
  private static final Pattern FORM = Pattern.compile("0?([0-7]{3})");

  @Override
  public Integer convert(String text) {
    var matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new TypeConversionException("'" + text + "' are no permissions such as 0600 or 660");
    }
    return Integer.parseInt(matcher.group(1), 8);
  }
}
