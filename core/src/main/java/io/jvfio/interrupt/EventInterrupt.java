// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import io.jvfio.Interrupt;
import io.jvfio.InterruptHandler;
import io.jvfio.IrqInfo;
import io.jvfio.jfr.InterruptWaitEvent;
import io.jvfio.jfr.Jfr;
import io.jvfio.kernel.Cleanup;
import io.jvfio.linux.uapi.Vfio;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** An interrupt and the eventfd that the kernel signals for it. */
class EventInterrupt implements Interrupt {
  /** A wait looks up as often as this, so that a lost wake-up delays closing and no more. */
  private static final long SLICE_MILLIS = 1000;

  private final InterruptControl control;
  private final InterruptLoop loop;
  private final IrqInfo index;
  private final int number;
  private final EventFd event;

  /** Set and cleared under the loop's lock. */
  private volatile @Nullable InterruptHandler handler;

  /** Makes the eventfd; the kernel does not know of it yet. */
  EventInterrupt(InterruptControl control, InterruptLoop loop, IrqInfo index, int number) {
    this.control = control;
    this.loop = loop;
    this.index = index;
    this.number = number;
    var name = "%s, %s interrupt".formatted(control.subject(), index.label());
    this.event =
        new EventFd(loop.kernel(), index.count() > 1 ? "%s %d".formatted(name, number) : name);
  }

  final EventFd event() {
    return event;
  }

  final IrqInfo index() {
    return index;
  }

  final @Nullable InterruptHandler handler() {
    return handler;
  }

  /** Sets the handler, for the loop. */
  final void handler(@Nullable InterruptHandler value) {
    handler = value;
  }

  @Override
  public final void handle(InterruptHandler newHandler) {
    event.enter();
    try {
      loop.add(this, newHandler);
    } finally {
      event.leave();
    }
  }

  @Override
  public final void unhandle() {
    event.enter();
    try {
      loop.remove(this);
    } finally {
      event.leave();
    }
  }

  @Override
  public final long await(Duration timeout) {
    long millis = roundUp(timeout);
    var wait = millis > 0 && Jfr.isInUse() ? InterruptWaitEvent.started() : null;
    long count = await(millis);
    if (wait != null) {
      wait.ended(event.name(), count);
    }
    if (count == 0 && millis > 0 && isMessages(index)) {
      control.waitedInVain(event.name());
    }
    return count;
  }

  private long await(long millis) {
    long start = System.nanoTime();
    event.enter();
    try {
      for (long passed = 0; ; ) {
        refuseIfHandled();
        event.awaitReadable((int) Math.min(millis - passed, SLICE_MILLIS));
        if (event.isClosing()) {
          throw event.closedException();
        }
        refuseIfHandled();
        long count = event.take();
        passed = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
        if (count != 0 || passed >= millis) {
          return count;
        }
      }
    } finally {
      event.leave();
    }
  }

  private static long roundUp(Duration timeout) {
    if (timeout.isNegative()) {
      return 0;
    }
    long most = Long.MAX_VALUE / 2;
    return timeout.compareTo(Duration.ofMillis(most)) > 0
        ? most
        : timeout.plusNanos(TimeUnit.MILLISECONDS.toNanos(1) - 1).toMillis();
  }

  @Override
  public final long poll() {
    event.enter();
    try {
      refuseIfHandled();
      return event.take();
    } finally {
      event.leave();
    }
  }

  private void refuseIfHandled() {
    if (handler != null) {
      throw new IllegalStateException(event.name() + " has a handler, which takes its signals");
    }
  }

  @Override
  public final void trigger() {
    set(Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_NONE);
  }

  /** One call of SET_IRQS for this interrupt alone. */
  final void set(int flags, int... eventFds) {
    event.enter();
    try {
      int result = control.set(flags, index.index(), number, 1, eventFds);
      if (result < 0) {
        if (event.isClosing()) {
          throw event.closedException(); // it was turned off meanwhile
        }
        throw DeviceInterrupts.failure(control, event.name(), index, result);
      }
    } finally {
      event.leave();
    }
  }

  @Override
  public final int fileDescriptor() {
    event.enter();
    event.leave();
    return event.fd();
  }

  /** From now on every call is refused; the first step of closing. */
  void beginClose() {
    event.beginClose();
  }

  /** Ends the handler and who waits, and closes the eventfd, of which the kernel knows no more. */
  void release() {
    try (var steps = new Cleanup()) {
      steps.add(event::close);
      steps.add(() -> loop.remove(this));
    }
  }

  @Override
  public String toString() {
    return event.name();
  }

  /** Whether the device sends them as messages, which takes bus mastering. */
  private static boolean isMessages(IrqInfo index) {
    return index.index() == Vfio.VFIO_PCI_MSI_IRQ_INDEX
        || index.index() == Vfio.VFIO_PCI_MSIX_IRQ_INDEX;
  }
}
