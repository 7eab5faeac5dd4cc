// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.option.SocketPath;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.StandardOutput;
import io.jvfio.cli.output.Table;
import io.jvfio.user.tools.ReplayDifference;
import io.jvfio.user.tools.ReplayReport;
import io.jvfio.user.tools.UserRecording;
import io.jvfio.user.tools.UserReplay;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code jvfio user replay}. */
@Command(
    name = "replay",
    description = {
      "Play one side of a recording, and tell where the other side does not do what was recorded.",
      "The client's side is played to a server, or with --as-server the server's side to clients."
          + " Descriptors are made anew: memory of the recorded size with nothing in it, and"
          + " eventfds. Exit status 1 if there are differences."
    },
    mixinStandardHelpOptions = true)
final class ReplayCommand implements Callable<Integer> {
  private static final int DIFFERENT = 1;
  private static final int WIDTH = 48;

  @ParentCommand @Nullable UserCommand user;
  @Spec @Nullable CommandSpec spec;

  @Parameters(
      paramLabel = "FILE",
      index = "0",
      description = "What 'tap --record' or 'record' has written.")
  @Nullable Path file;

  @Parameters(
      paramLabel = "SOCKET",
      index = "1",
      description = "Where the server listens; with --as-server, where clients connect to.",
      converter = SocketPath.class)
  @Nullable Path socket;

  @Option(names = "--as-server", description = "Play the server's side.")
  boolean asServer;

  @Option(
      names = "--ignore-data",
      description =
          "Leave out data of the device and the room that is kept for them, which may differ from"
              + " run to run.")
  boolean ignoreData;

  @Option(
      names = "--patience",
      paramLabel = "SECONDS",
      description = "How long an answer is waited for; 5 by default.")
  int patience = 5;

  @Override
  public Integer call() {
    var output = Objects.requireNonNull(user).output();
    if (patience < 1) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(), "--patience: at least 1 second");
    }
    if (StandardOutput.isMeantBy(Objects.requireNonNull(file))) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(),
          "a recording is read more than once to be played: it has to be a file");
    }
    ReplayReport report;
    try (var recording = UserRecording.open(Objects.requireNonNull(file))) {
      report = play(output, recording);
    } catch (IOException e) {
      throw new CommandFailure("the recording cannot be played", e);
    }
    if (output.isJson()) {
      output.json(json(report));
    } else {
      print(output, report);
    }
    return report.isSame() ? 0 : DIFFERENT;
  }

  private ReplayReport play(Output output, UserRecording recording) throws IOException {
    var path = Objects.requireNonNull(socket);
    try (var replay = new UserReplay(recording, Duration.ofSeconds(patience), ignoreData)) {
      if (!asServer) {
        return replay.asClient(path);
      }
      if (!output.isJson()) {
        output.err().println("jvfio: listening at " + path + "; Ctrl-C ends it");
      }
      try (var _ = new Interruption(replay::close)) {
        return replay.asServer(path);
      }
    }
  }

  private static void print(Output output, ReplayReport report) {
    if (!report.differences().isEmpty()) {
      var table =
          new Table("", "CONNECTION", "MESSAGE", "COMMAND", "FIELD", "KIND", "RECORDED", "CAME");
      for (var difference : report.differences()) {
        table.row(
            Integer.toString(difference.connection()),
            difference.message() == 0 ? "" : Integer.toString(difference.message()),
            difference.command(),
            difference.field(),
            difference.kind().id(),
            shortened(difference.recorded()),
            shortened(difference.came()));
      }
      output.table(table);
      output.line("");
    }
    if (report.left() > 0) {
      output.line("%,d more differences".formatted(report.left()));
    }
    output.line(
        "%,d connections, %,d messages sent, %,d compared: %s"
            .formatted(
                report.connections(),
                report.sent(),
                report.compared(),
                report.isSame()
                    ? "no difference"
                    : "%,d differences".formatted(report.differences().size() + report.left())));
  }

  private static String shortened(String text) {
    return text.length() <= WIDTH ? text : text.substring(0, WIDTH - 1) + "\u2026";
  }

  private static Object json(ReplayReport report) {
    return Json.object(
        "connections", report.connections(),
        "sent", report.sent(),
        "compared", report.compared(),
        "same", report.isSame(),
        "differences", report.differences().stream().map(ReplayCommand::json).toList(),
        "left", report.left());
  }

  private static Object json(ReplayDifference difference) {
    return Json.object(
        "connection", difference.connection(),
        "message", difference.message(),
        "command", difference.command(),
        "field", difference.field(),
        "kind", difference.kind().id(),
        "recorded", difference.recorded(),
        "came", difference.came());
  }
}
