// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A command of a document, and what it prints there. A line "..." stands for any lines, and "..."
 * in a line for any text.
 *
 * @param command what is typed
 * @param output the lines that follow, without empty ones at the end
 */
record Shown(String command, List<String> output) {
  private static final String INDENT = "    ";
  private static final String PROMPT = INDENT + "$ ";
  private static final String OURS = "./jvfio ";
  private static final String ANYTHING = "...";

  /** All commands of a document, in their order. */
  static List<Shown> in(String document) {
    List<Shown> all = new ArrayList<>();
    List<String> output = new ArrayList<>();
    for (var line : document.lines().toList()) {
      if (line.startsWith(PROMPT)) {
        output = new ArrayList<>();
        all.add(new Shown(line.substring(PROMPT.length()), output));
      } else if (line.startsWith(INDENT)) {
        output.add(line.substring(INDENT.length()));
      } else if (line.isEmpty()) {
        output.add(line);
      } else {
        output = new ArrayList<>(); // text, which ends what was printed
      }
    }
    all.forEach(one -> one.dropEmptyEnd());
    return all;
  }

  private void dropEmptyEnd() {
    while (!output.isEmpty() && output.getLast().isEmpty()) {
      output.removeLast();
    }
  }

  /** Whether the command is {@code jvfio}. */
  boolean isOfOurs() {
    return command.startsWith(OURS);
  }

  /** The words after {@code ./jvfio}. */
  String[] arguments() {
    return command.substring(OURS.length()).split(" ", -1);
  }

  /** What the whole output matches. */
  Pattern pattern() {
    return Pattern.compile(
        output.stream()
            .map(
                line ->
                    line.strip().equals(ANYTHING)
                        ? "(.*\n)*"
                        : Pattern.quote(line).replace(ANYTHING, "\\E.*\\Q") + " *\n")
            .collect(Collectors.joining("", "", "\\s*")));
  }

  @Override
  public String toString() {
    return command;
  }
}
