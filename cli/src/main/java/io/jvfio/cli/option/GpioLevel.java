// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import io.jvfio.model.gpio.GpioModel;
import java.util.Optional;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The level of a line, as {@code 3=1}. */
public record GpioLevel(int line, boolean value) {
  private static final Pattern FORM = Pattern.compile("\\s*([0-9]{1,2})\\s*=\\s*([01])\\s*");

  /** Reads one, if {@code text} is one. */
  public static Optional<GpioLevel> parse(String text) {
    var matcher = FORM.matcher(text);
    if (!matcher.matches() || Integer.parseInt(matcher.group(1)) >= GpioModel.LINES) {
      return Optional.empty();
    }
    return Optional.of(
        new GpioLevel(Integer.parseInt(matcher.group(1)), matcher.group(2).equals("1")));
  }

  @Override
  public String toString() {
    return line + "=" + (value ? 1 : 0);
  }

  /** For the command line. */
  public static final class Converter implements ITypeConverter<GpioLevel> {
    @Override
    public GpioLevel convert(String text) {
      return parse(text)
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "'" + text + "' is no level such as 3=1; lines are 0 to 15"));
    }
  }
}
