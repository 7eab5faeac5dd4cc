package io.jvfio.nvme;

import java.time.Duration;

/**
 * How a controller is driven.
 *
 * @param commandTimeout how long to wait for the next completion before the controller is given up;
 *     positive
 * @param queueEntries entries of the I/O queues, 2 to 1024; the controller may support fewer
 */
public record NvmeOptions(Duration commandTimeout, int queueEntries) {
  private static final int MAX_QUEUE_ENTRIES = 1024;
  private static final NvmeOptions DEFAULTS = new NvmeOptions(Duration.ofSeconds(30), 64);

  /**
   * Checks the ranges.
   *
   * @throws IllegalArgumentException if a value is out of range
   */
  public NvmeOptions {
    if (!commandTimeout.isPositive()) {
      throw new IllegalArgumentException("a command time-out of " + commandTimeout);
    }
    if (queueEntries < 2 || queueEntries > MAX_QUEUE_ENTRIES) {
      throw new IllegalArgumentException(
          "%d queue entries, not 2 to %d".formatted(queueEntries, MAX_QUEUE_ENTRIES));
    }
  }

  /** 30 seconds and 64 entries. */
  public static NvmeOptions defaults() {
    return DEFAULTS;
  }

  /** The same with another time-out. */
  public NvmeOptions withCommandTimeout(Duration timeout) {
    return new NvmeOptions(timeout, queueEntries);
  }

  /** The same with another number of queue entries. */
  public NvmeOptions withQueueEntries(int entries) {
    return new NvmeOptions(commandTimeout, entries);
  }
}
