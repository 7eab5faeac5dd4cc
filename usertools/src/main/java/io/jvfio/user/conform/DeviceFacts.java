// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.tools.MessageDecoder;
import java.util.List;
import java.util.Optional;

/**
 * What a server says that its device has: what checks look for to see whether they can be made.
 *
 * @param flags of the device
 * @param regionCount how many regions there are
 * @param irqCount how many interrupt indexes there are
 * @param regions those that could be described
 * @param irqs those that could be described
 */
record DeviceFacts(int flags, int regionCount, int irqCount, List<Region> regions, List<Irq> irqs) {
  static final int CONFIG = 7;

  /**
   * A region.
   *
   * @param index which it is
   * @param flags what may be done with it
   * @param size in bytes
   * @param argsz how much room its description needs
   */
  record Region(int index, int flags, long size, int argsz) {
    boolean isReadable() {
      return size != 0 && (flags & Vfio.VFIO_REGION_INFO_FLAG_READ) != 0;
    }

    boolean isWritable() {
      return size != 0 && (flags & Vfio.VFIO_REGION_INFO_FLAG_WRITE) != 0;
    }

    boolean isMappable() {
      return size != 0 && (flags & Vfio.VFIO_REGION_INFO_FLAG_MMAP) != 0;
    }

    boolean isBar() {
      return index < 6;
    }

    String name() {
      return MessageDecoder.regionName(index);
    }
  }

  /**
   * An interrupt index.
   *
   * @param index which it is
   * @param flags what can be done with it
   * @param count how many interrupts it has
   */
  record Irq(int index, int flags, int count) {
    boolean isSignalled() {
      return count > 0 && (flags & Vfio.VFIO_IRQ_INFO_EVENTFD) != 0;
    }

    boolean isMaskable() {
      return count > 0 && (flags & Vfio.VFIO_IRQ_INFO_MASKABLE) != 0;
    }

    String name() {
      return MessageDecoder.irqName(index);
    }
  }

  boolean isPci() {
    return (flags & Vfio.VFIO_DEVICE_FLAGS_PCI) != 0;
  }

  boolean canReset() {
    return (flags & Vfio.VFIO_DEVICE_FLAGS_RESET) != 0;
  }

  Optional<Region> region(int index) {
    return regions.stream().filter(region -> region.index == index).findFirst();
  }

  /** The first interrupt index with at least so many interrupts that can be signalled. */
  Optional<Irq> irq(int count) {
    return irqs.stream().filter(irq -> irq.isSignalled() && irq.count >= count).findFirst();
  }
}
