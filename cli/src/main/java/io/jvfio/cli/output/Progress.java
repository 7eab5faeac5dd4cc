// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import java.io.PrintWriter;

/**
 * How far long work has come, on one line of a terminal; nothing where standard error is no
 * terminal.
 */
public final class Progress implements AutoCloseable {
  private static final long INTERVAL_NANOS = 100_000_000;

  private final PrintWriter err;
  private final String what;
  private final long total;
  private final boolean visible;
  private long lastShown = System.nanoTime();
  private int shownLength;

  /** Work of which it is known how much there is. */
  public Progress(Output output, String what, long total) {
    this.err = output.err();
    this.what = what;
    this.total = total;
    this.visible = !output.isJson() && isTerminal();
  }

  /** Work whose end is not known; see {@link #show}. */
  public Progress(Output output) {
    this(output, "", 1);
  }

  @SuppressWarnings("SystemConsoleNull") // JDK 25 answers null again where there is no terminal
  private static boolean isTerminal() {
    var console = System.console();
    return console != null && console.isTerminal();
  }

  /** Tells that {@code done} of the total is done. */
  public void at(long done) {
    long now = System.nanoTime();
    if (visible && now - lastShown >= INTERVAL_NANOS) {
      lastShown = now;
      show("%s %3d %%".formatted(what, done * 100 / total));
    }
  }

  /** Shows a line of text instead of the one before. */
  public void show(String text) {
    if (visible) {
      err.print("\r" + text + " ".repeat(Math.max(0, shownLength - text.length())));
      err.flush();
      shownLength = text.length();
    }
  }

  @Override
  public void close() {
    if (shownLength > 0) {
      err.print("\r" + " ".repeat(shownLength) + "\r");
      err.flush();
    }
  }
}
