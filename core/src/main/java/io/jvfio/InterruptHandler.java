// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/** A callback for an interrupt that was signalled. */
@FunctionalInterface
public interface InterruptHandler {
  /**
   * Handles the signals; called on the device's interrupt thread, one handler at a time. An
   * exception does not end the thread: it is told in the log, and the handler is called again at
   * the next signal.
   *
   * @param count how often it was signalled since the last call, at least 1
   */
  void signalled(long count);
}
