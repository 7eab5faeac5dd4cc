// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * Commands that were fetched and not yet carried out, because a fault holds them, and completions
 * that are owed besides those that commands bring about by themselves.
 */
final class NvmeHeldCommands {
  private final NvmeFaults faults;
  private final List<Held> held = new ArrayList<>();
  private final List<Owed> owed = new ArrayList<>();
  private int releasesSeen;

  /** Carries out a command that was held. */
  interface Executor {
    /**
     * Returns a status as it is to be reported, {@link NvmeStatus#NO_COMPLETION}, or {@link
     * NvmeStatus#PENDING} if the completion will be owed later.
     */
    int execute(NvmeCommand command, List<NvmeFault.Effect> effects);
  }

  /** A command and when it is due, in nanoseconds of {@link System#nanoTime}. */
  private record Held(NvmeCommand command, List<NvmeFault.Effect> effects, long since, long delay) {
    boolean isDue(long now) {
      return now - since >= delay;
    }
  }

  /** A completion that has to be posted when there is room. */
  private record Owed(int queueId, int commandId, int result, int status) {}

  NvmeHeldCommands(NvmeFaults faults) {
    this.faults = faults;
    releasesSeen = faults.releases();
  }

  /** Holds a command for so long; {@code effects} are what else happens to it then. */
  void hold(NvmeCommand command, List<NvmeFault.Effect> effects, long nanos) {
    held.add(new Held(command.copy(), effects, System.nanoTime(), nanos));
    faults.countHeld(1);
  }

  void owe(int queueId, int commandId, int result, int status) {
    owed.add(new Owed(queueId, commandId, result, status));
  }

  /** Whether {@link #deliver} would find something to do. */
  boolean hasWork() {
    if (!owed.isEmpty()) {
      return true;
    }
    if (held.isEmpty()) {
      return false;
    }
    long now = System.nanoTime();
    return releasesSeen != faults.releases() || held.stream().anyMatch(each -> each.isDue(now));
  }

  /**
   * Carries out what is due and posts what is owed, as far as there is room.
   *
   * @return whether there was anything
   * @throws DmaFaultException if a completion queue cannot be reached
   */
  boolean deliver(NvmeQueues queues, Executor executor) throws DmaFaultException {
    int releases = faults.releases();
    boolean isReleased = releases != releasesSeen;
    releasesSeen = releases;
    long now = System.nanoTime();
    boolean worked = false;
    // Carrying one out can drop others: a deleted queue takes its commands along.
    for (var each : List.copyOf(held)) {
      if ((isReleased || each.isDue(now)) && drop(each)) {
        worked = true;
        var command = each.command;
        int status = executor.execute(command, each.effects);
        if (status >= NvmeStatus.SUCCESS) {
          owe(command.queueId(), command.id(), command.result(), status);
        }
      }
    }
    for (var each = owed.iterator(); each.hasNext(); ) {
      worked |= post(each, queues);
    }
    return worked;
  }

  private static boolean post(Iterator<Owed> position, NvmeQueues queues) throws DmaFaultException {
    var completion = position.next();
    if (!queues.hasRoom(completion.queueId)) {
      return false;
    }
    position.remove();
    queues.complete(completion.queueId, completion.commandId, completion.result, completion.status);
    return true;
  }

  private boolean drop(Held which) {
    boolean isThere = held.remove(which);
    if (isThere) {
      faults.countHeld(-1);
    }
    return isThere;
  }

  /** Gives a command up, to complete as aborted; false if it is not held. */
  boolean abort(int queueId, int commandId) {
    for (var each : held) {
      if (each.command.queueId() == queueId && each.command.id() == commandId) {
        drop(each);
        owe(queueId, commandId, 0, NvmeStatus.ABORT_REQUESTED);
        return true;
      }
    }
    return false;
  }

  /** Gives up all commands of a queue that is about to be deleted. */
  void abortAll(int queueId, NvmeQueues queues) throws DmaFaultException {
    for (var each : List.copyOf(held)) {
      if (each.command.queueId() == queueId) {
        drop(each);
        int id = each.command.id();
        if (queues.hasRoom(queueId)) {
          queues.complete(queueId, id, 0, NvmeStatus.ABORTED_BY_QUEUE_DELETION);
        }
      }
    }
    owed.removeIf(each -> each.queueId == queueId);
  }

  /** Forgets everything, as a reset does. */
  void clear() {
    faults.countHeld(-held.size());
    held.clear();
    owed.clear();
    releasesSeen = faults.releases();
  }
}
