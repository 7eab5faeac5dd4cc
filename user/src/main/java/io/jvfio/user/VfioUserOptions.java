// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import java.time.Duration;
import java.util.Optional;

/**
 * How a device behind a socket is used.
 *
 * @param requestTimeout how long the server may take to answer; a server that takes longer is given
 *     up, with everything that is under way. Positive
 * @param busyPolling how long a thread looks for a reply again and again before it sleeps; zero for
 *     not at all. Worth it where the server answers within microseconds and a processor is to spare
 * @param postedWrites whether register writes return as soon as they are sent. By default they wait
 *     until the server has carried them out, so that an error is an exception, and what the device
 *     does for a write has been done; a posted write that fails is lost without a word
 * @param twinSocket whether the server may be given a socket of its own for its commands, which a
 *     thread of its own serves then
 * @param maxDataTransfer how many bytes of data one message may have for this side, 4096 to 64 MiB
 * @param reconnect how long to try for a new connection when one is lost, before the device is
 *     given up; empty to give it up at once. {@code docs/vfio-user.md} tells what a new connection
 *     brings back
 */
public record VfioUserOptions(
    Duration requestTimeout,
    Duration busyPolling,
    boolean postedWrites,
    boolean twinSocket,
    int maxDataTransfer,
    Optional<Duration> reconnect) {
  private static final int LEAST_TRANSFER = 4096;
  private static final int MOST_TRANSFER = 64 << 20;
  private static final VfioUserOptions DEFAULTS =
      new VfioUserOptions(
          Duration.ofSeconds(30), Duration.ZERO, false, true, 1 << 20, Optional.empty());

  /**
   * Checks the ranges.
   *
   * @throws IllegalArgumentException if a value is out of range
   */
  public VfioUserOptions {
    if (!requestTimeout.isPositive()) {
      throw new IllegalArgumentException("a time limit of " + requestTimeout);
    }
    if (busyPolling.isNegative()) {
      throw new IllegalArgumentException("busy polling for " + busyPolling);
    }
    if (maxDataTransfer < LEAST_TRANSFER || maxDataTransfer > MOST_TRANSFER) {
      throw new IllegalArgumentException(
          "%,d bytes of data in a message, not %,d to %,d"
              .formatted(maxDataTransfer, LEAST_TRANSFER, MOST_TRANSFER));
    }
    if (reconnect.isPresent() && !reconnect.get().isPositive()) {
      throw new IllegalArgumentException("reconnecting for " + reconnect.get());
    }
  }

  /**
   * 30 seconds, no busy polling, writes that wait, a twin socket where the server has one, 1 MiB a
   * message, no reconnecting.
   */
  public static VfioUserOptions defaults() {
    return DEFAULTS;
  }

  /** The same with another time limit. */
  public VfioUserOptions withRequestTimeout(Duration limit) {
    return new VfioUserOptions(
        limit, busyPolling, postedWrites, twinSocket, maxDataTransfer, reconnect);
  }

  /** The same with busy polling for so long. */
  public VfioUserOptions withBusyPolling(Duration time) {
    return new VfioUserOptions(
        requestTimeout, time, postedWrites, twinSocket, maxDataTransfer, reconnect);
  }

  /** The same with posted writes or without. */
  public VfioUserOptions withPostedWrites(boolean posted) {
    return new VfioUserOptions(
        requestTimeout, busyPolling, posted, twinSocket, maxDataTransfer, reconnect);
  }

  /** The same with a twin socket or without. */
  public VfioUserOptions withTwinSocket(boolean twin) {
    return new VfioUserOptions(
        requestTimeout, busyPolling, postedWrites, twin, maxDataTransfer, reconnect);
  }

  /** The same with another limit for the data of a message. */
  public VfioUserOptions withMaxDataTransfer(int bytes) {
    return new VfioUserOptions(
        requestTimeout, busyPolling, postedWrites, twinSocket, bytes, reconnect);
  }

  /** The same, trying for a new connection for so long when one is lost. */
  public VfioUserOptions withReconnect(Duration limit) {
    return new VfioUserOptions(
        requestTimeout, busyPolling, postedWrites, twinSocket, maxDataTransfer, Optional.of(limit));
  }
}
