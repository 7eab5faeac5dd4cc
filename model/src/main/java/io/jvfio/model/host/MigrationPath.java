// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.host;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_ERROR;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_PRE_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RUNNING_P2P;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_MIGRATION_P2P;
import static io.jvfio.linux.uapi.Vfio.VFIO_MIGRATION_PRE_COPY;
import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The way from one migration state to another: the shortest over states that the driver has, with
 * no state of saving on the way unless both ends are such. Source of the rule: {@code
 * include/uapi/linux/vfio.h}, {@code vfio_mig_get_next_state} in {@code drivers/vfio/vfio_main.c}.
 */
public final class MigrationPath {
  private static final int STATES = VFIO_DEVICE_STATE_PRE_COPY_P2P + 1;
  private static final Set<Integer> SAVING =
      Set.of(
          VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_STOP_COPY);

  private final boolean peerToPeer;
  private final boolean preCopy;
  private final Map<Integer, List<Integer>> steps = new HashMap<>();

  /**
   * The ways of a driver.
   *
   * @param abilities {@code VFIO_MIGRATION_} flags of the states that it has
   */
  public MigrationPath(int abilities) {
    peerToPeer = (abilities & VFIO_MIGRATION_P2P) != 0;
    preCopy = (abilities & VFIO_MIGRATION_PRE_COPY) != 0;
    both(VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RESUMING);
    both(VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY);
    if (peerToPeer) {
      both(VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P);
      both(VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP);
    } else {
      both(VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_STOP);
    }
    if (preCopy) {
      both(VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_PRE_COPY);
      if (peerToPeer) {
        both(VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_PRE_COPY_P2P);
        both(VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P);
        step(VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_STOP_COPY);
      } else {
        step(VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_STOP_COPY);
      }
    }
  }

  private void both(int one, int other) {
    step(one, other);
    step(other, one);
  }

  private void step(int from, int to) {
    steps.computeIfAbsent(from, _ -> new ArrayList<>()).add(to);
  }

  private boolean exists(int state) {
    return state > VFIO_DEVICE_STATE_ERROR
        && state < STATES
        && (peerToPeer
            || (state != VFIO_DEVICE_STATE_RUNNING_P2P && state != VFIO_DEVICE_STATE_PRE_COPY_P2P))
        && (preCopy
            || (state != VFIO_DEVICE_STATE_PRE_COPY && state != VFIO_DEVICE_STATE_PRE_COPY_P2P));
  }

  /** The next state on the way, {@code to} itself if it is there already, or a negated errno. */
  public int next(int from, int to) {
    boolean backwards = from == VFIO_DEVICE_STATE_STOP_COPY && SAVING.contains(to) && from != to;
    if (!exists(from) || !exists(to) || backwards) {
      return Errno.EINVAL.result();
    }
    boolean saves = SAVING.contains(from) && SAVING.contains(to);
    var firstSteps = new HashMap<Integer, Integer>(Map.of(from, from));
    var reached = new ArrayDeque<>(List.of(from));
    while (!firstSteps.containsKey(to)) {
      int at = reached.remove();
      for (int next : steps.getOrDefault(at, List.of())) {
        boolean passes = next == to || saves || !SAVING.contains(next);
        if (passes && !firstSteps.containsKey(next)) {
          firstSteps.put(next, at == from ? next : requireNonNull(firstSteps.get(at)));
          reached.add(next);
        }
      }
    }
    return requireNonNull(firstSteps.get(to));
  }
}
