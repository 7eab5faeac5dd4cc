// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Which blocks {@code nvme bench} takes, and what it does to them. */
public enum BenchPattern {
  READ(false, false),
  WRITE(true, false),
  RANDREAD(false, true),
  RANDWRITE(true, true);

  private final boolean writes;
  private final boolean random;

  BenchPattern(boolean writes, boolean random) {
    this.writes = writes;
    this.random = random;
  }

  /** Whether it destroys what the blocks hold. */
  public boolean writes() {
    return writes;
  }

  /** Whether the blocks come in random order, rather than one after the other. */
  boolean isRandom() {
    return random;
  }

  /** The name on the command line. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Reads a pattern by its name. */
  public static final class Converter implements ITypeConverter<BenchPattern> {
    @Override
    public BenchPattern convert(String text) {
      return Arrays.stream(values())
          .filter(pattern -> pattern.id().equals(text))
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "'%s' is no pattern; there are %s"
                          .formatted(
                              text,
                              Arrays.stream(values())
                                  .map(BenchPattern::id)
                                  .collect(Collectors.joining(", ")))));
    }
  }
}
