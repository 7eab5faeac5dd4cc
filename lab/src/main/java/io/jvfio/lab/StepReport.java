// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Checks of what the steps of a lane said, each in {@code STEP.out} with its exit status in {@code
 * STEP.rc}, and a table of them.
 */
abstract class StepReport {
  private enum Verdict {
    PASS,
    KNOWN,
    FAIL
  }

  private record Check(Verdict verdict, String name, String evidence) {}

  final String lane;
  final Path directory;
  private final List<Check> checks = new ArrayList<>();
  private final List<String> details = new ArrayList<>();

  StepReport(String lane, Path directory) {
    this.lane = lane;
    this.directory = directory;
  }

  /** Prints all checks; true when every one holds. */
  final boolean print(PrintStream out) {
    details.forEach(out::println);
    for (var check : checks) {
      out.printf("%-5s  %-30s  %s\n", check.verdict(), check.name(), check.evidence());
    }
    var failed = checks.stream().filter(check -> check.verdict() == Verdict.FAIL).count();
    out.printf("%s: %d checks, %d failed\n", lane, checks.size(), failed);
    return failed == 0;
  }

  final void check(boolean holds, String name, String evidence) {
    checks.add(new Check(holds ? Verdict.PASS : Verdict.FAIL, name, evidence));
  }

  /** What a step printed; a check that fails when it has not run. */
  final Optional<String> output(String step) throws IOException {
    var file = directory.resolve(step + ".out");
    if (Files.exists(file) && Files.exists(directory.resolve(step + ".rc"))) {
      return Optional.of(Files.readString(file, StandardCharsets.UTF_8));
    }
    check(false, step, "the step did not run");
    return Optional.empty();
  }

  final String status(String step) throws IOException {
    return Files.readString(directory.resolve(step + ".rc")).strip();
  }

  final Optional<Document> document(String step) throws IOException {
    var output = output(step);
    try {
      return output.map(Document::parse);
    } catch (IllegalArgumentException e) {
      check(false, step, "status " + status(step) + ", " + e.getMessage());
      return Optional.empty();
    }
  }

  /** A line to be printed before the table. */
  final void detail(String line) {
    details.add(line);
  }

  /** What a program printed after this name; empty when it did not. */
  static String figure(String output, String name) {
    var figures = figures(output, name);
    return figures.isEmpty() ? "" : figures.getFirst();
  }

  /** All that a program printed after this name. */
  static List<String> figures(String output, String name) {
    return output
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .map(line -> line.substring(name.length()).strip())
        .toList();
  }

  final void checkMessages() throws IOException {
    var messages = output("dmesg");
    if (messages.isEmpty()) {
      return;
    }
    int unknown = 0;
    var sequence = "";
    for (var line : messages.get().lines().toList()) {
      int begin = line.indexOf(KernelLog.PREFIX);
      if (begin >= 0) {
        sequence = line.substring(begin + KernelLog.PREFIX.length());
      }
      if (begin >= 0 || !KernelDefects.isAlarm(line)) {
        continue;
      }
      var known = KernelDefects.warning(lane, line);
      if (known.isPresent()) {
        checks.add(
            new Check(
                Verdict.KNOWN, "dmesg", line.strip() + " (by " + known.get().provokedBy() + ")"));
      } else {
        unknown++;
        check(
            false,
            "dmesg",
            line.strip() + (sequence.isEmpty() ? "" : " (at or after " + sequence + ")"));
      }
    }
    if (unknown == 0) {
      check(
          true,
          "dmesg",
          "no"
              + (checks.getLast().verdict() == Verdict.KNOWN ? " other" : "")
              + " warning, bug or oops");
    }
  }
}
