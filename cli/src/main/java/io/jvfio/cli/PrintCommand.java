package io.jvfio.cli;

import io.jvfio.user.UserRecording;
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

  @Parameters(paramLabel = "FILE", description = "What 'tap --record' or 'record' has written.")
  @Nullable Path file;

  @Override
  public void run() {
    var output = Objects.requireNonNull(user).output();
    try (var recording = UserRecording.open(Objects.requireNonNull(file))) {
      boolean isWhole = recording.replayTo(messages.printer(output, recording.order()));
      if (!isWhole) {
        output.err().println("jvfio: the last record of " + file + " is not whole and left out");
      }
    } catch (IOException e) {
      throw new CommandFailure("the recording cannot be read", e);
    }
  }
}
