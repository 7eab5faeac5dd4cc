// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import java.time.Duration;
import java.util.Map;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads times such as {@code 10}, {@code 10s}, {@code 1.5s}, {@code 200ms}, {@code 5m}. */
public final class TimeSpan implements ITypeConverter<Duration> {
  private static final Pattern FORM =
      Pattern.compile("([0-9]{1,9}(?:\\.[0-9]{1,9})?)\\s*(us|ms|s|m|h|)");
  private static final Map<String, Double> NANOS =
      Map.of("us", 1e3, "ms", 1e6, "", 1e9, "s", 1e9, "m", 60e9, "h", 3600e9);
  private static final Duration LONGEST = Duration.ofDays(365);

  @Override
  public Duration convert(String text) {
    var matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new TypeConversionException("'" + text + "' is no time such as 10s, 200ms or 5m");
    }
    double unit = NANOS.getOrDefault(matcher.group(2), 1e9);
    double nanos = Double.parseDouble(matcher.group(1)) * unit;
    if (nanos > LONGEST.toNanos()) {
      throw new TypeConversionException("'" + text + "' is more than a year");
    }
    return Duration.ofNanos((long) nanos);
  }
}
