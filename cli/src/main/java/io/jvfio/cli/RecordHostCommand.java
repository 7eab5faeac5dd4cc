// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.StandardOutput;
import io.jvfio.cli.output.Text;
import io.jvfio.sim.RecordedHost;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio record-host}. */
@Command(
    name = "record-host",
    description = {
      "Record a host into a file, which '--host file:FILE' and tests open as a simulated host that answers as it did."
          + " Nothing is left changed.",
      "Without root it is what sysfs tells everybody. Where groups may be opened, negotiation's answers are added."
          + " Serial numbers, host names and addresses of networks are left out."
    },
    exitCodeListHeading = "Exit status:%n",
    exitCodeList = {
      "0:The file is written; what could not be seen is told, and is in the file.",
      "1:The host cannot be read, or the file not written.",
      "2:Wrong usage."
    },
    mixinStandardHelpOptions = true)
final class RecordHostCommand implements Runnable {
  @ParentCommand @Nullable Main main;

  @Parameters(
      paramLabel = "FILE",
      description = "The file to write, which must not be there; - is standard output.")
  @Nullable Path file;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description = "What the host is called in the file; ${DEFAULT-VALUE} by default.")
  String name = "recorded";

  @Override
  public void run() {
    var command = Objects.requireNonNull(main);
    var target = Objects.requireNonNull(file);
    var output = command.output();
    RecordedHost recorded;
    try (var opened = command.openHost()) {
      recorded = RecordedHost.record(opened.kernel(), name);
    } catch (IllegalArgumentException e) {
      throw new CommandFailure("the host has what a recording cannot hold: " + e.getMessage());
    }
    if (StandardOutput.isMeantBy(target)) {
      output.out().print(recorded.text());
      tell(output.amongMessages(), recorded);
      return;
    }
    try {
      Files.writeString(
          target, recorded.text(), StandardCharsets.UTF_8, StandardOpenOption.CREATE_NEW);
    } catch (FileAlreadyExistsException e) {
      throw new CommandFailure(target + " is there already: remove it, or take another name");
    } catch (IOException e) {
      throw new CommandFailure("writing " + target + " failed", e);
    }
    if (output.isJson()) {
      output.json(Json.object("file", target.toString(), "notSeen", recorded.notSeen()));
      return;
    }
    tell(output, recorded);
    output.line("Written: " + target + ". Look at it: 'jvfio --host file:" + target + " list'.");
  }

  private static void tell(Output output, RecordedHost recorded) {
    recorded.notSeen().forEach(sentence -> Text.wrapped(output, "", sentence));
  }
}
