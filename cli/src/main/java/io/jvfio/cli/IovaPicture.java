// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.AddressVerdict;
import io.jvfio.DmaWindow;
import io.jvfio.cli.option.AddressText;
import io.jvfio.cli.output.Svg;
import io.jvfio.cli.output.Text;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * A DMA space as an SVG picture: a column of bands from the first address at the top to the last at
 * the bottom.
 *
 * <p>A hole of some KiB and a range of 2^48 bytes must both be seen, so the height of a band grows
 * with the logarithm of its size and is never less than the text beside it needs. That is also why
 * no text can run into another: each band has its own stripe of the picture. Bands that are cut
 * short compared to the smallest one have a break mark.
 */
final class IovaPicture {
  private static final int WIDTH = 960;
  private static final int MARGIN = 28;

  private static final int ADDRESS_END = 186;
  private static final int COLUMN = 200;
  private static final int COLUMN_WIDTH = 140;
  private static final int COLUMN_END = COLUMN + COLUMN_WIDTH;
  private static final int TEXT = 358;
  private static final int BRACKET = 688;
  private static final int WINDOW_TEXT = 710;

  private static final int TITLE_SIZE = 20;
  private static final int SIZE = 12;
  private static final int LINE = 16;

  /** More than a wide font takes for a character on average. */
  private static final double CHARACTER = 0.62 * SIZE;

  private static final int TEXT_CHARACTERS = (int) ((BRACKET - TEXT - 8) / CHARACTER);
  private static final int WINDOW_CHARACTERS = (int) ((WIDTH - MARGIN - WINDOW_TEXT) / CHARACTER);
  private static final int PAGE_CHARACTERS = (int) ((WIDTH - 2 * MARGIN) / CHARACTER);

  private static final int LEAST_HEIGHT = 56;
  private static final double HEIGHT_PER_BIT = 1.6;
  private static final int BITS_OF_LEAST_HEIGHT = 14;
  private static final int BAND_PADDING = 10;

  /** A band is cut if it is so much shorter than the smallest band's scale would make it. */
  private static final double CUT = 8;

  private static final int MAP_INDENT = 8;
  private static final int INSET = 2;

  /** How high a live map is at least. */
  private static final double LEAST_MAP = 1;

  private static final int MARKER_RADIUS = 9;
  private static final int MARKER_STEP = 24;
  private static final int MOST_MARKERS = 5;
  private static final int MARKER_TEXT = MARGIN + 28;

  /** Live maps of a window that have bands of their own; of more, neighbours share one. */
  private static final int MOST_MAPS = 8;

  private static final String STYLE =
      """
      text { font-family: 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif; fill: #1f2328; }
      .mono { font-family: Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
      .strong { font-weight: 600; }
      .soft { fill: #57606a; }
      .paper { fill: #ffffff; }
      .free { fill: #d5efe3; }
      .mapped { fill: #0072b2; }
      .reservedPaper { fill: #fde3d0; }
      .reservedInk { fill: #d55e00; }
      .outsidePaper { fill: #f3f4f6; }
      .outsideInk { fill: #b4bac2; }
      .edge { stroke: #57606a; stroke-width: 1; fill: none; }
      .cutPaper { stroke: #ffffff; stroke-width: 6; fill: none; }
      .marker { fill: #ffffff; stroke: #1f2328; stroke-width: 1.5; }
      .pointer { stroke: #1f2328; stroke-width: 1.5; fill: none; }
      @media (prefers-color-scheme: dark) {
        text { fill: #e6edf3; }
        .soft { fill: #9aa4af; }
        .paper { fill: #0d1117; }
        .free { fill: #12463a; }
        .mapped { fill: #56b4e9; }
        .reservedPaper { fill: #4a2a12; }
        .reservedInk { fill: #e8873a; }
        .outsidePaper { fill: #161b22; }
        .outsideInk { fill: #4b545f; }
        .edge { stroke: #9aa4af; }
        .cutPaper { stroke: #0d1117; }
        .marker { fill: #0d1117; stroke: #e6edf3; }
        .pointer { stroke: #e6edf3; }
      }
      """;

  private final IovaReport report;
  private final List<Band> bands = new ArrayList<>();
  private final List<Question> questions;
  private final List<String> summary = new ArrayList<>();
  private final Svg svg = new Svg();

  /** A stretch and its place in the picture. */
  private record Band(Stretch stretch, double top, double height, List<String> why) {
    double bottom() {
      return top + height;
    }

    double middle() {
      return top + height / 2;
    }
  }

  /**
   * A numbered answer below the column.
   *
   * @param address where its number is in the column, if anywhere
   */
  private record Question(String head, List<String> lines, OptionalLong address) {}

  private IovaPicture(IovaReport report) {
    this.report = report;
    this.questions = questions(report);
    report.summary().forEach(line -> summary.addAll(Text.broken(line, PAGE_CHARACTERS)));
  }

  /** The picture as an SVG document. */
  static String of(IovaReport report) {
    return new IovaPicture(report).draw();
  }

  private String draw() {
    double legend = MARGIN + 46 + summary.size() * LINE + 8;
    double bottom = layOut(legend + 44);
    double answers = bottom + 34;
    double height =
        questions.isEmpty()
            ? bottom + MARGIN
            : answers + questions.stream().mapToDouble(IovaPicture::height).sum() + 8;
    svg.open(
        "svg",
        "xmlns",
        "http://www.w3.org/2000/svg",
        "width",
        WIDTH,
        "height",
        height,
        "viewBox",
        "0 0 %d %d".formatted(WIDTH, (long) Math.ceil(height)),
        "role",
        "img");
    svg.text("title", report.title() + " on " + report.host());
    svg.text("style", STYLE);
    patterns();
    svg.empty("rect", "class", "paper", "width", WIDTH, "height", height);
    head();
    legend(legend);
    bands.forEach(this::band);
    address(bottom, -1);
    report.layout().windows().forEach(this::bracket);
    markers();
    answers(answers);
    return svg.close().toString();
  }

  /** Gives each stretch its place, and returns where the last one ends. */
  private double layOut(double top) {
    double y = top;
    for (var stretch : Stretch.of(report.layout(), MOST_MAPS)) {
      var why = Text.broken(report.why(stretch), TEXT_CHARACTERS);
      int lines = 2 + (int) why.stream().filter(line -> !line.isEmpty()).count();
      double grown =
          LEAST_HEIGHT
              + HEIGHT_PER_BIT
                  * Math.max(0, Math.getExponent(stretch.byteSize()) - BITS_OF_LEAST_HEIGHT);
      double height = Math.max(grown, lines * LINE + BAND_PADDING);
      bands.add(new Band(stretch, y, height, why));
      y += height;
    }
    return y;
  }

  private void patterns() {
    svg.open("defs");
    svg.open(
        "pattern",
        "id",
        "reserved",
        "width",
        9,
        "height",
        9,
        "patternUnits",
        "userSpaceOnUse",
        "patternTransform",
        "rotate(45)");
    svg.empty("rect", "class", "reservedPaper", "width", 9, "height", 9);
    svg.empty("rect", "class", "reservedInk", "width", 3.5, "height", 9);
    svg.close();
    svg.open("pattern", "id", "outside", "width", 8, "height", 8, "patternUnits", "userSpaceOnUse");
    svg.empty("rect", "class", "outsidePaper", "width", 8, "height", 8);
    svg.empty("circle", "class", "outsideInk", "cx", 4, "cy", 4, "r", 1.1);
    svg.close().close();
  }

  private void head() {
    svg.text(
        "text",
        report.title(),
        "class",
        "strong",
        "x",
        MARGIN,
        "y",
        MARGIN + 16,
        "font-size",
        TITLE_SIZE);
    double y = MARGIN + 40;
    words(
        "strong", MARGIN, y, "host %s, IOMMU %s".formatted(report.host(), report.layout().type()));
    for (var line : summary) {
      y += LINE;
      words("soft", MARGIN, y, line);
    }
  }

  private void legend(double top) {
    double x = MARGIN;
    x = legendItem(x, top, Stretch.Kind.FREE, "free");
    x = legendItem(x, top, Stretch.Kind.MAPPED, "live map");
    x = legendItem(x, top, Stretch.Kind.RESERVED, "reserved");
    x = legendItem(x, top, Stretch.Kind.OUTSIDE, "not translated");
    breakMark(x, x + 26, top + 7);
    words("soft", x + 34, top + 11, "cut short: heights are not to scale");
  }

  private double legendItem(double x, double top, Stretch.Kind kind, String label) {
    svg.empty("rect", "x", x, "y", top, "width", 26, "height", 14, fill(kind)[0], fill(kind)[1]);
    svg.empty("rect", "class", "edge", "x", x, "y", top, "width", 26, "height", 14);
    words("soft", x + 34, top + 11, label);
    return x + 34 + label.length() * CHARACTER + 20;
  }

  /** An attribute that fills a shape as of this kind. */
  private static String[] fill(Stretch.Kind kind) {
    return switch (kind) {
      case FREE -> new String[] {"class", "free"};
      case MAPPED -> new String[] {"class", "mapped"};
      case RESERVED -> new String[] {"fill", "url(#reserved)"};
      case OUTSIDE -> new String[] {"fill", "url(#outside)"};
    };
  }

  private void band(Band band) {
    var stretch = band.stretch();
    boolean mapped = stretch.kind() == Stretch.Kind.MAPPED;
    var fill = fill(mapped ? Stretch.Kind.FREE : stretch.kind());
    svg.open("g");
    svg.text(
        "title", report.what(stretch) + ", " + AddressText.range(stretch.start(), stretch.last()));
    svg.empty(
        "rect",
        "x",
        COLUMN,
        "y",
        band.top(),
        "width",
        COLUMN_WIDTH,
        "height",
        band.height(),
        fill[0],
        fill[1]);
    if (mapped) {
      maps(band);
    }
    svg.close();
    if (isCut(band)) {
      breakMark(COLUMN, COLUMN_END, band.middle());
    }
    svg.empty(
        "rect",
        "class",
        "edge",
        "x",
        COLUMN,
        "y",
        band.top(),
        "width",
        COLUMN_WIDTH,
        "height",
        band.height());
    address(band.top(), stretch.start());
    describe(band);
  }

  /**
   * Live maps lie in their window; several in one band are to scale among each other, and those
   * that touch, as far as one can see, are one block.
   */
  private void maps(Band band) {
    double room = band.height() - 2 * INSET;
    double scale = room / band.stretch().byteSize();
    double from = 0;
    double to = 0;
    for (var mapping : band.stretch().mappings()) {
      double start = Text.unsigned(mapping.iova() - band.stretch().start()) * scale;
      if (start > to + LEAST_MAP / 2) {
        block(band, from, to);
        from = start;
      }
      double end = start + mapping.byteSize() * scale;
      to = Math.min(room, Math.max(end, from + LEAST_MAP));
    }
    block(band, from, to);
  }

  private void block(Band band, double from, double to) {
    svg.empty(
        "rect",
        "class",
        "mapped",
        "x",
        COLUMN + MAP_INDENT,
        "y",
        band.top() + INSET + from,
        "width",
        COLUMN_WIDTH - 2 * MAP_INDENT,
        "height",
        to - from);
  }

  private boolean isCut(Band band) {
    double finest =
        bands.stream()
            .mapToDouble(one -> one.stretch().byteSize() / one.height())
            .min()
            .orElseThrow();
    return band.stretch().mappings().isEmpty()
        && band.stretch().byteSize() / band.height() > CUT * finest;
  }

  /** Two zigzag lines with nothing in between. */
  private void breakMark(double from, double to, double y) {
    svg.empty("path", "class", "cutPaper", "d", zigzag(from - 3, to + 3, y));
    svg.empty("path", "class", "edge", "d", zigzag(from - 3, to + 3, y - 3));
    svg.empty("path", "class", "edge", "d", zigzag(from - 3, to + 3, y + 3));
  }

  private static String zigzag(double from, double to, double y) {
    int teeth = Math.max(2, (int) ((to - from) / 8) & -2);
    var path = new StringBuilder("M").append(number(from)).append(' ').append(number(y));
    for (int i = 1; i <= teeth; i++) {
      double height = i == teeth ? 0 : i % 2 == 1 ? -3.5 : 3.5;
      path.append(" L")
          .append(number(from + (to - from) * i / teeth))
          .append(' ')
          .append(number(y + height));
    }
    return path.toString();
  }

  /** A coordinate to a hundredth. */
  private static String number(double value) {
    return Double.toString(Math.round(value * 100) / 100.0);
  }

  private void address(double y, long address) {
    svg.empty("path", "class", "edge", "d", "M%d %s H%d".formatted(COLUMN - 7, number(y), COLUMN));
    svg.text(
        "text",
        AddressText.of(address),
        "class",
        "mono",
        "x",
        ADDRESS_END,
        "y",
        y + 4,
        "font-size",
        SIZE,
        "text-anchor",
        "end");
  }

  private void describe(Band band) {
    var stretch = band.stretch();
    var lines = band.why().stream().filter(line -> !line.isEmpty()).toList();
    double y = band.middle() - (2 + lines.size()) * LINE / 2.0 + SIZE;
    words(
        "strong",
        TEXT,
        y,
        capital(report.what(stretch)) + ": " + Text.span(stretch.start(), stretch.last()));
    y += LINE;
    words("mono", TEXT, y, AddressText.range(stretch.start(), stretch.last()));
    for (var line : lines) {
      y += LINE;
      words("soft", TEXT, y, line);
    }
  }

  private static String capital(String text) {
    return Character.toUpperCase(text.charAt(0)) + text.substring(1);
  }

  private void bracket(DmaWindow window) {
    var inside = bands.stream().filter(band -> window.equals(band.stretch().window())).toList();
    double top = inside.getFirst().top() + 4;
    double bottom = inside.getLast().bottom() - 4;
    svg.empty(
        "path",
        "class",
        "edge",
        "d",
        "M%d %s H%d V%s H%d".formatted(BRACKET, number(top), BRACKET + 9, number(bottom), BRACKET));
    var lines = new ArrayList<String>();
    lines.add(
        "%s in pages of %s"
            .formatted(Text.span(window.start(), window.last()), Text.bytes(window.pageSize())));
    long mapped = inside.stream().map(Band::stretch).mapToLong(Stretch::mappedBytes).sum();
    if (mapped > 0) {
      lines.add(Text.span((double) mapped) + " mapped");
    }
    double y = (top + bottom) / 2 - (1 + lines.size()) * LINE / 2.0 + SIZE;
    words("strong", WINDOW_TEXT, y, capital(report.name(window)));
    for (var line : lines) {
      for (var part : Text.broken(line, WINDOW_CHARACTERS)) {
        y += LINE;
        words("soft", WINDOW_TEXT, y, part);
      }
    }
  }

  private static List<Question> questions(IovaReport report) {
    var questions = new ArrayList<Question>();
    report.explained().ifPresent(verdict -> questions.addAll(questions(verdict)));
    for (var fit : report.fits()) {
      var lines = new ArrayList<>(fit.costs());
      lines.addAll(fit.estimate().changes());
      questions.add(
          question(fit.asked().text() + ": " + fit.answer(), lines, fit.estimate().iova()));
    }
    return List.copyOf(questions);
  }

  private static List<Question> questions(AddressVerdict verdict) {
    var asked =
        question(
            IovaReport.asked(verdict), List.of(verdict.reason()), OptionalLong.of(verdict.iova()));
    return verdict.free()
        ? List.of(asked)
        : List.of(asked, question(IovaReport.next(verdict), List.of(), verdict.nextFree()));
  }

  private static Question question(String head, List<String> lines, OptionalLong address) {
    int characters = (int) ((WIDTH - MARGIN - MARKER_TEXT) / CHARACTER);
    return new Question(
        head,
        lines.stream().flatMap(line -> Text.broken(line, characters).stream()).toList(),
        address);
  }

  private static double height(Question question) {
    return (1 + question.lines().size()) * LINE + 14;
  }

  /** The numbers of the questions, beside each other in each band. */
  private void markers() {
    Map<Band, Integer> used = new HashMap<>();
    for (int i = 0; i < questions.size(); i++) {
      var address = questions.get(i).address();
      if (address.isEmpty()) {
        continue;
      }
      var band = bandOf(address.getAsLong());
      int place = used.merge(band, 1, Integer::sum) - 1;
      if (place < MOST_MARKERS) {
        double share =
            Text.unsigned(address.getAsLong() - band.stretch().start()) / band.stretch().byteSize();
        double room = band.height() - 2 * MARKER_RADIUS - 6;
        double y = band.top() + MARKER_RADIUS + 3 + share * room;
        double x = COLUMN_END - 16 - place * MARKER_STEP;
        svg.empty(
            "path",
            "class",
            "pointer",
            "d",
            "M%d %s H%s".formatted(COLUMN, number(y), number(x - MARKER_RADIUS)));
        marker(x, y, i + 1);
      }
    }
  }

  private Band bandOf(long address) {
    return bands.stream()
        .filter(band -> band.stretch().contains(address))
        .findFirst()
        .orElseThrow();
  }

  private void marker(double x, double y, int number) {
    svg.empty("circle", "class", "marker", "cx", x, "cy", y, "r", MARKER_RADIUS);
    svg.text(
        "text",
        Integer.toString(number),
        "class",
        "strong",
        "x",
        x,
        "y",
        y + 4,
        "font-size",
        11,
        "text-anchor",
        "middle");
  }

  private void answers(double top) {
    double y = top;
    for (int i = 0; i < questions.size(); i++) {
      var question = questions.get(i);
      marker(MARGIN + MARKER_RADIUS, y, i + 1);
      words("strong", MARKER_TEXT, y + 4, question.head());
      double line = y + 4;
      for (var text : question.lines()) {
        line += LINE;
        words("soft", MARKER_TEXT, line, text);
      }
      y += height(question);
    }
  }

  private void words(String style, double x, double y, String text) {
    svg.text("text", text, "class", style, "x", x, "y", y, "font-size", SIZE);
  }
}
