// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.util.ArrayDeque;

/**
 * A disk that is not used faster than its operator wishes. What is too early waits, in the order of
 * its coming; after a pause a tenth of a second's worth passes at once.
 *
 * <p>A flush neither waits nor counts: what it makes persistent was counted when it was written,
 * and who waits for it would wait for others' transfers.
 */
final class LimitedStorage extends FrontStorage {
  private static final long SECOND = 1_000_000_000;
  private static final long BURST_NANOS = SECOND / 10;

  private final long requestsPerSecond;
  private final long bytesPerSecond;
  private final StorageWake wake;
  private final ArrayDeque<StorageRequest> waiting = new ArrayDeque<>();

  /** When what has passed would have passed, were it spread evenly. */
  private long requestsUntil;

  private long bytesUntil;

  /** When somebody will look; nobody will, if that has passed. */
  private long wakeTime;

  /**
   * Limits a disk.
   *
   * @param requestsPerSecond at least 1, or {@link Long#MAX_VALUE}
   * @param bytesPerSecond at least 1, or {@link Long#MAX_VALUE}
   */
  LimitedStorage(Storage disk, long requestsPerSecond, long bytesPerSecond, StorageWake wake) {
    super(disk);
    this.requestsPerSecond = requestsPerSecond;
    this.bytesPerSecond = bytesPerSecond;
    this.wake = wake;
    requestsUntil = wake.nanoTime();
    bytesUntil = requestsUntil;
    wakeTime = requestsUntil;
  }

  @Override
  public void submit(StorageRequest request) {
    boolean isFlush = request.operation() == StorageRequest.Operation.SYNC;
    if (isFlush || (waiting.isEmpty() && pass(request, wake.nanoTime()))) {
      disk.submit(request);
    } else {
      waiting.add(request);
      setWake(wake.nanoTime());
    }
  }

  private boolean pass(StorageRequest request, long now) {
    if (early(now) > 0) {
      return false;
    }
    requestsUntil = latest(requestsUntil, now - BURST_NANOS) + spread(1, requestsPerSecond);
    bytesUntil = latest(bytesUntil, now - BURST_NANOS) + spread(bytes(request), bytesPerSecond);
    return true;
  }

  private static long bytes(StorageRequest request) {
    return switch (request.operation()) {
      case READ, WRITE -> request.byteSize();
      case CLEAR, ZERO, SYNC -> 0;
    };
  }

  /** How long it takes until something may pass, in nanoseconds; not more than 0 if it may now. */
  private long early(long now) {
    return Math.max(requestsUntil - now, bytesUntil - now);
  }

  private static long latest(long one, long other) {
    return one - other > 0 ? one : other;
  }

  private static long spread(long units, long perSecond) {
    return perSecond == Long.MAX_VALUE ? 0 : (long) ((double) units * SECOND / perSecond);
  }

  private void setWake(long now) {
    if (wakeTime - now <= 0) {
      long nanos = Math.max(early(now), 0);
      wakeTime = now + nanos;
      wake.in(nanos);
    }
  }

  @Override
  public boolean poll() {
    boolean worked = disk.poll();
    if (waiting.isEmpty()) {
      return worked;
    }
    long now = wake.nanoTime();
    long left = NvmeIo.ROUND_BYTES; // all that is late at once would hold others up
    while (!waiting.isEmpty() && left > 0 && pass(waiting.peek(), now)) {
      var request = waiting.poll();
      disk.submit(request);
      left -= NvmeIo.REQUEST_BYTES + bytes(request) + request.extraBytes();
      worked = true;
    }
    if (!waiting.isEmpty()) {
      setWake(now);
    }
    disk.start();
    return worked;
  }

  @Override
  public boolean cancel(StorageRequest request) {
    if (waiting.remove(request)) {
      request.end(StorageResult.CANCELLED);
      return true;
    }
    return disk.cancel(request);
  }

  @Override
  public boolean isIdle() {
    return waiting.isEmpty() && disk.isIdle();
  }

  @Override
  public String describe() {
    var text = new StringBuilder(disk.describe());
    if (requestsPerSecond != Long.MAX_VALUE) {
      text.append(", at most %,d commands a second".formatted(requestsPerSecond));
    }
    if (bytesPerSecond != Long.MAX_VALUE) {
      text.append(", at most %,d bytes a second".formatted(bytesPerSecond));
    }
    return text.toString();
  }

  @Override
  public void close() {
    while (!waiting.isEmpty()) {
      waiting.poll().end(StorageResult.CANCELLED);
    }
    disk.close();
  }
}
