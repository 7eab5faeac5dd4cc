// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.option.FileMode;
import io.jvfio.cli.option.SocketPath;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.model.DeviceModel;
import io.jvfio.user.VfioUserServer;
import io.jvfio.user.VfioUserServerListener;
import io.jvfio.user.VfioUserServerOptions;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code jvfio serve}: a device model as a vfio-user server. */
@Command(
    name = "serve",
    description = {
      "Serve a device to QEMU, or to any other client of vfio-user, until Ctrl-C or SIGTERM, after"
          + " which the exit status is 130 or 143 where nothing failed.",
      "Needs no root, no IOMMU and no VFIO in the kernel."
    },
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "DEVICE",
    subcommands = {ServeNvme.class, ServeGpio.class, ServeEdu.class})
final class ServeCommand implements Runnable {
  @ParentCommand @Nullable Main main;
  @Spec @Nullable CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        Objects.requireNonNull(spec).commandLine(), "a device is missing: nvme, gpio or edu");
  }

  /** What all devices share: the socket, and what becomes of it. */
  abstract static class Served<M extends DeviceModel> implements Runnable {
    @ParentCommand @Nullable ServeCommand parent;
    @Spec @Nullable CommandSpec spec;

    @Option(
        names = "--socket",
        paramLabel = "PATH",
        description = "The socket; one that is left over and that nobody listens at is replaced.",
        converter = SocketPath.class)
    @Nullable Path socket;

    @Option(
        names = "--mode",
        paramLabel = "MODE",
        description = "Permissions of the socket; 0600 by default.",
        converter = FileMode.class)
    int mode = 0600;

    @Option(
        names = "--group",
        paramLabel = "NAME|GID",
        description = "Group of the socket, whose members --mode may let connect.")
    @Nullable String group;

    @Option(
        names = "--fd",
        paramLabel = "N",
        description = "Serve at a socket that listens already and was inherited with this number.")
    @Nullable Integer descriptor;

    @Option(
        names = "--replace",
        description = "Take the socket's path even from a server that listens there.")
    boolean replace;

    @Option(names = "--once", description = "End when the first client has gone.")
    boolean once;

    @Option(
        names = "--poll",
        description =
            "Look for work all the time: fast, and a processor is busy with nothing else.")
    boolean poll;

    @Option(
        names = "--cpus",
        paramLabel = "LIST",
        description = "Processors that the server's threads run on, such as 0-3,8.",
        converter = Processors.Converter.class)
    @Nullable BitSet cpus;

    @Override
    public final void run() {
      if ((socket == null) == (descriptor == null)) {
        throw wrong(
            socket == null
                ? "a socket is missing: --socket PATH, or --fd N"
                : "--socket and --fd exclude each other");
      }
      if (group != null && socket == null) {
        throw wrong("--group is for a socket that --socket makes");
      }
      if (cpus == null) {
        serve();
        return;
      }
      // All threads are started from this one: those of the disk, of the server and of the device.
      try (var _ = Processors.bind(cpus)) {
        serve();
      }
    }

    private void serve() {
      var main = Objects.requireNonNull(Objects.requireNonNull(parent).main);
      var output = main.output();
      var end = new CountDownLatch(1);
      // Around everything: after Ctrl-C the JVM lives for as long as this is open.
      try (var _ = new Interruption(end::countDown);
          var model = model()) {
        start(model, output, main.input());
        var document = Json.object("device", name());
        document.putAll(serve(model, output, end));
        document.putAll(json(model));
        if (output.isJson()) {
          output.json(document);
        }
        output.out().flush();
      }
    }

    /** Serves until Ctrl-C, or until the first client has gone if that is wished. */
    private Map<String, Object> serve(M model, Output output, CountDownLatch end) {
      var options =
          socket == null
              ? VfioUserServerOptions.atDescriptor(Objects.requireNonNull(descriptor))
              : VfioUserServerOptions.at(socket).withMode(mode);
      options = group != null ? options.withGroup(group) : options;
      options = replace ? options.withReplacement() : options;
      options = poll ? options.withPolling() : options;
      options = options.withListener(new Clients(output.err(), once ? end::countDown : () -> {}));
      VfioUserServer served;
      try (var server = VfioUserServer.serve(model, options)) {
        output
            .err()
            .println(
                "jvfio: serving %s at %s"
                    .formatted(
                        describe(model), socket == null ? "descriptor " + descriptor : socket));
        served = server;
        await(end);
      }
      return Json.object(
          "clients", served.clients(), "messages", served.messages(), "bytes", served.bytes());
    }

    private static void await(CountDownLatch end) {
      try {
        end.await();
      } catch (InterruptedException _) {
        Thread.currentThread().interrupt();
      }
    }

    /** Wrong usage. */
    final ParameterException wrong(String message) {
      return new ParameterException(Objects.requireNonNull(spec).commandLine(), message);
    }

    /** What the command calls the device. */
    final String name() {
      return Objects.requireNonNull(spec).name();
    }

    abstract M model();

    /** The device in a few words, for people. */
    abstract String describe(M model);

    /** Begins what goes on beside the serving. */
    void start(M model, Output output, InputStream input) {}

    /** What there is to tell of the device at the end. */
    Map<String, Object> json(M model) {
      return Map.of();
    }
  }

  /** Tells of clients that come and go. */
  private record Clients(PrintWriter err, Runnable afterEach) implements VfioUserServerListener {
    @Override
    public void clientCame() {
      err.println("jvfio: a client is here");
    }

    @Override
    public void clientLeft(String reason, long messages) {
      err.println("jvfio: the client has gone after %,d messages: %s".formatted(messages, reason));
      afterEach.run();
    }
  }
}
