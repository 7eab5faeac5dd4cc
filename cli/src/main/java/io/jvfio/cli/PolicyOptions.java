// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;
import picocli.CommandLine.TypeConversionException;

/** The options that choose IOMMU types. */
final class PolicyOptions {
  @Spec(Target.MIXEE)
  @Nullable CommandSpec command;

  @Option(
      names = "--iommu",
      paramLabel = "TYPE",
      description = "Take this IOMMU type and no other.",
      converter = TypeConverter.class)
  @Nullable IommuType required;

  @Option(
      names = "--prefer",
      paramLabel = "TYPE",
      split = ",",
      description = "Try these IOMMU types first, in this order.",
      converter = TypeConverter.class)
  List<IommuType> preferred = List.of();

  @Option(
      names = "--forbid",
      paramLabel = "TYPE",
      split = ",",
      description = "Never try these IOMMU types.",
      converter = TypeConverter.class)
  List<IommuType> forbidden = List.of();

  IommuPolicy policy() {
    var commandLine = Objects.requireNonNull(command).commandLine();
    if (required != null && !preferred.isEmpty()) {
      throw new ParameterException(
          commandLine, "--iommu takes one type and no other, so --prefer has no meaning beside it");
    }
    try {
      return new IommuPolicy(
          Optional.ofNullable(required), preferred, new LinkedHashSet<>(forbidden));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(commandLine, e.getMessage(), e);
    }
  }

  /** Refuses the options for a device that has no IOMMU of a host's. */
  void requireNone(String device) {
    if (required != null || !preferred.isEmpty() || !forbidden.isEmpty()) {
      throw new ParameterException(
          Objects.requireNonNull(command).commandLine(),
          "--iommu, --prefer and --forbid choose among the IOMMUs of a host, which %s has none of"
              .formatted(device));
    }
  }

  /** Reads an IOMMU type by its name. */
  static final class TypeConverter implements ITypeConverter<IommuType> {
    @Override
    public IommuType convert(String text) {
      try {
        return IommuType.of(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
