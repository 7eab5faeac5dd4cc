// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.time.Duration;

/**
 * One interrupt of a device: an eventfd that the kernel signals.
 *
 * <p>Signals are counted until they are taken: by a handler, or by {@link #await} and {@link
 * #poll}, never both. Safe for use by several threads; each signal is taken once.
 *
 * <p>All methods throw {@link IllegalStateException} once the interrupt or its device is closed; a
 * wait that is under way then ends with it too.
 */
public interface Interrupt {
  /**
   * Has signals taken by a handler, on the one thread that all handlers of a device share. A
   * handler that is set already is replaced.
   */
  void handle(InterruptHandler handler);

  /** Ends what {@link #handle} began; the handler is not being called any more when it returns. */
  void unhandle();

  /**
   * Waits for a signal. Where a message was waited for in vain while bus mastering is off, without
   * which a device sends none, a warning in the log {@code io.jvfio} says so, once.
   *
   * @param timeout how long to wait; rounded up to milliseconds
   * @return how often it was signalled since it was taken last; 0 when the time is over
   * @throws IllegalStateException if there is a handler
   */
  long await(Duration timeout);

  /**
   * Takes the signals there are, without waiting.
   *
   * @return how often it was signalled since it was taken last
   * @throws IllegalStateException if there is a handler
   */
  long poll();

  /** Signals it by software, as the device would: a loopback test of all but the device. */
  void trigger();

  /** The eventfd, non-blocking, for who has an event loop of their own. */
  int fileDescriptor();
}
