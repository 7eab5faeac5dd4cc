// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import io.jvfio.cli.output.Scene;
import io.jvfio.cli.output.Scene.Anchor;
import io.jvfio.cli.output.Scene.Ink;
import io.jvfio.cli.output.Scene.Point;
import io.jvfio.cli.output.Text;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * The result of {@code nvme bench} as a picture: latency by percentile above, IOPS over time below.
 *
 * <p>The latency's x axis is logarithmic in what is above the percentile, so that each further nine
 * has as much room as the one before; its y axis is logarithmic, too. A curve only rises, so there
 * is always room for a label at the upper left of a point of it.
 */
public final class BenchPlot {
  private static final int WIDTH = 960;
  private static final int HEIGHT = 760;
  private static final int LEFT = 92;
  private static final int RIGHT = WIDTH - 36;

  private static final int LATENCY_TOP = 132;
  private static final int LATENCY_BOTTOM = 440;
  private static final int RATE_TOP = 540;
  private static final int RATE_BOTTOM = 690;

  private static final int TITLE_SIZE = 20;
  private static final int HEADING_SIZE = 14;
  private static final int SIZE = 12;

  /** What a latency takes at most. */
  private static final int LABEL_WIDTH = 72;

  private static final int MAXIMUM_WIDTH = 104;

  private static final double[] PERCENTILES = {50, 90, 99, 99.9, 99.99, 99.999, 99.9999};
  private static final int STEPS_PER_NINE = 60;
  private static final int MOST_POINTS = 160;
  private static final int[] STEPS = {1, 2, 5};

  private final Scene scene;
  private final BenchReport report;
  private final Histogram latencies;

  /**
   * A picture to be drawn.
   *
   * @param title what was measured
   * @param model the device's model
   */
  public BenchPlot(String title, String model, BenchReport report) {
    this.report = report;
    latencies = report.total().latencies();
    scene = new Scene(title + ": " + report.what(), WIDTH, HEIGHT);
    scene.boldWords(title, 32, 44, TITLE_SIZE, Anchor.START, Ink.STRONG);
    scene.words(model, RIGHT, 44, SIZE, Anchor.END, Ink.SOFT);
    scene.words(report.what(), 32, 66, SIZE + 1, Anchor.START, Ink.SOFT);
    scene.words(report.summary(), 32, 86, SIZE + 1, Anchor.START, Ink.STRONG);
  }

  /** The picture. */
  public Scene scene() {
    heading("Latency by percentile", LATENCY_TOP);
    heading("I/Os per second over time", RATE_TOP);
    if (latencies.getTotalCount() == 0) {
      nothing(LATENCY_TOP, LATENCY_BOTTOM);
    } else {
      latency();
    }
    if (report.result().samples().isEmpty()) {
      nothing(RATE_TOP, RATE_BOTTOM);
    } else {
      rate();
    }
    return scene;
  }

  private void heading(String text, int top) {
    scene.boldWords(text, 32, top - 16, HEADING_SIZE, Anchor.START, Ink.STRONG);
  }

  private void nothing(int top, int bottom) {
    frame(top, bottom);
    scene.words(
        "no I/O was completed",
        (LEFT + RIGHT) / 2.0,
        (top + bottom) / 2.0,
        SIZE,
        Anchor.MIDDLE,
        Ink.SOFT);
  }

  private void frame(int top, int bottom) {
    scene.line(
        1, Ink.FRAME, new Point(LEFT, top), new Point(LEFT, bottom), new Point(RIGHT, bottom));
  }

  /** Places latencies: from the power of ten below the smallest to the one above the largest. */
  private record LatencyAxis(double lowest, double highest) {
    /** What the label of the largest one needs. */
    private static final double ROOM = 1.3;

    static LatencyAxis of(Histogram latencies) {
      double lowest = floor((double) latencies.getMinValue());
      return new LatencyAxis(
          lowest, Math.max(ceiling(latencies.getMaxValue() * ROOM), lowest * 10));
    }

    private static double floor(double value) {
      double power = Math.pow(10, Math.floor(Math.log10(value)));
      return value >= 5 * power ? 5 * power : value >= 2 * power ? 2 * power : power;
    }

    private static double ceiling(double value) {
      double power = Math.pow(10, Math.floor(Math.log10(value)));
      return value <= power
          ? power
          : value <= 2 * power ? 2 * power : value <= 5 * power ? 5 * power : 10 * power;
    }

    double y(double nanos) {
      double share = Math.log(nanos / lowest) / Math.log(highest / lowest);
      return LATENCY_BOTTOM - share * (LATENCY_BOTTOM - LATENCY_TOP);
    }
  }

  private void latency() {
    var axis = LatencyAxis.of(latencies);
    double nines = Math.clamp(Math.log10((double) latencies.getTotalCount()), 1, 7);
    latencyGrid(axis);
    percentileGrid(nines);
    frame(LATENCY_TOP, LATENCY_BOTTOM);

    var curve = new ArrayList<Point>();
    int steps = (int) Math.ceil(nines * STEPS_PER_NINE);
    for (int i = 0; i <= steps; i++) {
      double nine = nines * i / steps;
      double y = axis.y((double) latencies.getValueAtPercentile(percentile(nine)));
      curve.add(new Point(x(nine, nines), y));
    }
    scene.line(2.5, Ink.FIRST, curve);

    for (double percentile : PERCENTILES) {
      double x = x(nines(percentile), nines);
      if (x <= RIGHT - MAXIMUM_WIDTH) {
        mark(axis, x, (double) latencies.getValueAtPercentile(percentile), "");
      }
    }
    mark(axis, RIGHT, (double) latencies.getMaxValue(), "max ");
    scene.words(
        "percentile of %,d I/Os".formatted(latencies.getTotalCount()),
        RIGHT,
        LATENCY_BOTTOM + 40,
        SIZE,
        Anchor.END,
        Ink.SOFT);
  }

  private void mark(LatencyAxis axis, double x, double nanos, String name) {
    double y = axis.y(nanos);
    scene.dot(x, y, 4, Ink.SECOND);
    boolean fits = x - LEFT > LABEL_WIDTH;
    scene.boldWords(
        name + Text.latency(nanos),
        fits ? x - 4 : LEFT + 6,
        y - 10,
        SIZE,
        fits ? Anchor.END : Anchor.START,
        Ink.STRONG);
  }

  /** How many nines a percentile has: 1 for 90, 2 for 99. */
  private static double nines(double percentile) {
    return -Math.log10(1 - percentile / 100);
  }

  private static double percentile(double nines) {
    return 100 * (1 - Math.pow(10, -nines));
  }

  private static double x(double nine, double nines) {
    return LEFT + (RIGHT - LEFT) * nine / nines;
  }

  private void percentileGrid(double nines) {
    percentileLine(0, nines, "0 %");
    for (double percentile : PERCENTILES) {
      double nine = nines(percentile);
      if (nine <= nines + 1e-9) {
        percentileLine(nine, nines, number(percentile) + " %");
      }
    }
  }

  private void percentileLine(double nine, double nines, String label) {
    double x = x(nine, nines);
    scene.line(1, Ink.GRID, new Point(x, LATENCY_TOP), new Point(x, LATENCY_BOTTOM));
    scene.words(label, x, LATENCY_BOTTOM + 20, SIZE, anchorUnder(x), Ink.SOFT);
  }

  /** Under its place, unless that is at the end of the axis. */
  private static Anchor anchorUnder(double x) {
    return x > RIGHT - 18 ? Anchor.END : Anchor.MIDDLE;
  }

  private void latencyGrid(LatencyAxis axis) {
    boolean all = axis.highest() / axis.lowest() <= 1000;
    for (double power = 1; power <= axis.highest(); power *= 10) {
      for (int step = 1; step <= 9; step++) {
        double value = power * step;
        if (value < axis.lowest() * 0.999 || value > axis.highest() * 1.001) {
          continue;
        }
        double y = axis.y(value);
        boolean labelled = step == 1 || (all && (step == 2 || step == 5));
        scene.line(1, labelled ? Ink.GRID : Ink.FINE_GRID, new Point(LEFT, y), new Point(RIGHT, y));
        if (labelled) {
          scene.words(Text.latency(value), LEFT - 10, y + 4, SIZE, Anchor.END, Ink.SOFT);
        }
      }
    }
  }

  private void rate() {
    var points = thinned(report.result().samples());
    double highest = points.stream().mapToDouble(Point::y).max().orElseThrow();
    double step = step(highest / 4);
    double top = Math.max(1, Math.ceil(highest / step)) * step;
    double end = report.result().samples().stream().mapToDouble(BenchPlot::end).max().orElseThrow();
    for (double value = 0; value <= top * 1.001; value += step) {
      double y = rateY(value, top);
      scene.line(1, Ink.GRID, new Point(LEFT, y), new Point(RIGHT, y));
      scene.words(count(value), LEFT - 10, y + 4, SIZE, Anchor.END, Ink.SOFT);
    }
    double second = step(end / 8);
    for (double value = 0; value <= end * 1.001; value += second) {
      double x = LEFT + (RIGHT - LEFT) * value / end;
      scene.line(1, Ink.FRAME, new Point(x, RATE_BOTTOM), new Point(x, RATE_BOTTOM + 4));
      scene.words(number(value) + " s", x, RATE_BOTTOM + 20, SIZE, anchorUnder(x), Ink.SOFT);
    }
    var line = new ArrayList<Point>();
    line.add(new Point(LEFT, rateY(points.getFirst().y(), top)));
    for (var point : points) {
      line.add(new Point(LEFT + (RIGHT - LEFT) * point.x() / end, rateY(point.y(), top)));
    }
    line.add(new Point(RIGHT, rateY(points.getLast().y(), top)));
    var area = new ArrayList<>(line);
    area.add(new Point(RIGHT, RATE_BOTTOM));
    area.add(new Point(LEFT, RATE_BOTTOM));
    scene.area(Ink.FIRST_AREA, area);
    scene.line(2, Ink.FIRST, line);
    frame(RATE_TOP, RATE_BOTTOM);
    scene.words(
        "seconds since the measurement began", RIGHT, RATE_BOTTOM + 40, SIZE, Anchor.END, Ink.SOFT);
  }

  private static double end(BenchResult.Sample sample) {
    return sample.seconds() + sample.length() / 2;
  }

  private static double rateY(double value, double top) {
    return RATE_BOTTOM - (RATE_BOTTOM - RATE_TOP) * value / top;
  }

  /** Neighbouring samples as one where there are more than can be told apart. */
  private static List<Point> thinned(List<BenchResult.Sample> samples) {
    int each = Math.ceilDiv(samples.size(), MOST_POINTS);
    var points = new ArrayList<Point>();
    for (int i = 0; i < samples.size(); i += each) {
      var some = samples.subList(i, Math.min(i + each, samples.size()));
      double length = some.stream().mapToDouble(BenchResult.Sample::length).sum();
      double ios = some.stream().mapToLong(BenchResult.Sample::ios).sum();
      double middle =
          some.stream().mapToDouble(BenchResult.Sample::seconds).average().orElseThrow();
      points.add(new Point(middle, ios / length));
    }
    return points;
  }

  /** The smallest of 1, 2, 5, 10, 20 and so on, or of tenths of these, that is not less. */
  private static double step(double least) {
    double power = Math.pow(10, Math.floor(Math.log10(Math.max(least, 1e-3))));
    for (int multiple : STEPS) {
      if (multiple * power >= least * 0.999) {
        return multiple * power;
      }
    }
    return 10 * power;
  }

  /** A number of I/Os, such as {@code 1.5 M}. */
  private static String count(double value) {
    if (value >= 1e6) {
      return number(value / 1e6) + " M";
    }
    return value >= 1e3 ? number(value / 1e3) + " k" : number(value);
  }

  /** A number without zeros at its end. */
  private static String number(double value) {
    double rounded = Math.round(value * 1e4) / 1e4;
    return rounded == Math.rint(rounded) ? Long.toString((long) rounded) : Double.toString(rounded);
  }
}
