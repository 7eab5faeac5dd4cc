// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import io.jvfio.IntxLine;
import io.jvfio.IrqInfo;
import io.jvfio.kernel.Cleanup;
import io.jvfio.linux.uapi.Vfio;
import org.jspecify.annotations.Nullable;

/** The interrupt line while it is in use. */
final class EventLine extends EventInterrupt implements IntxLine {
  private final DeviceInterrupts owner;
  private final InterruptLoop loop;
  private @Nullable EventFd resample;

  EventLine(DeviceInterrupts owner, InterruptControl control, InterruptLoop loop, IrqInfo index) {
    super(control, loop, index, 0);
    this.owner = owner;
    this.loop = loop;
  }

  @Override
  public void mask() {
    set(Vfio.VFIO_IRQ_SET_ACTION_MASK | Vfio.VFIO_IRQ_SET_DATA_NONE);
  }

  @Override
  public void unmask() {
    set(Vfio.VFIO_IRQ_SET_ACTION_UNMASK | Vfio.VFIO_IRQ_SET_DATA_NONE);
  }

  @Override
  public synchronized int resampleDescriptor() {
    fileDescriptor(); // not once it is closed
    var existing = resample;
    if (existing != null) {
      return existing.fd();
    }
    try (var undo = new Cleanup()) {
      var made = new EventFd(loop.kernel(), event().name() + ", resample");
      undo.add(made::close);
      set(Vfio.VFIO_IRQ_SET_ACTION_UNMASK | Vfio.VFIO_IRQ_SET_DATA_EVENTFD, made.fd());
      undo.release();
      resample = made;
      return made.fd();
    }
  }

  @Override
  void release() {
    @Nullable EventFd unmasking;
    synchronized (this) {
      unmasking = resample;
      resample = null;
    }
    try (var steps = new Cleanup()) {
      steps.add(super::release);
      if (unmasking != null) {
        steps.add(unmasking::close);
      }
    }
  }

  @Override
  public void close() {
    owner.close(this);
  }
}
