// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.ErrnoException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** All answers of one kernel to a suite, in order. */
record Transcript(List<Row> rows) {
  /** The line before and after a recording in a program's output. */
  static final String BEGIN = "@@recording";

  static final String END = "@@recorded"; // not @@end, by which a lane knows the end of a guest

  private static final int COLUMNS = 6;

  /** One answer, and what it was the answer to. */
  record Row(String sequence, int step, String call, Answer answer) {}

  Transcript {
    rows = List.copyOf(rows);
  }

  /** Told what is about to run. */
  interface Progress {
    /** Nobody is told. */
    Progress NONE = new Progress() {};

    /** A sequence begins. */
    default void begin(Sequence sequence) {}

    /** A step of it begins. */
    default void begin(Step step) {}
  }

  /** Runs the sequences one after the other. */
  static Transcript of(List<Sequence> sequences, Runner runner, Progress progress)
      throws ErrnoException {
    var rows = new ArrayList<Row>();
    for (var sequence : sequences) {
      progress.begin(sequence);
      var answers = runner.run(sequence, progress::begin);
      for (int i = 0; i < answers.size(); i++) {
        var call = sequence.steps().get(i).toString();
        rows.add(new Row(sequence.name(), i + 1, call, answers.get(i)));
      }
    }
    return new Transcript(rows);
  }

  /** A line per answer, its columns separated by tabs. */
  void write(PrintStream out) {
    for (var row : rows) {
      out.printf(
          "%s\t%d\t%s\t%s\t%s\t%d\n",
          row.sequence(),
          row.step(),
          row.call(),
          row.answer().result(),
          row.answer().output(),
          row.answer().lockedKilobytes());
    }
  }

  /** Reads what {@link #write} wrote. */
  static Transcript read(List<String> lines) {
    var rows = new ArrayList<Row>();
    for (var line : lines) {
      var columns = line.split("\t", -1);
      if (columns.length != COLUMNS) {
        throw new IllegalArgumentException("not a line of a recording: " + line);
      }
      rows.add(
          new Row(
              columns[0],
              Integer.parseInt(columns[1]),
              columns[2],
              new Answer(columns[3], columns[4], Long.parseLong(columns[5]))));
    }
    return new Transcript(rows);
  }

  /** Two answers to the same call that are not the same. */
  record Difference(Row expected, Row actual) {
    /** A line that says which call, and who answered what. */
    String describe(String expectedName, String actualName) {
      return "%s, step %d, %s%n    %s: %s%n    %s: %s"
          .formatted(
              expected.sequence(),
              expected.step(),
              expected.call(),
              expectedName,
              expected.answer(),
              actualName,
              actual.answer());
    }
  }

  /**
   * Compares answer by answer.
   *
   * @throws IllegalArgumentException when the two are not about the same calls
   */
  static List<Difference> differences(Transcript expected, Transcript actual) {
    var differences = new ArrayList<Difference>();
    int count = Math.min(expected.rows().size(), actual.rows().size());
    for (int i = 0; i < count; i++) {
      var left = expected.rows().get(i);
      var right = actual.rows().get(i);
      if (!left.sequence().equals(right.sequence()) || !left.call().equals(right.call())) {
        throw new IllegalArgumentException(
            "not the same suite: %s, %s against %s, %s"
                .formatted(left.sequence(), left.call(), right.sequence(), right.call()));
      }
      if (!left.answer().equals(right.answer())) {
        differences.add(new Difference(left, right));
      }
    }
    if (expected.rows().size() != actual.rows().size()) {
      throw new IllegalArgumentException(
          "not the same suite: %d calls against %d"
              .formatted(expected.rows().size(), actual.rows().size()));
    }
    return differences;
  }
}
