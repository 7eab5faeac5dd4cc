// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What Ctrl-C and SIGTERM do while something is under way that has to be ended in order: it is told
 * to end, and the JVM waits until it has, and until the command has said how.
 *
 * <p>The exit status is then the JVM's, 128 and the signal's number, if all went well; and the
 * command's own if it failed.
 */
final class Interruption implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 120;

  /** How long a command takes to say what it has to say at its end. */
  private static final long REPORT_SECONDS = 5;

  /** The one that the JVM waits for while it shuts down, or null. */
  private static volatile @Nullable Interruption underWay;

  private final CountDownLatch ended = new CountDownLatch(1);
  private final CountDownLatch reported = new CountDownLatch(1);
  private volatile int status;
  private final Thread hook;

  /** From now on Ctrl-C runs {@code stop}, in a thread of its own, and waits for {@link #close}. */
  Interruption(Runnable stop) {
    hook =
        Thread.ofPlatform()
            .name("jvfio-interruption")
            .unstarted(
                () -> {
                  underWay = this;
                  stop.run();
                  awaitEnd();
                });
    Runtime.getRuntime().addShutdownHook(hook);
    if (ModuleLayer.boot().findModule("java.logging").isPresent()) {
      JavaLogging.begin();
    }
  }

  /** Used only where there is {@code java.util.logging}. */
  private static final class JavaLogging {
    /** Makes the handlers: none are made any more once the JVM has begun to end. */
    static void begin() {
      java.util.logging.Logger.getLogger("").getHandlers();
    }
  }

  private void awaitEnd() {
    try {
      if (!ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("jvfio: it did not end; the device is left as it is");
      } else if (reported.await(REPORT_SECONDS, TimeUnit.SECONDS) && status != 0) {
        Runtime.getRuntime().halt(status);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The command has said all that it has to say, and would end the JVM with this exit status. */
  static void commandEnded(int exitStatus) {
    var present = underWay;
    if (present != null) {
      present.status = exitStatus;
      present.reported.countDown();
    }
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      underWay = this; // the JVM is shutting down: it was interrupted
    }
    ended.countDown();
  }
}
