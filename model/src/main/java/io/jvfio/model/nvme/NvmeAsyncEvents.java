// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import java.util.ArrayDeque;
import java.util.Arrays;

/**
 * Asynchronous events: requests held until something happens, and what happened while no request
 * was held. Source: NVM Express Base Specification, "Asynchronous Event Request command".
 *
 * <p>After an event its type stays masked until software reads the log page of the event.
 */
final class NvmeAsyncEvents {
  /** How many requests are held at most. */
  static final int LIMIT = 4;

  static final int TYPE_ERROR = 0;
  static final int TYPE_SMART = 1;
  static final int INVALID_DOORBELL_REGISTER = 0;
  static final int INVALID_DOORBELL_VALUE = 1;
  static final int RELIABILITY_DEGRADED = 0;
  static final int TEMPERATURE_THRESHOLD = 1;

  private static final int TYPES = 8;

  private final ArrayDeque<Integer> heldCommandIds = new ArrayDeque<>();
  private final ArrayDeque<Integer> abortedCommandIds = new ArrayDeque<>();
  private final int[] pending = new int[TYPES];
  private final boolean[] isPending = new boolean[TYPES];
  private final boolean[] isMasked = new boolean[TYPES];

  /** Holds a request; false if there are too many. */
  boolean hold(int commandId) {
    if (heldCommandIds.size() + abortedCommandIds.size() == LIMIT) {
      return false;
    }
    heldCommandIds.add(commandId);
    return true;
  }

  /** Gives up a held request, to be completed as aborted; false if there is none of this id. */
  boolean abort(int commandId) {
    return heldCommandIds.remove(commandId) && abortedCommandIds.add(commandId);
  }

  /**
   * Something happened; only the first of a type is kept until it is reported.
   *
   * @return false if it was not the first, or software has not read the log page of the last one
   */
  boolean raise(int type, int information, int logPage) {
    if (isPending[type] || isMasked[type]) {
      return false;
    }
    isPending[type] = true;
    pending[type] = type | (information << 8) | (logPage << 16);
    return true;
  }

  /** Software read a log page: it can be told again of events that go with it. */
  void unmask(int logPage) {
    switch (logPage) {
      case NvmeLogPages.ERROR_INFORMATION -> isMasked[TYPE_ERROR] = false;
      case NvmeLogPages.SMART -> isMasked[TYPE_SMART] = false;
      default -> {
        // No event tells to read it.
      }
    }
  }

  /** Completes aborted requests, and held ones with what is pending, as far as there is room. */
  void deliver(NvmeQueues queues) throws DmaFaultException {
    while (!abortedCommandIds.isEmpty() && queues.hasRoom(0)) {
      queues.complete(0, abortedCommandIds.remove(), 0, NvmeStatus.ABORT_REQUESTED);
    }
    int type = firstPending();
    while (type >= 0 && !heldCommandIds.isEmpty() && queues.hasRoom(0)) {
      isPending[type] = false;
      isMasked[type] = true;
      queues.complete(0, heldCommandIds.remove(), pending[type], NvmeStatus.SUCCESS);
      type = firstPending();
    }
  }

  /** The type of an event that is to be told, or -1; no object, for this is asked in each round. */
  private int firstPending() {
    for (int type = 0; type < TYPES; type++) {
      if (isPending[type]) {
        return type;
      }
    }
    return -1;
  }

  /** Forgets all requests and events. */
  void reset() {
    heldCommandIds.clear();
    abortedCommandIds.clear();
    Arrays.fill(isPending, false);
    Arrays.fill(isMasked, false);
  }
}
