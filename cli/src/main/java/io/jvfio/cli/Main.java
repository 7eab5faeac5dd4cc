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
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;

/**
 * The {@code jvfio} command. Exit status: 0 done, 1 it failed, 2 wrong usage, 130 ended in order
 * after Ctrl-C, 143 after SIGTERM.
 */
public final class Main implements Runnable {
  private static final int FAILED = 1;

  /** What jvfio can do, in the order in which help tells it. */
  private static final List<Subcommand> SUBCOMMANDS =
      List.of(
          new Subcommand("demo", _ -> DemoCommand.class),
          new Subcommand("list", ListCommand::spec),
          new Subcommand("topology", _ -> TopologyCommand.class),
          new Subcommand("doctor", _ -> DoctorCommand.class),
          new Subcommand("probe", _ -> ProbeCommand.class),
          new Subcommand("show", _ -> ShowCommand.class),
          new Subcommand("iova", _ -> IovaCommand.class),
          new Subcommand("hosts", _ -> HostsCommand.class),
          new Subcommand("record-host", _ -> RecordHostCommand.class),
          new Subcommand("nvme", _ -> NvmeCommand.class),
          new Subcommand("serve", _ -> ServeCommand.class),
          new Subcommand("user", _ -> UserCommand.class),
          new Subcommand("shell", _ -> ShellCommand.class),
          new Subcommand("help", _ -> HelpCommand.class));

  /**
   * A command of jvfio by its name.
   *
   * @param made what picocli takes as a command: a class with annotations, or a spec
   */
  private record Subcommand(String name, Function<Main, Object> made) {}

  private final HostOpener hosts;
  private final InputStream input;
  private final OutputStream binary;

  // No annotations here and in "list": what picocli makes of them at each start takes longer than
  // the command.
  private final CommandSpec spec;
  private final OptionSpec host =
      OptionSpec.builder("--host")
          .type(String.class)
          .paramLabel("HOST")
          .description(
              "local, sim:NAME for a simulated host ('jvfio hosts' lists them), or file:FILE for one that"
                  + " record-host has recorded; local by default.")
          .scopeType(ScopeType.INHERIT)
          .build();
  private final OptionSpec json =
      OptionSpec.builder("--json")
          .type(boolean.class)
          .description("Print one JSON document and nothing else.")
          .scopeType(ScopeType.INHERIT)
          .build();

  private Main(HostOpener hosts, InputStream input, OutputStream binary) {
    this.hosts = hosts;
    this.input = input;
    this.binary = binary;
    spec =
        withHelp(CommandSpec.wrapWithoutInspection(this))
            .name("jvfio")
            .versionProvider(new Version())
            .addOption(host)
            .addOption(json);
    spec.usageMessage()
        .description(
            "VFIO for the JVM: open a PCI device from user space, with an IOMMU that really works.")
        .synopsisSubcommandLabel("COMMAND");
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
    var command = new Main(hosts, input, binary).commandLine(List.of(args));
    command.setOut(out);
    command.setErr(err);
    command.setExecutionExceptionHandler((thrown, where, _) -> report(thrown, where.getErr()));
    command.setParameterExceptionHandler(Main::reportUsage);
    int status = command.execute(args);
    out.flush();
    err.flush();
    return status;
  }

  /** The command with everything that it can do. */
  static CommandLine complete() {
    return new Main(HostOpener.STANDARD, InputStream.nullInputStream(), System.out)
        .commandLine(List.of());
  }

  /** The command, with those of its subcommands that the arguments can mean. */
  private CommandLine commandLine(List<String> args) {
    var meant = SUBCOMMANDS.stream().filter(one -> args.contains(one.name())).toList();
    // help lists them all
    boolean some = !meant.isEmpty() && Collections.disjoint(args, List.of("help", "-h", "--help"));
    var command = new CommandLine(spec);
    (some ? meant : SUBCOMMANDS)
        .forEach(one -> command.addSubcommand(one.name(), one.made().apply(this)));
    return command;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  private @Nullable String askedHost() {
    return host.getValue();
  }

  /** The name of the host that the user named, or of this machine; there is such a host. */
  String hostName() {
    openHost().close();
    var asked = askedHost();
    return asked == null ? HostOpener.LOCAL : asked;
  }

  /** The host that the user named, or {@code fallback}. */
  OpenHost openHost(String fallback) {
    var asked = askedHost();
    var name = asked == null ? fallback : asked;
    try {
      var opened = hosts.open(name);
      var err = spec.commandLine().getErr();
      return new OpenHost(
          opened.host(),
          opened.kernel(),
          opened.faults(),
          () -> {
            opened.faults().get().forEach(fault -> err.println("jvfio: IOMMU fault: " + fault));
            opened.close();
          });
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--host " + name + ": " + e.getMessage(), e);
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
        var asked = askedHost();
        if (asked != null && !asked.equals(HostOpener.LOCAL)) {
          throw new ParameterException(
              spec.commandLine(),
              "--host %s has no meaning for unix:%s, a socket of this machine"
                  .formatted(asked, behind.path()));
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
    var commandLine = spec.commandLine();
    return new Output(
        commandLine.getOut(), commandLine.getErr(), Boolean.TRUE.equals(json.getValue()));
  }

  /** Adds the options that {@code mixinStandardHelpOptions} gives to commands with annotations. */
  static CommandSpec withHelp(CommandSpec spec) {
    return spec.addOption(
            OptionSpec.builder("-h", "--help")
                .usageHelp(true)
                .description("Show this help message and exit.")
                .build())
        .addOption(
            OptionSpec.builder("-V", "--version")
                .versionHelp(true)
                .description("Print version information and exit.")
                .build());
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
