// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Programs that are run as processes of their own: Java ones of the same jars as this one, and
 * those of the machine.
 */
final class Programs {
  private Programs() {}

  /** {@code jvfio serve} with its arguments, and with the heap that the script gives it. */
  static List<String> server(List<String> arguments) {
    var all = new ArrayList<>(List.of("serve"));
    all.addAll(arguments);
    return java(List.of("-Xmx128m"), "io.jvfio.cli", "io.jvfio.cli.Main", all);
  }

  /** A program of this package. */
  static List<String> lab(Class<?> program, List<String> options, List<String> arguments) {
    return java(options, "io.jvfio.lab", program.getName(), arguments);
  }

  private static List<String> java(
      List<String> options, String module, String program, List<String> arguments) {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:-UsePerfData"));
    command.addAll(options);
    var modules = System.getProperty("jdk.module.path");
    if (modules == null) {
      command.addAll(
          List.of(
              "--enable-native-access=ALL-UNNAMED",
              "-cp",
              System.getProperty("java.class.path"),
              program));
    } else {
      command.addAll(
          List.of(
              "--enable-native-access=io.jvfio.linux",
              "--module-path",
              modules,
              "-m",
              module + "/" + program));
    }
    command.addAll(arguments);
    return command;
  }

  /**
   * How a program ended.
   *
   * @param text what it printed, errors among it
   */
  record Ended(int status, String text) {
    boolean isGood() {
      return status == 0;
    }

    /** A number that it printed behind its name. */
    long number(String name) {
      return text.lines()
          .filter(line -> line.startsWith(name + " "))
          .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1)))
          .findFirst()
          .orElseThrow(() -> new IllegalStateException("no " + name + " in: " + text));
    }
  }

  /** Runs a program to its end, a minute at most. */
  static Ended run(List<String> command) throws IOException, InterruptedException {
    var printed = Files.createTempFile("jvfio-program", ".out");
    try {
      var builder = new ProcessBuilder(command).redirectErrorStream(true);
      builder.environment().put("LC_ALL", "C");
      var process = builder.redirectOutput(printed.toFile()).start();
      if (!process.waitFor(1, TimeUnit.MINUTES)) {
        process.destroyForcibly();
        throw new IllegalStateException(command + " does not end");
      }
      return new Ended(process.exitValue(), Files.readString(printed, StandardCharsets.UTF_8));
    } finally {
      Files.delete(printed);
    }
  }

  /** Runs a program that must succeed; returns what it printed. */
  static String demand(String... command) throws IOException, InterruptedException {
    var ended = run(List.of(command));
    if (!ended.isGood()) {
      throw new IllegalStateException(
          "%s: status %d: %s"
              .formatted(String.join(" ", command), ended.status, ended.text.strip()));
    }
    return ended.text;
  }
}
