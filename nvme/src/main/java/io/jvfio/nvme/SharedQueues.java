// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.VfioException;
import java.util.Arrays;

/**
 * The queue pairs of the blocking methods. A call takes a pair that is free, or one that is new
 * where all are busy, or waits for one.
 */
final class SharedQueues {
  private final Controller controller;

  /** Replaced when one is added. */
  private volatile SharedQueue[] queues;

  /** How many there can be; fewer than the options say once the controller has no more. */
  private volatile int limit;

  /** With the pair that every controller has. */
  SharedQueues(Controller controller, NvmeQueue firstQueue) {
    this.controller = controller;
    queues = new SharedQueue[] {new SharedQueue(controller, firstQueue)};
    limit = controller.options().sharedQueues();
  }

  /** A pair for this thread alone, until {@link SharedQueue#release()}. */
  SharedQueue acquire() {
    controller.requireUsable();
    var present = queues;
    int start = (int) (Thread.currentThread().threadId() % present.length);
    for (int i = 0; i < present.length; i++) {
      var queue = present[(start + i) % present.length];
      if (queue.tryAcquire()) {
        return queue;
      }
    }
    if (present.length < limit) {
      add(present.length);
    }
    present = queues;
    var queue = present[(int) (Thread.currentThread().threadId() % present.length)];
    queue.acquire();
    return queue;
  }

  private void add(int expected) {
    try {
      controller.run(
          () -> {
            var present = queues;
            if (present.length == expected) {
              var more = Arrays.copyOf(present, expected + 1);
              more[expected] = new SharedQueue(controller, controller.queues().open());
              queues = more;
            }
          });
    } catch (VfioException | NvmeStatusException e) {
      // No pair, no memory, or no controller: the pairs that are there do, or tell it better.
      limit = expected;
    }
  }
}
