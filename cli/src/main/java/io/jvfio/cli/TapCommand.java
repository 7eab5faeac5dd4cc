// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.option.SocketPath;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.StandardOutput;
import io.jvfio.user.tools.RecordingWriter;
import io.jvfio.user.tools.TapMessage;
import io.jvfio.user.tools.TapObserver;
import io.jvfio.user.tools.UserTap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code jvfio user tap}. */
@Command(
    name = "tap",
    description = {
      "Stand between clients and a server, and print every message.",
      "Clients connect to LISTEN, and each is connected to the server at CONNECT. Every byte and"
          + " descriptor is passed on as it came. Ends with Ctrl-C. With --json, each message is an"
          + " object in a line of its own."
    },
    mixinStandardHelpOptions = true)
final class TapCommand implements Runnable {
  @ParentCommand @Nullable UserCommand user;
  @Spec @Nullable CommandSpec spec;
  @Mixin MessageOptions messages = new MessageOptions();
  @Mixin TapPaths paths = new TapPaths();

  @Option(
      names = "--record",
      paramLabel = "FILE",
      description = "Keep the messages in a file, too, a new one of mode 0600.")
  @Nullable Path recording;

  @Override
  public void run() {
    var main = Objects.requireNonNull(user).main();
    var output = main.output();
    if (recording != null && StandardOutput.isMeantBy(recording)) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(),
          "--record -: the messages are printed to standard output; 'jvfio user record -' prints"
              + " none");
    }
    var printer = messages.printer(output, ByteOrder.nativeOrder());
    paths.run(main, output, recording, Optional.of(printer));
    output.out().flush();
  }

  /** The two ends of a tap, and when it ends. */
  static final class TapPaths {
    @Parameters(
        paramLabel = "LISTEN",
        index = "0+", // behind the parameters of a command that has some of its own
        description = "Where clients connect to; made with mode 0600, removed at the end.",
        converter = SocketPath.class)
    @Nullable Path listen;

    @Parameters(
        paramLabel = "CONNECT",
        index = "1+",
        description = "Where the server listens.",
        converter = SocketPath.class)
    @Nullable Path connect;

    @Option(
        names = "--connections",
        paramLabel = "N",
        description = "End when so many connections have come and gone; never by default.")
    int connections = Integer.MAX_VALUE;

    /** Taps until it is told to end, or has seen as many connections as were asked for. */
    void run(Main main, Output output, @Nullable Path recording, Optional<TapObserver> printer) {
      try (var writer = recording == null ? null : open(main, recording)) {
        var observer = new Both(Optional.ofNullable(writer), printer);
        var path = Objects.requireNonNull(listen);
        try (var tap = UserTap.listen(path, Objects.requireNonNull(connect), observer);
            var _ = new Interruption(tap::close)) {
          if (!output.isJson()) {
            output.err().println("jvfio: listening at " + path + "; Ctrl-C ends it");
          }
          tap.await(connections);
        }
      } catch (UncheckedIOException | IOException e) {
        throw new CommandFailure("the recording cannot be written", e);
      }
    }
  }

  private static RecordingWriter open(Main main, Path recording) throws IOException {
    return StandardOutput.isMeantBy(recording)
        ? RecordingWriter.to(StandardOutput.NAME, main.binaryOutput())
        : RecordingWriter.create(recording);
  }

  /** First kept, then printed. */
  private record Both(Optional<RecordingWriter> writer, Optional<TapObserver> printer)
      implements TapObserver {
    private List<TapObserver> all() {
      return Stream.<TapObserver>concat(writer.stream(), printer.stream()).toList();
    }

    @Override
    public void connected(int connection, long nanos) {
      all().forEach(each -> each.connected(connection, nanos));
    }

    @Override
    public void message(TapMessage message) {
      all().forEach(each -> each.message(message));
    }

    @Override
    public void disconnected(int connection, long nanos, String reason) {
      all().forEach(each -> each.disconnected(connection, nanos, reason));
    }

    @Override
    public void caughtUp() {
      all().forEach(TapObserver::caughtUp);
    }
  }
}
