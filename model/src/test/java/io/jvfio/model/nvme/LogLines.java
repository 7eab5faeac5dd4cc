// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.util.ArrayList;
import java.util.List;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/** What is said to the operator while this is open; nothing of it is printed. */
final class LogLines implements AutoCloseable {
  private static final Formatter FORMATTER = new SimpleFormatter();

  private final Logger logger = Logger.getLogger("io.jvfio");
  private final List<String> lines = new ArrayList<>();
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord message) {
          synchronized (lines) {
            lines.add(FORMATTER.formatMessage(message));
          }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  LogLines() {
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
  }

  /** How many lines {@link #take} would tell. */
  int count() {
    synchronized (lines) {
      return lines.size();
    }
  }

  /** What was said since this was last asked. */
  List<String> take() {
    synchronized (lines) {
      var taken = List.copyOf(lines);
      lines.clear();
      return taken;
    }
  }

  @Override
  public void close() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
  }
}
