// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import org.jspecify.annotations.Nullable;

/**
 * Why something is closed.
 *
 * @param reason what it is closed by
 * @param thread who has done it, as words; empty where that is not known
 */
record Closing(NvmeClosedException.Reason reason, String thread) {
  /** By the caller. */
  static Closing byThisThread(NvmeClosedException.Reason reason) {
    var thread = Thread.currentThread();
    return new Closing(
        reason,
        thread.getName().isEmpty()
            ? "thread " + thread.threadId()
            : "thread '%s'".formatted(thread.getName()));
  }

  /**
   * What to throw.
   *
   * @param what is closed, such as {@code queue 2 of 0000:01:00.0}
   * @param cause what was met with; null if nothing was tried
   */
  NvmeClosedException exception(String what, @Nullable Throwable cause) {
    var why =
        switch (reason) {
          case QUEUE_CLOSED -> thread + " has closed it";
          case CONTROLLER_CLOSED -> thread + " has closed the controller";
          case DEVICE_CLOSED -> "its device was closed before the controller";
          case DEVICE_LEAVING -> "the device is leaving its driver, as the host has asked for it";
        };
    return new NvmeClosedException("%s is closed: %s".formatted(what, why), reason, cause);
  }
}
