// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Registers;
import io.jvfio.sim.memory.ProcessMemory.MappedFile;

/**
 * A mapped part of a BAR: each access is one call of the device model. What would be SIGBUS on
 * Linux, and so an {@link InternalError} in a JVM, is that error here. A lock orders all accesses,
 * so the order that is asked for is always met.
 */
public final class SimulatedRegisters implements Registers {
  private final Object lock;
  private final ProcessMemory memory;
  private final long address;
  private final long byteSize;
  private volatile boolean closed;

  public SimulatedRegisters(Object lock, ProcessMemory memory, long address, long byteSize) {
    this.lock = lock;
    this.memory = memory;
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
    synchronized (lock) {
      var mapping = mapping(offset, width);
      return file(mapping).load(mapping.bar(), mapping.offsetOf(address + offset), width);
    }
  }

  private void write(long offset, int width, long value) {
    synchronized (lock) {
      var mapping = mapping(offset, width);
      if (!mapping.writable()) {
        throw new InternalError("store to a BAR that is mapped for reading (SIGSEGV)");
      }
      file(mapping).store(mapping.bar(), mapping.offsetOf(address + offset), width, value);
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
    var mapping = memory.at(address + offset);
    if (mapping == null || mapping.file() == null) {
      throw new IllegalStateException("registers are unmapped");
    }
    return mapping;
  }

  private static MappedFile file(ProcessMemory.Mapping mapping) {
    return requireNonNull(mapping.file());
  }
}
