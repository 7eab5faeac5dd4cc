// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import io.jvfio.Interrupt;
import io.jvfio.InterruptVectors;
import io.jvfio.IrqInfo;
import io.jvfio.VfioException;
import io.jvfio.kernel.Cleanup;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** The vectors of MSI or MSI-X that are in use. */
final class EventVectors implements InterruptVectors {
  private final DeviceInterrupts owner;
  private final InterruptControl control;
  private final IrqInfo index;

  /** Replaced as a whole, so that a vector is found without a lock. */
  private volatile List<EventInterrupt> vectors;

  /** Vectors with eventfds, none of which the kernel knows yet. */
  EventVectors(
      DeviceInterrupts owner,
      InterruptControl control,
      IrqInfo index,
      List<EventInterrupt> vectors) {
    this.owner = owner;
    this.control = control;
    this.index = index;
    this.vectors = List.copyOf(vectors);
  }

  @Override
  public int count() {
    return vectors.size();
  }

  @Override
  public Interrupt vector(int number) {
    var all = vectors;
    return all.get(Objects.checkIndex(number, all.size()));
  }

  List<EventInterrupt> all() {
    return vectors;
  }

  /**
   * Has the kernel signal the eventfds: those of the first vectors if the host has no more, and the
   * others are closed then. Nothing is in use and all are closed when it fails.
   */
  void enable() {
    var wanted = vectors;
    try (var undo = new Cleanup()) {
      wanted.forEach(vector -> undo.add(vector::release));
      int usable = connectAll(wanted);
      undo.release();
      vectors = List.copyOf(wanted.subList(0, usable));
      release(wanted.subList(usable, wanted.size()));
    }
  }

  /** How many of them the kernel has taken; it takes the first call for all there will be. */
  private int connectAll(List<EventInterrupt> wanted) {
    for (int count = wanted.size(); ; ) {
      int result = connect(0, wanted.subList(0, count));
      if (result == 0) {
        return count;
      }
      if (result < 0 || result >= count) {
        throw failure(result);
      }
      count = result; // so many can be had
    }
  }

  private int connect(int start, List<EventInterrupt> some) {
    var descriptors = new int[some.size()];
    for (int i = 0; i < descriptors.length; i++) {
      descriptors[i] = some.get(i).event().fd();
    }
    return control.set(
        Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_EVENTFD,
        index.index(),
        start,
        descriptors.length,
        descriptors);
  }

  private VfioException failure(int result) {
    return DeviceInterrupts.failure(control, control.subject(), index, result);
  }

  private static void release(List<EventInterrupt> some) {
    try (var steps = new Cleanup()) {
      some.forEach(vector -> steps.add(vector::release));
    }
  }

  @Override
  public int grow(int count) {
    return owner.grow(this, count);
  }

  /** Under the owner's lock. */
  int growTo(int count) {
    var before = vectors;
    if (count < before.size() || count > index.count()) {
      throw new IllegalArgumentException(
          "%s has %d %s vectors, of which %d are in use; it cannot have %d"
              .formatted(control.subject(), index.count(), index.label(), before.size(), count));
    }
    if (count == before.size()) {
      return count;
    }
    var wanted = new ArrayList<>(before);
    try (var undo = new Cleanup()) {
      for (int number = before.size(); number < count; number++) {
        var vector = owner.newInterrupt(index, number);
        undo.add(vector::release);
        wanted.add(vector);
      }
      int usable =
          index.resizable() ? connectOneByOne(wanted, before.size()) : reconnect(wanted, before);
      undo.release();
      vectors = List.copyOf(wanted.subList(0, usable));
      release(wanted.subList(usable, wanted.size()));
      return usable;
    }
  }

  /** Dynamic MSI-X: the others are not touched, and the host may run out at any vector. */
  private int connectOneByOne(List<EventInterrupt> wanted, int first) {
    try (var undo = new Cleanup()) {
      for (int number = first; number < wanted.size(); number++) {
        int result = connect(number, wanted.subList(number, number + 1));
        if (result == Errno.ENOSPC.result()) {
          undo.release();
          return number;
        }
        if (result != 0) {
          throw failure(result);
        }
        int connected = number;
        undo.add(() -> disconnect(connected));
      }
      undo.release();
      return wanted.size();
    }
  }

  private void disconnect(int number) {
    int result =
        control.set(
            Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_EVENTFD,
            index.index(),
            number,
            1,
            -1);
    if (result != 0) {
      throw failure(result);
    }
  }

  /** All off and on again: what came in between is lost, so the old ones are signalled. */
  private int reconnect(List<EventInterrupt> wanted, List<EventInterrupt> before) {
    owner.disable(index);
    int usable;
    try {
      usable = connectAll(wanted);
    } catch (VfioException e) {
      restore(before, e);
      throw e;
    }
    if (usable < before.size()) {
      var fewer =
          new VfioException(
              Vfio.VFIO_DEVICE_SET_IRQS.name(),
              control.subject(),
              null,
              "The host has only %d vectors left; %d were in use.".formatted(usable, before.size()),
              "Close other devices, and enable the interrupts of this one again.");
      try (var steps = new Cleanup()) {
        steps.add(() -> owner.lost(this));
        steps.add(() -> owner.disable(index));
        throw fewer;
      }
    }
    signal(before.size());
    return usable;
  }

  private void restore(List<EventInterrupt> before, VfioException failure) {
    int result = connect(0, before);
    if (result == 0) {
      signal(before.size());
    } else {
      failure.addSuppressed(failure(result));
      owner.lost(this);
    }
  }

  private void signal(int count) {
    int result =
        control.set(
            Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_NONE,
            index.index(),
            0,
            count);
    if (result != 0) {
      throw failure(result);
    }
  }

  @Override
  public void close() {
    owner.close(this);
  }

  @Override
  public String toString() {
    return "%s, %d %s vectors".formatted(control.subject(), count(), index.label());
  }
}
