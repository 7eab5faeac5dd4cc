// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * A controller, or a queue of it, is closed, or its device is. What was under way in other threads
 * ends with this too; {@link #reason()} and the message tell what has ended it.
 */
public final class NvmeClosedException extends IllegalStateException {
  @Serial private static final long serialVersionUID = 1;

  private final Reason reason;

  /** The reasons for which a controller or a queue is closed. */
  public enum Reason {
    /** {@link NvmeQueue#close()}. */
    QUEUE_CLOSED,

    /** {@link NvmeController#close()}. */
    CONTROLLER_CLOSED,

    /** The device was closed, or begins to be, before its controller. */
    DEVICE_CLOSED,

    /**
     * The host has asked for the device, to give it to another driver or take it out, and somebody
     * has closed the queue, the controller or the device since. Known where {@link
     * NvmeOptions#onReleaseRequest()} is set.
     */
    DEVICE_LEAVING
  }

  /**
   * Something that is closed.
   *
   * @param message what is closed, and why
   * @param cause what was met with; null if nothing was tried
   */
  NvmeClosedException(String message, Reason reason, @Nullable Throwable cause) {
    super(message, cause);
    this.reason = reason;
  }

  /** The reason for which it is closed. */
  public Reason reason() {
    return reason;
  }
}
