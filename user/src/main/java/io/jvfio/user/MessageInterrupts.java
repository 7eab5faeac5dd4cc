package io.jvfio.user;

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

  private static final long STATUS = 0x06;
  private static final int STATUS_LIST = 1 << 4;
  private static final long LIST = 0x34;
  private static final int MSI = 0x05;
  private static final int MSIX = 0x11;
  private static final long CONTROL = 2;
  private static final int MSI_ENABLE = 1;
  private static final int MSIX_ENABLE = 1 << 15;
  private static final int MSIX_MASK_ALL = 1 << 14;
  private static final long TABLE = 4;
  private static final int TABLE_BAR = 7;
  private static final int ENTRY_SIZE = 16;
  private static final int VECTOR_CONTROL = 12;
  private static final int VECTOR_MASKED = 1;
  private static final int FIRST = 0x40;
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
      int at = find(link, word, isMsix ? MSIX : MSI);
      int result = at <= 0 ? at : read(link, word, at + CONTROL);
      if (at <= 0 || result < 0) {
        return result;
      }
      int enable = isMsix ? MSIX_ENABLE : MSI_ENABLE;
      int value = on ? (result | enable) & ~(isMsix ? MSIX_MASK_ALL : 0) : result & ~enable;
      if (value == result) {
        return 0;
      }
      word.set(LE16, 0, (short) value);
      int written = Calls.writeRegion(link, CONFIG, at + CONTROL, word, 0, Short.BYTES, false);
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
      int at = find(link, word, MSIX);
      if (at > 0) {
        result = Calls.readRegion(link, CONFIG, at + TABLE, word, 0, Integer.BYTES);
        int table = word.get(LE32, 0);
        for (int i = 0; i < vectors.length && result >= 0; i++) {
          long entry = Integer.toUnsignedLong(table & ~TABLE_BAR) + (long) vectors[i] * ENTRY_SIZE;
          result = unmask(link, word, table & TABLE_BAR, entry + VECTOR_CONTROL);
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
    if (result != Integer.BYTES || (control & VECTOR_MASKED) == 0) {
      return result;
    }
    word.set(LE32, 0, control & ~VECTOR_MASKED);
    return Calls.writeRegion(link, bar, offset, word, 0, Integer.BYTES, false);
  }

  /** Where a capability is; 0 if there is none. */
  private static int find(Link link, MemorySegment word, int id) {
    int status = read(link, word, STATUS);
    if (status < 0 || (status & STATUS_LIST) == 0) {
      return Math.min(status, 0);
    }
    int at = read(link, word, LIST);
    for (int i = 0; i < MOST && at >= 0; i++) {
      at &= LAST;
      if (at < FIRST) {
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
