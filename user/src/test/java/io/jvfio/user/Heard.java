// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/** What an operator hears of a server: its log from warnings on, and what its listener is told. */
final class Heard extends Handler implements VfioUserServerListener {
  private static final long LIMIT_NANOS = 5_000_000_000L;

  private final Logger logger = Logger.getLogger("io.jvfio");
  private final boolean toldParents = logger.getUseParentHandlers();
  private final List<String> all = new CopyOnWriteArrayList<>();

  Heard() {
    logger.addHandler(this);
    logger.setUseParentHandlers(false);
  }

  /** Waits until somebody is told of something. */
  void await(Predicate<String> word, String why) throws InterruptedException {
    long start = System.nanoTime();
    while (all.stream().noneMatch(word) && System.nanoTime() - start < LIMIT_NANOS) {
      Thread.sleep(1);
    }
    assertThat(all).as(why).anyMatch(word);
  }

  List<String> all() {
    return List.copyOf(all);
  }

  void forget() {
    all.clear();
  }

  @Override
  public void publish(LogRecord message) {
    if (message.getLevel().intValue() >= Level.WARNING.intValue()) {
      all.add(new SimpleFormatter().formatMessage(message));
    }
  }

  @Override
  public void clientLeft(String reason, long messages) {
    all.add(reason);
  }

  @Override
  public void refused(String command, String errno) {
    all.add(command + ": " + errno);
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    logger.removeHandler(this);
    logger.setUseParentHandlers(toldParents);
  }
}
