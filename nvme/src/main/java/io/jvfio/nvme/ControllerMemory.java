// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.MappableArea;
import io.jvfio.VfioDevice;
import io.jvfio.linux.Registers;
import org.jspecify.annotations.Nullable;

/**
 * Memory of the controller's own that submission queues can lie in: it need not fetch commands over
 * the bus then. Source: NVM Express Base Specification, "Controller Memory Buffer", for controllers
 * that let the host choose its address (CAP.CMBS).
 *
 * <p>Queue number {@code n} has the {@code n}-th part of it; those that find no room lie in the
 * host's memory.
 */
final class ControllerMemory implements AutoCloseable {
  /** Where the controller has it: no IOMMU gives out addresses this large. */
  private static final long BASE = 1L << 62;

  private final Registers memory;
  private final long start;
  private final long byteSize;

  private ControllerMemory(Registers memory, long start, long byteSize) {
    this.memory = memory;
    this.start = start;
    this.byteSize = byteSize;
  }

  /** The memory, if the controller has any that takes submission queues and can be mapped. */
  static @Nullable ControllerMemory open(VfioDevice device, ControllerRegisters registers) {
    if (!registers.hasControllerMemory()) {
      return null;
    }
    registers.enableControllerMemory(0);
    int size = registers.controllerMemorySize();
    int location = registers.controllerMemoryLocation();
    if (!ControllerRegisters.takesSubmissionQueues(size)) {
      return null;
    }
    long unit = ControllerRegisters.controllerMemoryUnit(size);
    long start = Integer.toUnsignedLong(location >>> 12) * unit;
    long byteSize = Integer.toUnsignedLong(size >>> 12) * unit;
    var region = device.region(location & 7);
    // Where every word of an entry is a call of its own, the host's memory is the better place.
    boolean isMapped =
        region.mappableAreas().contains(new MappableArea(0, region.info().byteSize()));
    if (!isMapped || start + byteSize > region.info().byteSize()) {
      return null;
    }
    var opened = new ControllerMemory(region.registers(), start, byteSize);
    opened.enable(registers);
    return opened;
  }

  /** Gives it its address, also again after a reset. */
  void enable(ControllerRegisters registers) {
    registers.enableControllerMemory(BASE);
  }

  /** Whether it has room for the submission ring of a queue. */
  boolean hasRoom(int queue, int entries) {
    return queue * ringBytes(entries) <= byteSize;
  }

  private static long ringBytes(int entries) {
    return ((long) entries * SubmissionEntry.SIZE + PrpList.PAGE_SIZE - 1) & -PrpList.PAGE_SIZE;
  }

  private static long offset(int queue, int entries) {
    return (queue - 1) * ringBytes(entries);
  }

  /** Where the controller has the submission ring of a queue. */
  long iova(int queue, int entries) {
    return BASE + offset(queue, entries);
  }

  /** The submission ring of a queue; its registers are {@link #registers()}. */
  long ring(int queue, int entries) {
    return start + offset(queue, entries);
  }

  /** The memory as this process reaches it. */
  Registers registers() {
    return memory;
  }

  @Override
  public void close() {
    memory.close();
  }
}
