// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.StandardOutput;
import io.jvfio.cli.output.Text;
import io.jvfio.user.tools.TapMessage;
import io.jvfio.user.tools.TapObserver;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code jvfio user record}. */
@Command(
    name = "record",
    description = {
      "Stand between clients and a server, and keep every message in a file.",
      "The same as 'tap --record FILE', with a line for each connection instead of one for each"
          + " message."
    },
    mixinStandardHelpOptions = true)
final class RecordCommand implements Runnable {
  @ParentCommand @Nullable UserCommand user;

  @Spec @Nullable CommandSpec spec;

  @Parameters(
      paramLabel = "FILE",
      index = "0",
      description =
          "Where the messages are kept: a new file of mode 0600, or - for standard output.")
  @Nullable Path file;

  @Mixin TapCommand.TapPaths paths = new TapCommand.TapPaths();

  @Override
  public void run() {
    var main = Objects.requireNonNull(user).main();
    var output = main.output();
    boolean isPiped = StandardOutput.isMeantBy(Objects.requireNonNull(file));
    if (isPiped && output.isJson()) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(),
          "--json and a recording exclude each other on standard output");
    }
    if (isPiped) {
      output = output.amongMessages();
    }
    var counter = new Counter(output);
    paths.run(main, output, Objects.requireNonNull(file), Optional.of(counter));
    if (output.isJson()) {
      output.json(
          Json.object(
              "file", Objects.requireNonNull(file).toString(),
              "connections", counter.connections,
              "messages", counter.messages,
              "bytes", counter.bytes));
    }
  }

  /** Tells how much was kept. */
  private static final class Counter implements TapObserver {
    private final Output output;
    private int connections;
    private long messages;
    private long bytes;

    Counter(Output output) {
      this.output = output;
    }

    @Override
    public void connected(int connection, long nanos) {
      connections++;
      if (!output.isJson()) {
        output.line("connection %d from %s on".formatted(connection, Text.seconds(nanos)));
      }
    }

    @Override
    public void message(TapMessage message) {
      messages++;
      bytes += message.byteSize();
    }

    @Override
    public void disconnected(int connection, long nanos, String reason) {
      if (!output.isJson()) {
        output.line(
            "connection %d until %s: %s; %,d messages, %s so far"
                .formatted(
                    connection, Text.seconds(nanos), reason, messages, Text.span((double) bytes)));
      }
    }

    @Override
    public void caughtUp() {
      output.out().flush();
    }
  }
}
