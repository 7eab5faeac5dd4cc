// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.PciAddress;
import io.jvfio.cli.output.CommandFailure;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/**
 * {@code jvfio shell}. JShell runs in a JVM of its own, for its compiler is more than all the rest
 * of the command: so no other command has it among its modules.
 */
@Command(
    name = "shell",
    description =
        "Start JShell with the library imported, and the host and a device in variables. Java comes from the terminal,"
            + " or from what is piped in.",
    mixinStandardHelpOptions = true)
final class ShellCommand implements Callable<Integer> {
  private static final List<String> MODULES =
      List.of(
          "io.jvfio",
          "io.jvfio.model",
          "io.jvfio.sim",
          "io.jvfio.nvme",
          "io.jvfio.ops",
          "io.jvfio.user");

  private static final List<String> IMPORTS =
      List.of(
          "io.jvfio.*",
          "io.jvfio.linux.*",
          "io.jvfio.model.*",
          "io.jvfio.nvme.*",
          "io.jvfio.sim.*",
          "io.jvfio.user.*",
          "java.lang.foreign.*",
          "java.nio.file.*",
          "java.util.*");

  @ParentCommand @Nullable Main main;
  @Spec @Nullable CommandSpec spec;

  @Parameters(
      paramLabel = "DEVICE",
      description =
          "A PCI address such as 0000:01:00.0, which is opened as 'device'. Without it there is 'host' alone.",
      arity = "0..1")
  @Nullable String address;

  @Override
  public Integer call() {
    if (address != null) {
      try {
        PciAddress.parse(address);
      } catch (IllegalArgumentException e) {
        throw new ParameterException(
            Objects.requireNonNull(spec).commandLine(),
            Objects.requireNonNullElse(e.getMessage(), address),
            e);
      }
    }
    var host = Objects.requireNonNull(main).hostName();
    var home = Path.of(System.getProperty("java.home"));
    var jshell = home.resolve("bin").resolve("jshell");
    if (!Files.isExecutable(jshell)) {
      throw new CommandFailure(
          "the Java runtime in %s has no jshell; run jvfio with a JDK".formatted(home));
    }
    Path startup = null;
    try {
      startup = Files.createTempFile("jvfio", ".jsh");
      Files.writeString(startup, startup(host, address));
      return new ProcessBuilder(arguments(jshell, startup))
          .redirectInput(Redirect.INHERIT)
          .redirectOutput(Redirect.INHERIT)
          .redirectError(Redirect.INHERIT)
          .start()
          .waitFor();
    } catch (IOException e) {
      throw new CommandFailure("starting " + jshell + " failed", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CommandFailure("waiting for the shell was interrupted");
    } finally {
      delete(startup);
    }
  }

  private static void delete(@Nullable Path file) {
    if (file == null) {
      return;
    }
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new CommandFailure("removing " + file + " failed", e);
    }
  }

  private static List<String> arguments(Path jshell, Path startup) {
    var modules = String.join(",", MODULES);
    var path = System.getProperty("jdk.module.path");
    var arguments = new ArrayList<String>();
    arguments.add(jshell.toString());
    if (path != null) {
      arguments.addAll(List.of("-J--module-path=" + path, "--module-path", path));
    }
    arguments.addAll(
        List.of(
            "-J--add-modules=" + modules,
            "-J--enable-native-access=io.jvfio.linux",
            "--add-modules",
            modules,
            "--execution",
            "local",
            "--feedback",
            "concise",
            "--startup",
            startup.toString()));
    return arguments;
  }

  /** What the shell begins with: imports, variables, and three lines that tell of them. */
  static String startup(String host, @Nullable String address) {
    var statements =
        Stream.concat(
            IMPORTS.stream().map(each -> "import " + each + ";"),
            Stream.concat(opened(host), device(address)));
    return statements.collect(Collectors.joining("\n", "", "\n"));
  }

  private static Stream<String> opened(String host) {
    if (host.equals(HostOpener.LOCAL)) {
      return Stream.of("var host = VfioHost.local();");
    }
    var name =
        host.startsWith(HostOpener.SIMULATED)
            ? host.substring(HostOpener.SIMULATED.length())
            : host;
    return Stream.of(
        "var simulated = SimulatedHosts.open(%s);".formatted(quoted(name)),
        "var host = VfioHost.of(%s, simulated.kernel());".formatted(quoted(host)));
  }

  private static Stream<String> device(@Nullable String address) {
    var variable =
        address == null
            ? "host.open(PciAddress.parse(\\\"ADDRESS\\\")) opens one of host.devices()."
            : "device is \" + device.name() + \", with IOMMU type \" + device.dmaSpace().type() + \".";
    return Stream.concat(
        address == null
            ? Stream.empty()
            : Stream.of("var device = host.open(PciAddress.parse(%s));".formatted(quoted(address))),
        Stream.of(
            "System.out.println(\"jvfio's library is imported; host is \" + host.name() + \".\");",
            "System.out.println(\"" + variable + "\");",
            "System.out.println(\"/vars shows the variables, /exit ends.\");"));
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
