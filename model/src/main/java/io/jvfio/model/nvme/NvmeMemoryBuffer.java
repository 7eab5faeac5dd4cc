// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_2;
import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_3;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MEMORY;

import io.jvfio.linux.uapi.LittleEndian;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DmaFaultException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The Controller Memory Buffer: memory of the controller that software reaches through a BAR, and
 * that the controller reaches without the bus. Source: NVM Express Base Specification, "Controller
 * Memory Buffer", registers CMBLOC, CMBSZ, CMBMSC and CMBSTS.
 */
final class NvmeMemoryBuffer {
  static final int BAR = 2;

  /** Submission queues, completion queues, lists, data to read and data to write. */
  private static final int SUPPORTS_ALL = 0x1f;

  /** Queues may lie in it in part, data and lists may be mixed, anywhere in it. */
  private static final int LOCATION = BAR | (0x3f << 3);

  private static final int UNITS_SHIFT = 12;
  private static final long ENABLE_REGISTERS = 1;
  private static final long ENABLE_SPACE = 2;
  private static final int INVALID_ADDRESS = 1;

  private final MemorySegment memory;
  private final boolean isLegacy;
  private final ConfigSpace config;
  private long control;

  NvmeMemoryBuffer(Arena arena, long byteSize, boolean isLegacy, ConfigSpace config) {
    memory = arena.allocate(byteSize, 1 << UNITS_SHIFT);
    this.isLegacy = isLegacy;
    this.config = config;
  }

  long byteSize() {
    return memory.byteSize();
  }

  /** Whether CAP.CMBS tells of it, so that software has to enable its registers first. */
  boolean isAnnounced() {
    return !isLegacy;
  }

  private boolean isVisible() {
    return isLegacy || (control & ENABLE_REGISTERS) != 0;
  }

  /** CMBLOC. */
  int location() {
    return isVisible() ? LOCATION : 0;
  }

  /** CMBSZ, in units of 4 KiB. */
  int size() {
    return isVisible() ? SUPPORTS_ALL | (int) (memory.byteSize() >> UNITS_SHIFT << 12) : 0;
  }

  /** CMBMSC. */
  long control() {
    return control;
  }

  /** Writes CMBMSC. */
  void control(long value) {
    if (!isLegacy) {
      control = value & (-1L << UNITS_SHIFT | ENABLE_REGISTERS | ENABLE_SPACE);
    }
  }

  /** CMBSTS: whether the address that software chose cannot be one. */
  int status() {
    long last = base() + memory.byteSize() - 1;
    boolean wraps = Long.compareUnsigned(last, base()) < 0;
    return (control & ENABLE_SPACE) != 0 && wraps ? INVALID_ADDRESS : 0;
  }

  private long base() {
    if (isLegacy) {
      return ((long) config.read(PCI_BASE_ADDRESS_3, 4) << 32)
          | (Integer.toUnsignedLong(config.read(PCI_BASE_ADDRESS_2, 4)) & -1L << UNITS_SHIFT);
    }
    return control & -1L << UNITS_SHIFT;
  }

  private boolean isReachable() {
    return isLegacy
        ? (config.read(PCI_COMMAND, 2) & PCI_COMMAND_MEMORY) != 0
        : (control & ENABLE_REGISTERS) != 0 && (control & ENABLE_SPACE) != 0 && status() == 0;
  }

  /** Whether the controller takes {@code iova} for its own memory. */
  boolean holds(long iova) {
    return isReachable() && Long.compareUnsigned(iova - base(), memory.byteSize()) < 0;
  }

  private long within(long iova, long length) throws DmaFaultException {
    long offset = iova - base();
    if (length > memory.byteSize() - offset) {
      throw new DmaFaultException(iova, "it is behind the end of the controller memory buffer");
    }
    return offset;
  }

  /** Reads as the controller does. */
  void read(long iova, MemorySegment target, long offset, long length) throws DmaFaultException {
    MemorySegment.copy(memory, within(iova, length), target, offset, length);
  }

  /** Writes as the controller does. */
  void write(long iova, MemorySegment source, long offset, long length) throws DmaFaultException {
    MemorySegment.copy(source, offset, memory, within(iova, length), length);
  }

  /** Reads as software does, through the BAR. */
  long load(long offset, int width) {
    return LittleEndian.load(memory, offset, width);
  }

  /** Writes as software does, through the BAR. */
  void store(long offset, int width, long value) {
    LittleEndian.store(memory, offset, width, value);
  }

  /** As after power-on, with what is in it. */
  void reset() {
    control = 0;
  }
}
