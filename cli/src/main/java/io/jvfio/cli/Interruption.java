package io.jvfio.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * What Ctrl-C does while something is under way that has to be ended in order: it is told to end,
 * and the JVM waits until it has.
 */
final class Interruption implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 120;

  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread hook;

  /** From now on Ctrl-C runs {@code stop}, in a thread of its own, and waits for {@link #close}. */
  Interruption(Runnable stop) {
    hook =
        Thread.ofPlatform()
            .name("jvfio-interruption")
            .unstarted(
                () -> {
                  stop.run();
                  awaitEnd();
                });
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void awaitEnd() {
    try {
      if (!ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("jvfio: it did not end; the device is left as it is");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    ended.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is shutting down: it was interrupted.
    }
  }
}
