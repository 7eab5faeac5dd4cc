// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.Output;
import io.jvfio.user.wire.Command;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How messages are printed. */
final class MessageOptions {
  private static final String PREFIX = "VFIO_USER_";

  @Spec(Spec.Target.MIXEE)
  @Nullable CommandSpec spec;

  @Option(
      names = "--hex",
      description = "Print data whole, up to 1 MiB of a message, not only their first 16 bytes.")
  boolean hex;

  @Option(
      names = "--only",
      paramLabel = "COMMAND",
      split = ",",
      description =
          "Print these commands and their replies only, such as REGION_READ,REGION_WRITE.")
  List<String> only = List.of();

  MessagePrinter printer(Output output, ByteOrder order) {
    return new MessagePrinter(output, order, hex, commands());
  }

  private Set<String> commands() {
    var known = Arrays.stream(Command.values()).map(Command::name).collect(Collectors.toSet());
    var commands = new HashSet<String>();
    for (var name : only) {
      var upper = name.toUpperCase(Locale.ROOT);
      var command = upper.startsWith(PREFIX) ? upper.substring(PREFIX.length()) : upper;
      if (!known.contains(command)) {
        throw new ParameterException(
            Objects.requireNonNull(spec).commandLine(),
            "--only: '%s' is no command; there are %s"
                .formatted(
                    name,
                    Arrays.stream(Command.values())
                        .map(Command::name)
                        .collect(Collectors.joining(", "))));
      }
      commands.add(command);
    }
    return commands;
  }
}
