// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DeviceModel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The faults of a controller, for those who test software that drives one. Faults can be injected
 * before and while the controller runs, from any thread; all that match a command hit it.
 *
 * <p>The controller learns of {@link #release}, {@link #become} and {@link #temperature(int)} when
 * its host next lets it run: at the next access to a register, or at {@link DeviceModel#poll}.
 */
public final class NvmeFaults {
  private final CopyOnWriteArrayList<Injected> injected = new CopyOnWriteArrayList<>();
  private final AtomicInteger held = new AtomicInteger();
  private volatile NvmeFailure failure = NvmeFailure.NONE;
  private volatile int kelvin = NvmeLogPages.NORMAL_KELVIN;
  private volatile int releases;

  private record Injected(NvmeFault fault, AtomicLong seen) {}

  /** Creates an object without any fault. */
  public NvmeFaults() {}

  /** Injects a fault, which hits from now on until {@link #clear}. */
  public NvmeFaults inject(NvmeFault fault) {
    injected.add(new Injected(fault, new AtomicLong()));
    return this;
  }

  /** Ends all faults of commands; what is held stays held. */
  public void clear() {
    injected.clear();
  }

  /** Fails the controller as it stands, or repairs it. */
  public void become(NvmeFailure newFailure) {
    failure = newFailure;
  }

  /** The way in which the controller has failed. */
  public NvmeFailure failure() {
    return failure;
  }

  /** Lets all commands that are held now be carried out. */
  public synchronized void release() {
    releases++;
  }

  /**
   * Makes the controller hot or cold. From a threshold on, which is 343 K until software sets
   * another, the SMART log warns of it, and an asynchronous event if software asked for those.
   *
   * @param newKelvin its composite temperature, 0 to 65535; 323 until this is called
   */
  public void temperature(int newKelvin) {
    if (newKelvin < 0 || newKelvin > 0xffff) {
      throw new IllegalArgumentException("%d K is not 0 to 65535 K".formatted(newKelvin));
    }
    kelvin = newKelvin;
  }

  int temperature() {
    return kelvin;
  }

  /** The number of commands that are held. */
  public int held() {
    return held.get();
  }

  /** How often {@link #release} was called. */
  int releases() {
    return releases;
  }

  void countHeld(int change) {
    held.addAndGet(change);
  }

  /** The controller was reset. */
  void reset() {
    if (failure == NvmeFailure.HUNG || failure == NvmeFailure.FATAL) {
      failure = NvmeFailure.NONE;
    }
  }

  /** Whether no command can be hit. */
  boolean isEmpty() {
    return injected.isEmpty();
  }

  /** What happens to this command. */
  List<NvmeFault.Effect> hit(NvmeCommand command) {
    var effects = new ArrayList<NvmeFault.Effect>();
    for (var each : injected) {
      if (each.fault.matches(command) && each.fault.hits(each.seen.getAndIncrement())) {
        effects.add(each.fault.effect());
      }
    }
    return effects;
  }

  @Override
  public String toString() {
    return failure + ", " + injected.stream().map(Injected::fault).toList();
  }
}
