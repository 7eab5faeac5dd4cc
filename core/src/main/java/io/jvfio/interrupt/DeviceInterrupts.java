// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import io.jvfio.Interrupt;
import io.jvfio.InterruptVectors;
import io.jvfio.Interrupts;
import io.jvfio.IntxLine;
import io.jvfio.IrqInfo;
import io.jvfio.VfioException;
import io.jvfio.kernel.Cleanup;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The interrupts of a device, as eventfds.
 *
 * <p>What is in use changes under the lock of this object; nobody waits for a handler, or for
 * somebody who waits for a signal, while holding it. Closing goes in three steps: every call is
 * refused, the kernel is told to signal nothing, and the eventfds are closed once nobody uses them.
 */
public final class DeviceInterrupts implements Interrupts {
  private static final int INTX = 0;
  private static final int MSI = 1;
  private static final int MSIX = 2;
  private static final int ERROR = 3;
  private static final int REQUEST = 4;

  private final InterruptControl control;
  private final List<IrqInfo> indexes;
  private final InterruptLoop loop;

  /** The line or the vectors in use, or null; guarded by this. */
  private @Nullable AutoCloseable inUse;

  /** Its index, or null if the kernel has turned it off; guarded by this. */
  private @Nullable IrqInfo inUseIndex;

  /** What it consists of; guarded by this. */
  private List<EventInterrupt> interrupts = List.of();

  private @Nullable EventInterrupt error;
  private @Nullable EventInterrupt request;
  private boolean closed;

  public DeviceInterrupts(Kernel kernel, InterruptControl control, List<IrqInfo> indexes) {
    this.control = control;
    this.indexes = indexes;
    this.loop = new InterruptLoop(kernel, control.subject());
  }

  /** What a result other than 0 of SET_IRQS means. */
  static VfioException failure(
      InterruptControl control, String subject, IrqInfo index, int result) {
    var errno = result < 0 ? Errno.ofResult(result) : null;
    var why =
        errno == null
            ? control.answers().tooManyVectors(result)
            : control.answers().interrupts(index, errno);
    return why.failure(
        "%s(%s)".formatted(Vfio.VFIO_DEVICE_SET_IRQS.name(), index.label()), subject, errno);
  }

  @Override
  public List<IrqInfo> indexes() {
    return indexes;
  }

  @Override
  public InterruptVectors enableMsix(int count) {
    return enableVectors(MSIX, count);
  }

  @Override
  public InterruptVectors enableMsi(int count) {
    return enableVectors(MSI, count);
  }

  EventInterrupt newInterrupt(IrqInfo index, int number) {
    return new EventInterrupt(control, loop, index, number);
  }

  private IrqInfo index(int number) {
    return number < indexes.size()
        ? indexes.get(number)
        : new IrqInfo(number, 0, false, false, false);
  }

  private synchronized InterruptVectors enableVectors(int number, int count) {
    var index = index(number);
    if (count < 1 || count > index.count()) {
      throw new IllegalArgumentException(
          "%s has %d %s vectors, not %d"
              .formatted(control.subject(), index.count(), index.label(), count));
    }
    refuseIfInUse();
    var vectors = new ArrayList<EventInterrupt>();
    try (var undo = new Cleanup()) {
      for (int i = 0; i < count; i++) {
        var vector = newInterrupt(index, i);
        undo.add(vector::release);
        vectors.add(vector);
      }
      undo.release();
    }
    var enabled = new EventVectors(this, control, index, vectors);
    enabled.enable();
    use(enabled, index, enabled.all());
    return enabled;
  }

  private void refuseIfInUse() {
    refuseIfClosed();
    if (inUse != null) {
      throw new IllegalStateException(
          "%s is in use; INTx, MSI and MSI-X exclude each other".formatted(inUse));
    }
  }

  private void refuseIfClosed() {
    if (closed) {
      throw new IllegalStateException(control.subject() + " is closed");
    }
  }

  private void use(
      @Nullable AutoCloseable user, @Nullable IrqInfo index, List<EventInterrupt> some) {
    inUse = user;
    inUseIndex = index;
    interrupts = some;
  }

  @Override
  public synchronized IntxLine enableIntx() {
    var index = index(INTX);
    refuseIfInUse();
    if (index.count() == 0) {
      throw new VfioException(
          Vfio.VFIO_DEVICE_SET_IRQS.name(),
          control.subject(),
          null,
          "The device has no interrupt line: virtual functions have none, and others may not.",
          "Use MSI-X or MSI.");
    }
    try (var undo = new Cleanup()) {
      var line = new EventLine(this, control, loop, index);
      undo.add(line::release);
      connect(line);
      undo.release();
      use(line, index, List.of(line));
      return line;
    }
  }

  private void connect(EventInterrupt interrupt) {
    interrupt.set(
        Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_EVENTFD, interrupt.event().fd());
  }

  @Override
  public synchronized Interrupt deviceError() {
    var existing = error;
    if (existing == null) {
      existing = notifier(ERROR, "The device cannot tell: it is not PCI Express.");
      error = existing;
    }
    return existing;
  }

  @Override
  public synchronized Interrupt releaseRequest() {
    var existing = request;
    if (existing == null) {
      existing = notifier(REQUEST, "The kernel cannot tell.");
      request = existing;
    }
    return existing;
  }

  private EventInterrupt notifier(int number, String whyNot) {
    refuseIfClosed();
    var index = index(number);
    if (index.count() == 0) {
      throw new VfioException(
          Vfio.VFIO_DEVICE_SET_IRQS.name(), control.subject(), null, whyNot, "");
    }
    try (var undo = new Cleanup()) {
      var made = newInterrupt(index, 0);
      undo.add(made::release);
      connect(made);
      undo.release();
      return made;
    }
  }

  /** See {@link InterruptVectors#grow}. */
  synchronized int grow(EventVectors vectors, int count) {
    if (!vectors.equals(inUse)) {
      throw new IllegalStateException(vectors + ": closed");
    }
    int grown = vectors.growTo(count);
    interrupts = vectors.all();
    return grown;
  }

  /** Has the kernel signal nothing of an index any more. */
  void disable(IrqInfo index) {
    int result =
        control.set(
            Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_NONE, index.index(), 0, 0);
    if (result != 0) {
      throw failure(control, control.subject(), index, result);
    }
  }

  /** The kernel signals nothing of the vectors in use any more; their owner can only close them. */
  void lost(EventVectors vectors) {
    vectors.all().forEach(EventInterrupt::beginClose);
    inUseIndex = null;
  }

  /** Turns off what is in use. Nothing happens if it is not in use any more. */
  void close(AutoCloseable user) {
    try (var steps = new Cleanup()) {
      synchronized (this) {
        if (user.equals(inUse)) {
          turnOff(steps);
        }
      }
    }
  }

  /** Does what needs the lock, and leaves to {@code steps} what may wait for somebody. */
  private void turnOff(Cleanup steps) {
    var index = inUseIndex;
    for (var interrupt : interrupts) {
      interrupt.beginClose();
      steps.add(interrupt::release);
    }
    use(null, null, List.of());
    if (index != null) {
      disable(index);
    }
  }

  /** Turns off everything, for good. Idempotent. */
  public void close() {
    try (var steps = new Cleanup()) {
      synchronized (this) {
        if (closed) {
          return;
        }
        closed = true;
        steps.add(loop::close);
        try (var off = new Cleanup()) {
          for (var notifier : Arrays.asList(error, request)) {
            if (notifier != null) {
              notifier.beginClose();
              steps.add(notifier::release);
              off.add(() -> disable(notifier.index()));
            }
          }
          off.add(() -> turnOff(steps));
        }
      }
    }
  }
}
