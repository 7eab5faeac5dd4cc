// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.option.SocketPath;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Progress;
import io.jvfio.cli.output.Table;
import io.jvfio.cli.output.Text;
import io.jvfio.user.conform.Conformance;
import io.jvfio.user.conform.ConformanceOptions;
import io.jvfio.user.conform.ConformanceReport;
import io.jvfio.user.conform.ConformanceResult;
import io.jvfio.user.conform.ConformanceResult.Outcome;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code jvfio user conform}. */
@Command(
    name = "conform",
    description = {
      "Look whether a vfio-user server keeps to the specification: any server, of whatever make.",
      "The server must not be in use. Nothing is written to its BARs unless --write-bars is given; its device is reset,"
          + " and stopped and started where it can be migrated. A server that ends is waited for. Exit status 1 if a"
          + " check failed."
    },
    mixinStandardHelpOptions = true)
final class ConformCommand implements Callable<Integer> {
  private static final int FAILED = 1;

  @ParentCommand @Nullable UserCommand user;
  @Spec @Nullable CommandSpec spec;

  @Parameters(
      paramLabel = "SERVER",
      arity = "0..1",
      description = "Where the server listens: unix:PATH.",
      converter = SocketPath.class)
  @Nullable Path server;

  @Option(
      names = "--only",
      paramLabel = "CHECK",
      split = ",",
      description = "Make these checks only; the beginning of a name stands for all that begin so.")
  Set<String> only = Set.of();

  @Option(names = "--list", description = "List the checks, and make none.")
  boolean list;

  @Option(
      names = "--write-bars",
      description = "Write to BARs what was read from them, which a device may take for a command.")
  boolean writeBars;

  @Option(
      names = "--patience",
      paramLabel = "SECONDS",
      description = "How long an answer is waited for; 5 by default.")
  int patience = 5;

  @Override
  public Integer call() {
    var output = Objects.requireNonNull(user).output();
    if (list) {
      list(output);
      return 0;
    }
    if (server == null) {
      throw wrong("the socket of a server is missing");
    }
    if (patience < 1) {
      throw wrong("--patience: at least 1 second");
    }
    for (var name : only) {
      if (Conformance.checkNames().stream().noneMatch(check -> check.startsWith(name))) {
        throw wrong("--only: no check is called '" + name + "'; --list lists them");
      }
    }
    var options = new ConformanceOptions(Duration.ofSeconds(patience), writeBars, only);
    ConformanceReport report;
    try (var progress = new Progress(output, "checking", Conformance.checkNames().size())) {
      int[] done = {0};
      report = Conformance.of(server, options).run(_ -> progress.at(++done[0]));
    }
    if (output.isJson()) {
      output.json(json(report));
    } else {
      print(output, report);
    }
    return report.isConformant() ? 0 : FAILED;
  }

  private ParameterException wrong(String what) {
    return new ParameterException(Objects.requireNonNull(spec).commandLine(), what);
  }

  private static void list(Output output) {
    if (output.isJson()) {
      output.json(Json.object("checks", Conformance.checkNames()));
    } else {
      Conformance.checkNames().forEach(output::line);
    }
  }

  private static void print(Output output, ConformanceReport report) {
    output.line(
        "unix:%s  version %s  %s"
            .formatted(
                report.server(),
                report.version().isEmpty() ? "not told" : report.version(),
                report.capabilities()));
    if (report.endsWithClients()) {
      output.line("The server ends whenever a client goes, and is started again.");
    }
    output.line("");
    var table = new Table("", "CHECK", "RESULT", "SECTION", "CAME");
    for (var result : report.results()) {
      boolean isWell = result.outcome() == Outcome.PASSED || result.outcome() == Outcome.SKIPPED;
      table.row(
          result.check(),
          isWell ? result.outcome().id() : result.outcome().id().toUpperCase(Locale.ROOT),
          section(result),
          shortened(result.came()));
    }
    output.table(table);
    for (var outcome : List.of(Outcome.FAILED, Outcome.DIFFERS)) {
      for (var result : report.results()) {
        if (result.outcome() == outcome) {
          output.line("");
          output.line(
              "%s %s: whether the server %s"
                  .formatted(result.check(), outcome.id(), result.title()));
          Text.wrapped(output, "  ", "expected: " + result.expected());
          Text.wrapped(output, "  ", "came: " + result.came());
        }
      }
    }
    output.line("");
    output.line(
        "%d checks: %d passed, %d failed, %d differ, %d skipped"
            .formatted(
                report.results().size(),
                report.count(Outcome.PASSED),
                report.count(Outcome.FAILED),
                report.count(Outcome.DIFFERS),
                report.count(Outcome.SKIPPED)));
  }

  private static final int WIDTH = 52;

  /** Without what most of them begin with. */
  private static String section(ConformanceResult result) {
    return result.section().replaceFirst("^VFIO_(USER|DEVICE)_", "");
  }

  private static String shortened(String text) {
    return text.length() <= WIDTH ? text : text.substring(0, WIDTH - 1) + "\u2026";
  }

  private static Object json(ConformanceReport report) {
    var counts = new LinkedHashMap<String, Object>();
    for (var outcome : Outcome.values()) {
      counts.put(outcome.id(), report.count(outcome));
    }
    return Json.object(
        "server", "unix:" + report.server(),
        "version", report.version(),
        "capabilities", report.capabilities(),
        "endsWithClients", report.endsWithClients(),
        "conformant", report.isConformant(),
        "counts", counts,
        "results", report.results().stream().map(ConformCommand::json).toList());
  }

  private static Object json(ConformanceResult result) {
    return Json.object(
        "check", result.check(),
        "title", result.title(),
        "section", result.section(),
        "result", result.outcome().id(),
        "expected", result.expected(),
        "came", result.came());
  }
}
