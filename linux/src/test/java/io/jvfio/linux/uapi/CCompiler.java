// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.regex.Pattern;

/** A C compiler of this machine, asked what its headers say. */
final class CCompiler {
  private static final Pattern ERROR = Pattern.compile("facts\\.c:(\\d+):\\d+: error: (.*)");

  private final String command;
  private final List<Path> headers;

  private CCompiler(String command, List<Path> headers) {
    this.command = command;
    this.headers = headers;
  }

  /** The same compiler, with the kernel's headers of another place. */
  CCompiler withHeaders(Path directory, String triplet) {
    return new CCompiler(command, List.of(directory, directory.resolve(triplet)));
  }

  /**
   * The compiler of that name. Where it is not installed the test is skipped and says what to
   * install; on a CI machine, which must have it, the test fails.
   */
  static CCompiler require(String command, String packages) {
    for (var directory : System.getenv().getOrDefault("PATH", "").split(":", -1)) {
      if (Files.isExecutable(Path.of(directory, command))) {
        return new CCompiler(command, List.of());
      }
    }
    var missing = command + " is not installed; on Debian: apt-get install " + packages;
    return "true".equals(System.getenv("CI")) ? fail(missing) : abort(missing);
  }

  /** What comparing rows with the headers came to. */
  record Comparison(List<String> compared, List<String> absent, List<String> different) {}

  /**
   * Compiles one assertion per row, each on a line of its own, and sorts the rows by the answer.
   */
  Comparison compare(List<String> includes, List<HeaderRow> rows)
      throws IOException, InterruptedException {
    var lines = new ArrayList<String>();
    includes.forEach(
        include ->
            lines.addAll(
                List.of(
                    "#if __has_include(<" + include + ">)",
                    "#include <" + include + ">",
                    "#endif")));
    int firstRow = lines.size() + 1;
    rows.forEach(row -> lines.add(row.assertion()));

    var directory = Files.createTempDirectory("jvfio-headers");
    var source = Files.write(directory.resolve("facts.c"), lines);
    var arguments =
        new ArrayList<>(List.of(command, "-std=gnu11", "-w", "-fsyntax-only", source.toString()));
    headers.forEach(path -> arguments.addAll(List.of("-isystem", path.toString())));
    var output = run(arguments.toArray(String[]::new));
    Files.delete(source);
    Files.delete(directory);

    var compared = new ArrayList<>(rows.stream().map(HeaderRow::name).toList());
    var absent = new ArrayList<String>();
    var different = new ArrayList<String>();
    var judged = new HashSet<HeaderRow>();
    for (var line : output) {
      var error = ERROR.matcher(line);
      if (!error.find()) {
        if (line.contains("error")) {
          fail("%s did not compile the rows: %s", command, String.join("\n", output));
        }
        continue;
      }
      int index = Integer.parseInt(error.group(1)) - firstRow;
      if (index < 0) {
        fail("%s cannot read the headers: %s", command, error.group(2));
      }
      var row = rows.get(index);
      if (!judged.add(row)) {
        continue; // the compiler complains twice of one row: the first time says why
      }
      if (isAbsence(error.group(2))) {
        compared.remove(row.name());
        absent.add(row.name());
      } else {
        different.add(row.name() + ": " + row.expected() + " here; " + error.group(2));
      }
    }
    return new Comparison(compared, absent, different);
  }

  /** Compiles a program, runs it, and returns what it prints. */
  List<String> runProgram(List<String> lines) throws IOException, InterruptedException {
    var directory = Files.createTempDirectory("jvfio-program");
    var source = Files.write(directory.resolve("program.c"), lines);
    var program = directory.resolve("program");
    var output = run(command, "-o", program.toString(), source.toString());
    if (!Files.exists(program)) {
      fail("%s did not compile: %s", command, String.join("\n", output));
    }
    var printed = run(program.toString());
    Files.delete(program);
    Files.delete(source);
    Files.delete(directory);
    return printed;
  }

  private static boolean isAbsence(String message) {
    return message.contains("undeclared")
        || message.contains("incomplete type")
        || message.contains("undefined type");
  }

  private static List<String> run(String... arguments) throws IOException, InterruptedException {
    var builder = new ProcessBuilder(arguments).redirectErrorStream(true);
    builder.environment().put("LC_ALL", "C");
    var process = builder.start();
    try (var reader = process.inputReader()) {
      var lines = reader.lines().toList();
      process.waitFor();
      return lines;
    }
  }

  @Override
  public String toString() {
    return command;
  }
}
