// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import io.jvfio.PciConfigSpace;
import io.jvfio.kernel.DeviceAnswers;
import io.jvfio.kernel.MessageCheck;
import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIrqSet;
import java.lang.foreign.Arena;

/** Interrupts of a device behind a VFIO device descriptor. */
public final class FileInterruptControl implements InterruptControl {
  private final OpenFile file;
  private final PciConfigSpace config;
  private final MessageCheck messages;

  public FileInterruptControl(OpenFile file, PciConfigSpace config, MessageCheck messages) {
    this.file = file;
    this.config = config;
    this.messages = messages;
  }

  @Override
  public String subject() {
    return file.name();
  }

  @Override
  public DeviceAnswers answers() {
    return file.answers();
  }

  @Override
  public int set(int flags, int index, int start, int count, int... eventFds) {
    boolean withEventFds = (flags & Vfio.VFIO_IRQ_SET_DATA_EVENTFD) != 0;
    long size = VfioIrqSet.BYTES + (withEventFds ? (long) count * Integer.BYTES : 0);
    try (var arena = Arena.ofConfined()) {
      var set = arena.allocate(size, Layouts.U32.byteAlignment());
      VfioIrqSet.ARGSZ.set(set, (int) size);
      VfioIrqSet.FLAGS.set(set, flags);
      VfioIrqSet.INDEX.set(set, index);
      VfioIrqSet.START.set(set, start);
      VfioIrqSet.COUNT.set(set, count);
      for (int i = 0; withEventFds && i < count; i++) {
        set.set(Layouts.U32, VfioIrqSet.BYTES + (long) i * Integer.BYTES, eventFds[i]);
      }
      return file.ioctl(Vfio.VFIO_DEVICE_SET_IRQS, set);
    }
  }

  @Override
  public void waitedInVain(String interrupt) {
    messages.waitedInVain(config, interrupt);
  }
}
