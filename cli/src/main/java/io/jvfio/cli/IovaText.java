// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.AddressVerdict;
import io.jvfio.DmaWindow;
import io.jvfio.cli.option.AddressText;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Text;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A DMA space as a table in the order of addresses. */
final class IovaText {
  private static final int WIDTH = 100;
  private static final String GAP = "  ";

  /** Live maps of a window that have rows of their own; of more, neighbours share one. */
  private static final int MOST_MAPS = 16;

  /** So many powers of two lengthen a bar by one mark. */
  private static final int BITS_PER_MARK = 7;

  private static final int BITS_OF_FIRST_MARK = 14;

  private final IovaReport report;
  private final List<Row> rows = new ArrayList<>();

  private record Row(String bar, String first, String last, String size, String what) {}

  private IovaText(IovaReport report) {
    this.report = report;
  }

  static void print(Output output, IovaReport report) {
    new IovaText(report).print(output);
  }

  private void print(Output output) {
    output.line(
        "%s on %s, IOMMU %s".formatted(report.title(), report.host(), report.layout().type()));
    report.summary().forEach(line -> wrapped(output, "", "  ", line));
    output.line("");
    collect();
    printRows(output);
    output.line("");
    output.line(
        "= free   # live map   x reserved   . not translated;"
            + " bars grow with the logarithm of the size");
    report.explained().ifPresent(verdict -> printVerdict(output, verdict));
    report.fits().forEach(fit -> print(output, fit));
  }

  private void collect() {
    rows.add(new Row("", "FIRST", "LAST", "SIZE", "WHAT"));
    @Nullable DmaWindow current = null;
    boolean divided = false;
    for (var stretch : Stretch.of(report.layout(), MOST_MAPS)) {
      var window = stretch.window();
      if (window != null && !window.equals(current)) {
        add('=', window.start(), window.last(), describe(window));
        divided = stretch.last() != window.last() || !stretch.isPlainlyFree();
      }
      current = window;
      if (window == null || divided) {
        add(
            mark(stretch.kind()),
            stretch.start(),
            stretch.last(),
            (window == null ? "" : GAP) + describe(stretch));
      }
    }
  }

  private String describe(DmaWindow window) {
    return "%s, in pages of %s".formatted(report.name(window), Text.bytes(window.pageSize()));
  }

  private String describe(Stretch stretch) {
    var why = report.why(stretch);
    return report.what(stretch) + (why.isEmpty() ? "" : ": " + why);
  }

  private static char mark(Stretch.Kind kind) {
    return switch (kind) {
      case FREE -> '=';
      case MAPPED -> '#';
      case RESERVED -> 'x';
      case OUTSIDE -> '.';
    };
  }

  private void add(char mark, long start, long last, String what) {
    double size = Text.unsigned(last - start) + 1;
    int marks = 1 + Math.max(0, Math.getExponent(size) - BITS_OF_FIRST_MARK) / BITS_PER_MARK;
    rows.add(
        new Row(
            Character.toString(mark).repeat(marks),
            AddressText.of(start),
            AddressText.of(last),
            Text.span(start, last),
            what));
  }

  /** Numbers to the right, so that one sees which is larger. */
  private void printRows(Output output) {
    int bar = rows.stream().mapToInt(row -> row.bar.length()).max().orElseThrow();
    int first = rows.stream().mapToInt(row -> row.first.length()).max().orElseThrow();
    int last = rows.stream().mapToInt(row -> row.last.length()).max().orElseThrow();
    int size = rows.stream().mapToInt(row -> row.size.length()).max().orElseThrow();
    for (var row : rows) {
      var numbers =
          ("%-" + bar + "s" + GAP + "%" + first + "s" + GAP + "%" + last + "s" + GAP + "%" + size
                  + "s" + GAP)
              .formatted(row.bar, row.first, row.last, row.size);
      int indent = row.what.length() - row.what.stripLeading().length();
      var lines = Text.broken(row.what, WIDTH - numbers.length() - indent - GAP.length());
      output.line(numbers + " ".repeat(indent) + lines.getFirst());
      lines.stream()
          .skip(1)
          .forEach(line -> output.line(" ".repeat(numbers.length() + indent) + GAP + line));
    }
  }

  private static void printVerdict(Output output, AddressVerdict verdict) {
    output.line("");
    output.line(IovaReport.asked(verdict));
    wrapped(output, GAP, GAP, verdict.reason());
    if (!verdict.free()) {
      wrapped(output, GAP, GAP, IovaReport.next(verdict));
    }
  }

  private static void print(Output output, IovaReport.Fit fit) {
    output.line("");
    output.line(fit.asked().text() + ": " + fit.answer());
    fit.costs().forEach(cost -> wrapped(output, GAP, GAP, cost));
    fit.estimate().changes().forEach(change -> wrapped(output, GAP + "- ", GAP + GAP, change));
  }

  private static void wrapped(Output output, String first, String next, String text) {
    var lines = Text.broken(text, WIDTH - Math.max(first.length(), next.length()));
    output.line(first + lines.getFirst());
    lines.stream().skip(1).forEach(line -> output.line(next + line));
  }
}
