package io.jvfio.sim;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Registers;
import io.jvfio.model.DeviceModel;

/**
 * A mapped part of a BAR: each access is one call of the device model. What would be SIGBUS on
 * Linux, and so an {@link InternalError} in a JVM, is that error here. A lock orders all accesses,
 * so the order that is asked for is always met.
 */
final class SimulatedRegisters implements Registers {
  private static final long NOTHING_THERE = -1;

  private final Host host;
  private final long address;
  private final long byteSize;
  private volatile boolean closed;

  SimulatedRegisters(Host host, long address, long byteSize) {
    this.host = host;
    this.address = address;
    this.byteSize = byteSize;
  }

  @Override
  public long byteSize() {
    return byteSize;
  }

  @Override
  public byte read8(long offset) {
    return (byte) read(offset, 1);
  }

  @Override
  public short read16(long offset) {
    return (short) read(offset, 2);
  }

  @Override
  public int read32(long offset) {
    return (int) read(offset, 4);
  }

  @Override
  public long read64(long offset) {
    return read(offset, 8);
  }

  @Override
  public void write8(long offset, byte value) {
    write(offset, 1, Byte.toUnsignedLong(value));
  }

  @Override
  public void write16(long offset, short value) {
    write(offset, 2, Short.toUnsignedLong(value));
  }

  @Override
  public void write32(long offset, int value) {
    write(offset, 4, Integer.toUnsignedLong(value));
  }

  @Override
  public void write64(long offset, long value) {
    write(offset, 8, value);
  }

  @Override
  public void write32Release(long offset, int value) {
    write32(offset, value);
  }

  @Override
  public void close() {
    closed = true;
  }

  private long read(long offset, int width) {
    synchronized (host) {
      var mapping = mapping(offset, width);
      long at = mapping.barOffset() + (address + offset - mapping.start());
      var model = respondingModel(mapping);
      return isInBar(model, mapping.bar(), at) && !isStopped(mapping, false)
          ? model.read(mapping.bar(), at, width)
          : NOTHING_THERE;
    }
  }

  private void write(long offset, int width, long value) {
    synchronized (host) {
      var mapping = mapping(offset, width);
      if (!mapping.writable()) {
        throw new InternalError("store to a BAR that is mapped for reading (SIGSEGV)");
      }
      long at = mapping.barOffset() + (address + offset - mapping.start());
      var model = respondingModel(mapping);
      if (isInBar(model, mapping.bar(), at) && !isStopped(mapping, true)) {
        model.write(mapping.bar(), at, width, value);
      }
    }
  }

  private ProcessMemory.Mapping mapping(long offset, int width) {
    if (closed) {
      throw new IllegalStateException("registers are closed");
    }
    if (offset < 0 || offset > byteSize - width) {
      throw new IndexOutOfBoundsException(
          "offset %d, width %d, of %d bytes".formatted(offset, width, byteSize));
    }
    if (offset % width != 0) {
      throw new IllegalArgumentException(
          "offset %d is not aligned to %d bytes".formatted(offset, width));
    }
    var mapping = host.memory().at(address + offset);
    if (mapping == null || mapping.file() == null) {
      throw new IllegalStateException("registers are unmapped");
    }
    return mapping;
  }

  private DeviceModel respondingModel(ProcessMemory.Mapping mapping) {
    var file = mapping.file();
    if (file == null || !file.pci().isMemoryReachable()) {
      throw new InternalError(
          "a fault occurred in an unsafe memory access operation: the device decodes no memory or sleeps (SIGBUS)");
    }
    if (file.pci().isGone() && host.description().architecture() == Architecture.AARCH64) {
      throw new InternalError(
          "a fault occurred in an unsafe memory access operation: nobody answered (SIGBUS)");
    }
    return file.pci().model();
  }

  private static boolean isStopped(ProcessMemory.Mapping mapping, boolean write) {
    return mapping.file() != null && mapping.file().pci().isStopped(write);
  }

  private static boolean isInBar(DeviceModel model, int bar, long offset) {
    for (var each : model.bars()) {
      if (each.index() == bar) {
        return offset < each.byteSize();
      }
    }
    return false;
  }
}
