// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIrqSet;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A call of SET_IRQS.
 *
 * @param flags what to do, and what the data are
 * @param index the interrupt index
 * @param start the first interrupt of it
 * @param count how many; 0 for all, to turn them off
 * @param data an eventfd for each, -1 for none; or a boolean for each; or nothing
 */
@SuppressWarnings("ArrayRecordComponent") // made for one call, and compared with no other
record IrqCall(int flags, int index, int start, int count, int[] data) {
  private static final int MOST = 1 << 16;

  /** Reads the kernel's struct; null if it makes no sense. */
  static @Nullable IrqCall of(MemorySegment set) {
    int flags = VfioIrqSet.FLAGS.get(set);
    int count = VfioIrqSet.COUNT.get(set);
    boolean isEventFd = (flags & Vfio.VFIO_IRQ_SET_DATA_EVENTFD) != 0;
    boolean isBool = (flags & Vfio.VFIO_IRQ_SET_DATA_BOOL) != 0;
    long width = isEventFd ? Integer.BYTES : isBool ? 1 : 0;
    if (count < 0 || count > MOST || VfioIrqSet.BYTES + count * width > set.byteSize()) {
      return null;
    }
    var data = new int[width == 0 ? 0 : count];
    for (int i = 0; i < data.length; i++) {
      data[i] =
          isEventFd
              ? set.get(Layouts.U32, VfioIrqSet.BYTES + i * width)
              : set.get(Layouts.U8, VfioIrqSet.BYTES + i);
    }
    return new IrqCall(flags, VfioIrqSet.INDEX.get(set), VfioIrqSet.START.get(set), count, data);
  }

  boolean isEventFd() {
    return (flags & Vfio.VFIO_IRQ_SET_DATA_EVENTFD) != 0;
  }

  boolean isBool() {
    return (flags & Vfio.VFIO_IRQ_SET_DATA_BOOL) != 0;
  }

  boolean isTrigger() {
    return (flags & Vfio.VFIO_IRQ_SET_ACTION_TRIGGER) != 0;
  }

  boolean isMask() {
    return (flags & Vfio.VFIO_IRQ_SET_ACTION_MASK) != 0;
  }

  /** Which interrupts get an eventfd. */
  int[] given() {
    return isEventFd() && isTrigger()
        ? IntStream.range(0, data.length).filter(i -> data[i] >= 0).map(i -> start + i).toArray()
        : new int[0];
  }

  /** Whether it takes eventfds away and gives none, as a server that is gone has done. */
  boolean turnsOff() {
    if (count == 0) {
      return true;
    }
    if (!isEventFd()) {
      return false;
    }
    for (int fd : data) {
      if (fd >= 0) {
        return false;
      }
    }
    return true;
  }
}
