// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.lang.System.Logger.Level;
import java.util.concurrent.CountDownLatch;

/** A command, as a process of its own, that logs when nobody else logs any more. */
final class LateCommand {
  private LateCommand() {}

  public static void main(String[] args) throws InterruptedException {
    Main.configureLog();
    var end = new CountDownLatch(1);
    try (var _ = new Interruption(end::countDown)) {
      System.err.println("under way");
      end.await();
      awaitEndOfLogging();
      System.getLogger("io.jvfio").log(Level.WARNING, "the last flush failed");
    }
    Interruption.commandEnded(0);
  }

  /** The JVM ends {@code java.util.logging} by a thread of its own, beside that of the command. */
  private static void awaitEndOfLogging() throws InterruptedException {
    for (var thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getClass().getName().startsWith("java.util.logging.")) {
        thread.join();
      }
    }
  }
}
