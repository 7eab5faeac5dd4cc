// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The I/O queue pairs of a controller: their numbers, their vectors, and their life at the
 * controller. All methods are called with the controller's lock, or before it is shared.
 */
final class QueueTable {
  private static final int CONTIGUOUS = 1;
  private static final int INTERRUPTS_ENABLED = 1 << 1;

  private final Controller controller;
  private final BitSet ids = new BitSet();
  private final Set<NvmeQueue> queues = new LinkedHashSet<>();

  QueueTable(Controller controller) {
    this.controller = controller;
    // The admin queue's number.
    ids.set(0);
  }

  /**
   * Creates a pair.
   *
   * @throws io.jvfio.VfioException if the controller has no more
   */
  NvmeQueue open() {
    var startup = controller.startup();
    int id = ids.nextClearBit(0);
    if (id > startup.pairs()) {
      throw controller.failure(
          "open a queue",
          "The controller has %d queue pairs, and all are in use.".formatted(startup.pairs()),
          "Close one of them.");
    }
    int entries =
        Math.min(controller.options().queueEntries(), controller.registers().maxQueueEntries());
    var limits = TransferLimits.of(startup.identity(), controller.options());
    var memory =
        new QueueMemory(controller.device().dmaSpace(), entries, limits.listPagesPerCommand());
    int vector = startup.vectors().take();
    var queue = new NvmeQueue(controller, id, vector, entries, memory, limits);
    ids.set(id);
    queues.add(queue);
    try {
      create(queue);
      return queue;
    } catch (RuntimeException | Error e) {
      // While it starts nothing resets the controller; it is stopped before anything is freed.
      if (!controller.isStarting()) {
        queues.remove(queue);
        free(queue, controller.closing(NvmeClosedException.Reason.QUEUE_CLOSED));
      }
      throw e;
    }
  }

  /** Creates a pair at the controller, with empty rings. */
  void create(NvmeQueue queue) {
    int id = queue.id();
    String object = "queue " + id;
    queue.restartRings();
    int size = id | (queue.entries() - 1) << 16;
    int vector = queue.vector();
    int interrupt = vector == Vectors.NONE ? 0 : INTERRUPTS_ENABLED | vector << 16;
    controller.execute(
        Opcode.CREATE_COMPLETION_QUEUE,
        object,
        0,
        queue.memory().completionIova(),
        SubmissionEntry.pair(size, CONTIGUOUS | interrupt));
    try {
      controller.execute(
          Opcode.CREATE_SUBMISSION_QUEUE,
          object,
          0,
          queue.submissionIova(),
          SubmissionEntry.pair(size, CONTIGUOUS | id << 16));
    } catch (NvmeStatusException e) {
      delete(Opcode.DELETE_COMPLETION_QUEUE, id);
      throw e;
    }
    queue.isAtController(true);
  }

  /** Deletes a queue at the controller; a controller that cannot is reset, which deletes it too. */
  private void delete(Opcode opcode, int id) {
    try {
      controller.execute(opcode, "queue " + id, 0, 0, id);
    } catch (NvmeStatusException e) {
      controller.recover(e);
    }
  }

  private void delete(NvmeQueue queue) {
    if (queue.isAtController()) {
      queue.isAtController(false);
      // The submission queue first: a completion queue in use cannot be deleted.
      delete(Opcode.DELETE_SUBMISSION_QUEUE, queue.id());
      delete(Opcode.DELETE_COMPLETION_QUEUE, queue.id());
    }
  }

  /**
   * Deletes a pair at the controller and frees its memory after that. The memory of a device that
   * is being closed may be in its reach for a moment still: it goes with the controller, or with
   * the device's space.
   */
  void close(NvmeQueue queue) {
    if (!queues.contains(queue)) {
      return;
    }
    var why = controller.closing(NvmeClosedException.Reason.QUEUE_CLOSED);
    var steps = new CloseSteps();
    if (!controller.isDeviceClosed()) {
      steps.run(() -> delete(queue));
    }
    if (controller.isDeviceClosed()) {
      queue.markClosed(why);
      return;
    }
    queues.remove(queue);
    // Deleted, or the controller was reset: it does not reach the memory any more.
    steps.run(() -> free(queue, why));
    steps.rethrow();
  }

  private void free(NvmeQueue queue, Closing why) {
    queue.markClosed(why);
    queue.memory().close();
    // A thread that is still on its way out could ring the doorbell of whoever has the number next.
    if (queue.isLeft()) {
      ids.clear(queue.id());
      controller.startup().vectors().give(queue.vector());
    }
  }

  /** The controller was stopped: no queue is there any more, and no command comes back. */
  void endAll() {
    for (var queue : queues) {
      queue.isAtController(false);
      queue.markReset();
    }
  }

  /** Deletes all pairs at the controller; their memory stays. */
  void deleteAll(CloseSteps steps) {
    for (var queue : queues) {
      steps.run(() -> delete(queue));
    }
  }

  /** Frees the memory of all pairs: the controller is stopped. */
  void closeAll(Closing why, CloseSteps steps) {
    for (var queue : List.copyOf(queues)) {
      queues.remove(queue);
      steps.run(() -> free(queue, why));
    }
  }
}
