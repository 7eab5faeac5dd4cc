// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_0;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_IO_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_MEM_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_SPACE_IO;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_IO;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MEMORY;
import static io.jvfio.linux.uapi.PciRegs.PCI_HEADER_TYPE;
import static io.jvfio.linux.uapi.PciRegs.PCI_HEADER_TYPE_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_STD_HEADER_SIZEOF;
import static io.jvfio.linux.uapi.PciRegs.PCI_STD_NUM_BARS;

import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The addresses of BARs, and the bits of COMMAND that have a device answer there. Firmware and the
 * kernel see to both before anybody opens a device file, and again after a reset; behind a socket
 * that falls to the client. Most servers answer accesses to a region all the same. One that looks
 * up who answers at the address of a BAR, as QEMU's does, finds nobody before. Source: PCI Local
 * Bus Specification 3.0, sections 6.2.2 and 6.2.5.
 */
final class Decoding {
  private static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;

  /** What of memory is decoded at least. */
  private static final int SMALLEST = 16;

  /** Nothing is at these addresses but this device: they are those of a bus of its own. */
  private static final long FIRST_PORT = 0x1000;

  private static final long PORTS_END = 1L << 16;
  private static final long FIRST_32_BIT = 1L << 31;
  private static final long END_32_BIT = 0xfec0_0000L;
  private static final long FIRST_64_BIT = 1L << 32;

  private final Link link;
  private final Description device;
  private final MemorySegment header;
  private long port = FIRST_PORT;
  private long low = FIRST_32_BIT;
  private long high = FIRST_64_BIT;

  private Decoding(Link link, Description device, MemorySegment header) {
    this.link = link;
    this.device = device;
    this.header = header;
  }

  /**
   * Gives BARs addresses if one has none, and turns decoding on. A server that refuses needs
   * neither.
   *
   * @return 0, or that the link was lost
   */
  static int enable(Link link, Description device) {
    if (device.byteSize(CONFIG) < PCI_STD_HEADER_SIZEOF) {
      return 0;
    }
    try (var arena = Arena.ofConfined()) {
      var header = arena.allocate(PCI_STD_HEADER_SIZEOF);
      int result = Calls.readRegion(link, CONFIG, 0, header, 0, PCI_STD_HEADER_SIZEOF);
      if (result == PCI_STD_HEADER_SIZEOF
          && (header.get(ValueLayout.JAVA_BYTE, PCI_HEADER_TYPE) & PCI_HEADER_TYPE_MASK) == 0) {
        result = new Decoding(link, device, header).enable();
      }
      return Calls.isLost(result) ? result : 0;
    }
  }

  private int enable() {
    int before = Short.toUnsignedInt(header.get(LE16, PCI_COMMAND));
    int decodes = 0;
    boolean isPlaced = true;
    for (int i = 0; i < PCI_STD_NUM_BARS; i++) {
      if (exists(i)) {
        decodes |= isPorts(i) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
        isPlaced &= address(i) != 0;
      }
    }
    int present = before;
    int result = 0;
    if (!isPlaced) {
      // Addresses do not change under a device that answers at them.
      present &= ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
      result = command(before, present);
      for (int i = 0; i < PCI_STD_NUM_BARS && result >= 0; i++) {
        result = exists(i) ? place(i) : 0;
      }
    }
    return result < 0 ? result : command(present, before | decodes);
  }

  private boolean exists(int bar) {
    return device.byteSize(bar) > 0;
  }

  private int register(int bar) {
    return header.get(LE32, PCI_BASE_ADDRESS_0 + (long) bar * Integer.BYTES);
  }

  private boolean isPorts(int bar) {
    return (register(bar) & PCI_BASE_ADDRESS_SPACE_IO) != 0;
  }

  private boolean isWide(int bar) {
    return !isPorts(bar)
        && (register(bar) & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64
        && bar + 1 < PCI_STD_NUM_BARS;
  }

  private int addressMask(int bar) {
    return isPorts(bar) ? PCI_BASE_ADDRESS_IO_MASK : PCI_BASE_ADDRESS_MEM_MASK;
  }

  private long address(int bar) {
    long address = Integer.toUnsignedLong(register(bar) & addressMask(bar));
    return isWide(bar) ? address | (long) register(bar + 1) << Integer.SIZE : address;
  }

  private int place(int bar) {
    long size = size(device.byteSize(bar));
    long address;
    long end;
    if (isPorts(bar)) {
      address = align(port, size);
      port = address + size;
      end = PORTS_END;
    } else if (isWide(bar)) {
      address = align(high, size);
      high = address + size;
      end = Long.MAX_VALUE;
    } else {
      address = align(low, size);
      low = address + size;
      end = END_32_BIT;
    }
    if (address + size > end) {
      return 0; // No bus has room for it.
    }
    int kind = register(bar) & ~addressMask(bar);
    boolean isWide = isWide(bar);
    int result = write(bar, (int) address | kind);
    return result < 0 || !isWide ? result : write(bar + 1, (int) (address >>> Integer.SIZE));
  }

  /** What is decoded for a region: a power of two, and 16 bytes at least. */
  private static long size(long byteSize) {
    long size = Math.max(SMALLEST, Long.highestOneBit(byteSize));
    return size < byteSize ? size << 1 : size;
  }

  private static long align(long address, long size) {
    return (address + size - 1) & -size;
  }

  private int write(int bar, int value) {
    header.set(LE32, 0, value);
    return Calls.writeRegion(
        link,
        CONFIG,
        PCI_BASE_ADDRESS_0 + (long) bar * Integer.BYTES,
        header,
        0,
        Integer.BYTES,
        false);
  }

  private int command(int before, int value) {
    if (value == before) {
      return 0;
    }
    header.set(LE16, 0, (short) value);
    return Calls.writeRegion(link, CONFIG, PCI_COMMAND, header, 0, Short.BYTES, false);
  }
}
