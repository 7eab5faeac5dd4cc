// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.jfr.Jfr;

/**
 * Watches over the time that the commands of a queue take. A command that takes too long is
 * aborted, by the Abort command; if it does not come back after that, the controller is reset.
 *
 * <p>The clock is read now and then only, so a command's time begins when the watchdog first saw
 * it. Not safe for use by several threads at once.
 */
final class Watchdog {
  /** How much time looks may be apart at most; it bounds how late a removal is noticed, too. */
  private static final long LONGEST_INTERVAL = 100_000_000;

  private static final long LONGEST_GRACE = 10_000_000_000L;
  private static final int INTERVALS_PER_TIMEOUT = 8;

  private final Controller controller;
  private final CommandSlots slots;
  private final int queueId;
  private final long timeout;
  private final long grace;
  private final long interval;
  private long lastLook = System.nanoTime();

  Watchdog(Controller controller, CommandSlots slots, int queueId) {
    this.controller = controller;
    this.slots = slots;
    this.queueId = queueId;
    timeout = controller.options().commandTimeout().toNanos();
    grace = Math.min(timeout, LONGEST_GRACE);
    interval = Math.min(timeout / INTERVALS_PER_TIMEOUT, LONGEST_INTERVAL);
  }

  /**
   * Looks after the commands, if it is time.
   *
   * @param resets how many resets of the controller the queue knows of
   */
  void look(int resets) {
    long now = System.nanoTime();
    if (slots.takenCount() == 0 || now - lastLook < interval) {
      return;
    }
    lastLook = now;
    try {
      controller.registers().checkRunning("wait for a command");
    } catch (RuntimeException | Error e) {
      controller.recoverFrom(e, resets);
      return;
    }
    long nonZero = now == 0 ? 1 : now;
    for (int slot = 0; slot < slots.count(); slot++) {
      if (slots.isInFlight(slot)) {
        long age = slots.age(slot, nonZero);
        if (slots.isAborted(slot) && age >= grace) {
          told(slot, grace, "reset");
          controller.recoverFrom(
              controller
                  .registers()
                  .commandTimeout(
                      "command %d of queue %d".formatted(slots.id(slot), queueId), timeout),
              resets);
          return;
        }
        if (!slots.isAborted(slot) && age >= timeout) {
          abort(slot);
        }
      }
    }
  }

  /** Aborts a command; where another thread has the admin queue, the next look does it. */
  private void abort(int slot) {
    controller.tryRun(
        () -> {
          slots.aborted(slot);
          told(slot, timeout, "abort");
          try {
            controller.execute(Opcode.ABORT, "a command", 0, 0, queueId | slots.id(slot) << 16);
          } catch (RuntimeException e) {
            // A controller that cannot abort is given its grace, one that did not answer was reset.
            slots.aborted(slot);
          }
        });
  }

  private void told(int slot, long limit, String action) {
    if (Jfr.isInUse()) {
      NvmeTimeoutEvent.told(controller.name(), queueId, slots.id(slot), limit, action);
    }
  }
}
