// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.StandardOutput;
import io.jvfio.user.tools.UserRecording;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio user print}. */
@Command(
    name = "print",
    description = "Print the messages of a recording, as the tap did.",
    mixinStandardHelpOptions = true)
final class PrintCommand implements Runnable {
  @ParentCommand @Nullable UserCommand user;
  @Mixin MessageOptions messages = new MessageOptions();

  @Parameters(
      paramLabel = "FILE",
      description =
          "What 'tap --record' or 'record' has written; - for standard input, such as that of"
              + " 'record -'.")
  @Nullable Path file;

  @Override
  public void run() {
    var main = Objects.requireNonNull(user).main();
    var output = main.output();
    var path = Objects.requireNonNull(file);
    boolean isPiped = StandardOutput.isMeantBy(path);
    var name = isPiped ? "standard input" : path.toString();
    try (var recording =
        isPiped ? UserRecording.read(name, main.input()) : UserRecording.open(path)) {
      var cut =
          recording.replayTo(
              messages.printer(output, recording.order()), MessagePrinter.MOST_BYTES);
      if (cut.isPresent()) {
        output
            .err()
            .println(
                "jvfio: the last record of %s, at byte %d, is not whole and left out"
                    .formatted(name, cut.getAsLong()));
      }
    } catch (IOException e) {
      throw new CommandFailure("the recording cannot be read", e);
    }
  }
}
