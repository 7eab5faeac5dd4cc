// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import static io.jvfio.linux.uapi.PciRegs.PCI_CAPABILITY_LIST;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_FLAGS;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_MSI;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_MSIX;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_ENTRY_CTRL_MASKBIT;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_ENTRY_SIZE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_ENTRY_VECTOR_CTRL;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_ENABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_MASKALL;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_TABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_TABLE_BIR;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_TABLE_OFFSET;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_FLAGS_ENABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS_CAP_LIST;
import static io.jvfio.linux.uapi.PciRegs.PCI_STD_HEADER_SIZEOF;

import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The enable bits of MSI and MSI-X in configuration space, and the mask bits in the table of MSI-X,
 * which are set after a reset. The kernel changes them for whoever asks it for interrupts; behind a
 * socket that falls to the client. A device without the capability needs none. Source: PCI Local
 * Bus Specification 3.0, sections 6.8.1 and 6.8.2.
 */
final class MessageInterrupts {
  /** The interrupt indexes of MSI and MSI-X. */
  static final List<Integer> INDEXES =
      List.of(Vfio.VFIO_PCI_MSI_IRQ_INDEX, Vfio.VFIO_PCI_MSIX_IRQ_INDEX);

  private static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;

  private static final int LAST = 0xfc;
  private static final int MOST = 48;

  private MessageInterrupts() {}

  /**
   * Turns one kind on or off. A server that refuses needs no bit, either.
   *
   * @return 0, or that the link was lost
   */
  static int enable(Link link, Description device, int index, boolean on) {
    int result = write(link, device, index, on);
    return Calls.isLost(result) ? result : 0;
  }

  private static int write(Link link, Description device, int index, boolean on) {
    if (device.byteSize(CONFIG) < LAST) {
      return 0;
    }
    try (var arena = Arena.ofConfined()) {
      var word = arena.allocate(LE16);
      boolean isMsix = index == Vfio.VFIO_PCI_MSIX_IRQ_INDEX;
      int at = find(link, word, isMsix ? PCI_CAP_ID_MSIX : PCI_CAP_ID_MSI);
      int result = at <= 0 ? at : read(link, word, at + PCI_CAP_FLAGS);
      if (at <= 0 || result < 0) {
        return result;
      }
      int enable = isMsix ? PCI_MSIX_FLAGS_ENABLE : PCI_MSI_FLAGS_ENABLE;
      int value =
          on ? (result | enable) & ~(isMsix ? PCI_MSIX_FLAGS_MASKALL : 0) : result & ~enable;
      if (value == result) {
        return 0;
      }
      word.set(LE16, 0, (short) value);
      int written =
          Calls.writeRegion(link, CONFIG, at + PCI_CAP_FLAGS, word, 0, Short.BYTES, false);
      return Math.min(written, 0);
    }
  }

  /**
   * Lets vectors of MSI-X through that are masked in its table. A server that refuses needs that as
   * little.
   *
   * @return 0, or that the link was lost
   */
  static int unmask(Link link, Description device, int... vectors) {
    if (device.byteSize(CONFIG) < LAST || vectors.length == 0) {
      return 0;
    }
    int result = 0;
    try (var arena = Arena.ofConfined()) {
      var word = arena.allocate(LE32);
      int at = find(link, word, PCI_CAP_ID_MSIX);
      if (at > 0) {
        result = Calls.readRegion(link, CONFIG, at + PCI_MSIX_TABLE, word, 0, Integer.BYTES);
        int table = word.get(LE32, 0);
        for (int i = 0; i < vectors.length && result >= 0; i++) {
          long entry =
              Integer.toUnsignedLong(table & PCI_MSIX_TABLE_OFFSET)
                  + (long) vectors[i] * PCI_MSIX_ENTRY_SIZE;
          result =
              unmask(link, word, table & PCI_MSIX_TABLE_BIR, entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
        }
      } else {
        result = at;
      }
    }
    return Calls.isLost(result) ? result : 0;
  }

  private static int unmask(Link link, MemorySegment word, int bar, long offset) {
    int result = Calls.readRegion(link, bar, offset, word, 0, Integer.BYTES);
    int control = word.get(LE32, 0);
    if (result != Integer.BYTES || (control & PCI_MSIX_ENTRY_CTRL_MASKBIT) == 0) {
      return result;
    }
    word.set(LE32, 0, control & ~PCI_MSIX_ENTRY_CTRL_MASKBIT);
    return Calls.writeRegion(link, bar, offset, word, 0, Integer.BYTES, false);
  }

  /** Where a capability is; 0 if there is none. */
  private static int find(Link link, MemorySegment word, int id) {
    int status = read(link, word, PCI_STATUS);
    if (status < 0 || (status & PCI_STATUS_CAP_LIST) == 0) {
      return Math.min(status, 0);
    }
    int at = read(link, word, PCI_CAPABILITY_LIST);
    for (int i = 0; i < MOST && at >= 0; i++) {
      at &= LAST;
      if (at < PCI_STD_HEADER_SIZEOF) {
        return 0;
      }
      int head = read(link, word, at);
      if (head < 0 || (head & 0xff) == id) {
        return head < 0 ? head : at;
      }
      at = head >>> 8;
    }
    return Math.min(at, 0);
  }

  /** A 16-bit value of configuration space, or as the results of {@link Calls}. */
  private static int read(Link link, MemorySegment word, long offset) {
    word.set(LE16, 0, (short) 0);
    int result = Calls.readRegion(link, CONFIG, offset, word, 0, Short.BYTES);
    return result < 0 ? result : Short.toUnsignedInt(word.get(LE16, 0));
  }
}
