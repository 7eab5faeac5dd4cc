// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/** What the library says went wrong within itself: errors in its log, and threads that died. */
final class Trouble implements AutoCloseable {
  private static final int MOST = 20;

  private final Logger logger = Logger.getLogger("io.jvfio");
  private final Map<String, String> found = new LinkedHashMap<>();
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord message) {
          if (message.getLevel().intValue() >= Level.SEVERE.intValue()) {
            add(message.getMessage(), message.getThrown());
          }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  private volatile String where = "";
  private int count;

  Trouble() {
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    Thread.setDefaultUncaughtExceptionHandler(
        (thread, thrown) -> add("thread " + thread.getName(), thrown));
  }

  /** What is going on, for who reads of trouble. */
  void during(String what) {
    where = what;
  }

  String where() {
    return where;
  }

  synchronized void add(String what, @Nullable Throwable thrown) {
    count++;
    var text = new StringWriter();
    String key = what;
    if (thrown != null) {
      thrown.printStackTrace(new PrintWriter(text));
      var stack = thrown.getStackTrace();
      key += thrown.getClass() + (stack.length > 0 ? stack[0].toString() : "");
    }
    if (found.size() < MOST) {
      found.putIfAbsent(key, "during %s: %s%n%s".formatted(where, what, text));
    }
  }

  /** How often there was any. */
  synchronized int count() {
    return count;
  }

  synchronized boolean isEmpty() {
    return found.isEmpty();
  }

  synchronized String describe() {
    return String.join("\n", found.values());
  }

  @Override
  public void close() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
    Thread.setDefaultUncaughtExceptionHandler(null);
  }
}
