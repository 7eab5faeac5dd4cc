// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.Output;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/**
 * {@code jvfio user}: tools for those who have two sides of vfio-user and a socket between them.
 */
@Command(
    name = "user",
    description =
        "Look at vfio-user sockets: what goes over them, and whether a server keeps to it.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      TapCommand.class,
      RecordCommand.class,
      PrintCommand.class,
      ReplayCommand.class,
      ConformCommand.class
    })
final class UserCommand implements Runnable {
  @ParentCommand @Nullable Main main;
  @Spec @Nullable CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        Objects.requireNonNull(spec).commandLine(),
        "a command is missing: tap, record, print, replay or conform");
  }

  /** Where results go. */
  Output output() {
    return main().output();
  }

  /** The command that this is a part of. */
  Main main() {
    return Objects.requireNonNull(main);
  }
}
