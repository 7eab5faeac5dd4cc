// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.VfioException;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.StandardOutput;
import io.jvfio.nvme.NvmeStatusException;
import io.jvfio.user.VfioUser;
import io.jvfio.user.VfioUserOptions;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The {@code jvfio} command. Exit status: 0 done, 1 it failed, 2 wrong usage, 130 ended in order
 * after Ctrl-C, 143 after SIGTERM.
 */
@Command(
    name = "jvfio",
    description =
        "VFIO for the JVM: open a PCI device from user space, with an IOMMU that really works.",
    synopsisSubcommandLabel = "COMMAND",
    versionProvider = Version.class,
    mixinStandardHelpOptions = true,
    subcommands = {
      DemoCommand.class,
      ListCommand.class,
      ProbeCommand.class,
      ShowCommand.class,
      IovaCommand.class,
      HostsCommand.class,
      RecordHostCommand.class,
      NvmeCommand.class,
      ServeCommand.class,
      UserCommand.class,
      ShellCommand.class,
      HelpCommand.class
    })
public final class Main implements Runnable {
  private static final int FAILED = 1;

  private final HostOpener hosts;
  private final InputStream input;
  private final OutputStream binary;

  @Spec @Nullable CommandSpec spec;

  @Option(
      names = "--host",
      paramLabel = "HOST",
      description =
          "local, sim:NAME for a simulated host ('jvfio hosts' lists them), or file:FILE for one that record-host has"
              + " recorded; local by default.",
      scope = ScopeType.INHERIT)
  @Nullable String host;

  @Option(
      names = "--json",
      description = "Print one JSON document and nothing else.",
      scope = ScopeType.INHERIT)
  boolean json;

  private Main(HostOpener hosts, InputStream input, OutputStream binary) {
    this.hosts = hosts;
    this.input = input;
    this.binary = binary;
  }

  /** Runs the command and ends the JVM with its exit status. */
  public static void main(String[] args) {
    configureLog();
    var out = new PrintWriter(System.out, false, StandardCharsets.UTF_8);
    var err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    int status = run(HostOpener.STANDARD, StandardInput.open(), out, err, args);
    out.flush();
    err.flush();
    Interruption.commandEnded(status);
    System.exit(status);
  }

  /**
   * Has warnings of the library in one line, as the command's own messages; whichever logger there
   * is.
   */
  static void configureLog() {
    System.setProperty("java.util.logging.manager", "io.jvfio.cli.OperatorLog");
    System.setProperty("java.util.logging.SimpleFormatter.format", "jvfio: %5$s%n");
    System.setProperty("jdk.system.logger.format", "jvfio: %5$s%n");
  }

  /**
   * Runs the command inside of this JVM, with nothing to read.
   *
   * @param out where its output goes
   * @param err where its messages go
   * @return the exit status
   */
  public static int run(PrintWriter out, PrintWriter err, String... args) {
    return run(HostOpener.STANDARD, out, err, args);
  }

  static int run(HostOpener hosts, PrintWriter out, PrintWriter err, String... args) {
    return run(hosts, InputStream.nullInputStream(), out, err, args);
  }

  static int run(
      HostOpener hosts, InputStream input, PrintWriter out, PrintWriter err, String... args) {
    return run(hosts, input, System.out, out, err, args);
  }

  /**
   * Runs the command.
   *
   * @param binary where its output goes that is no text
   */
  static int run(
      HostOpener hosts,
      InputStream input,
      OutputStream binary,
      PrintWriter out,
      PrintWriter err,
      String... args) {
    var command = new CommandLine(new Main(hosts, input, binary));
    command.setOut(out);
    command.setErr(err);
    command.setExecutionExceptionHandler((thrown, where, _) -> report(thrown, where.getErr()));
    command.setParameterExceptionHandler(Main::reportUsage);
    int status = command.execute(args);
    out.flush();
    err.flush();
    return status;
  }

  @Override
  public void run() {
    throw new ParameterException(spec().commandLine(), "a command is missing");
  }

  /** The name of the host that the user named, or of this machine; there is such a host. */
  String hostName() {
    openHost().close();
    return host == null ? HostOpener.LOCAL : host;
  }

  /** The host that the user named, or {@code fallback}. */
  OpenHost openHost(String fallback) {
    var name = host == null ? fallback : host;
    try {
      var opened = hosts.open(name);
      var err = spec().commandLine().getErr();
      return new OpenHost(
          opened.host(),
          opened.kernel(),
          opened.faults(),
          () -> {
            opened.faults().get().forEach(fault -> err.println("jvfio: IOMMU fault: " + fault));
            opened.close();
          });
    } catch (IllegalArgumentException e) {
      throw new ParameterException(
          spec().commandLine(), "--host " + name + ": " + e.getMessage(), e);
    }
  }

  /** The host that the user named, or this machine. */
  OpenHost openHost() {
    return openHost(HostOpener.LOCAL);
  }

  /**
   * Opens a device of the host that the user named, or behind a socket.
   *
   * @param options how one behind a socket is used
   */
  OpenDevice openDevice(DeviceName name, PolicyOptions policy, VfioUserOptions options) {
    return switch (name) {
      case DeviceName.OnHost onHost -> {
        var iommuPolicy = policy.policy();
        var opened = openHost();
        try {
          var known = opened.host().device(onHost.address());
          yield new OpenDevice(
              opened.host().name(),
              opened.host().open(known.address(), iommuPolicy),
              Optional.of(known),
              opened::close);
        } catch (RuntimeException e) {
          opened.close();
          throw e;
        }
      }
      case DeviceName.BehindSocket behind -> {
        if (host != null && !host.equals(HostOpener.LOCAL)) {
          throw new ParameterException(
              spec().commandLine(),
              "--host %s has no meaning for unix:%s, a socket of this machine"
                  .formatted(host, behind.path()));
        }
        policy.requireNone("unix:" + behind.path());
        yield new OpenDevice(
            HostOpener.LOCAL, VfioUser.open(behind.path(), options), Optional.empty(), () -> {});
      }
    };
  }

  /** What the user types, or pipes into the command. */
  InputStream input() {
    return input;
  }

  /** Standard output for what is no text; nothing else is printed to it then. */
  OutputStream binaryOutput() {
    return new StandardOutput(binary);
  }

  /** Where the command's result goes, in the form that the user asked for. */
  Output output() {
    var commandLine = spec().commandLine();
    return new Output(commandLine.getOut(), commandLine.getErr(), json);
  }

  private CommandSpec spec() {
    return Objects.requireNonNull(spec, "set by picocli");
  }

  private static int reportUsage(ParameterException wrong, String[] args) {
    var err = wrong.getCommandLine().getErr();
    err.println("jvfio: " + wrong.getMessage());
    err.println("Try '" + wrong.getCommandLine().getCommandSpec().qualifiedName() + " --help'.");
    return CommandLine.ExitCode.USAGE;
  }

  private static int report(Exception thrown, PrintWriter err) {
    switch (thrown) {
      case VfioException e -> err.println("jvfio: " + e.getMessage());
      case NvmeStatusException e -> err.println("jvfio: " + e.getMessage());
      case CommandFailure e -> err.println("jvfio: " + e.getMessage());
      case UncheckedIOException e -> err.println("jvfio: " + CommandFailure.reason(e));
      default -> {
        err.println("jvfio: internal error, please report it: " + thrown);
        thrown.printStackTrace(err);
      }
    }
    for (var also : thrown.getSuppressed()) {
      err.println("jvfio: and while cleaning up: " + CommandFailure.reason(also));
    }
    return FAILED;
  }
}
