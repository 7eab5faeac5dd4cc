package io.jvfio;

import io.jvfio.linux.Registers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Registers that cannot be mapped: each access is a system call, which the kernel turns into one of
 * the same width.
 */
final class FileRegisters implements Registers {
  private static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LE64 =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Region region;
  private final String subject;
  private final DeviceHealth health;
  private final Arena lifetime = Arena.ofShared();
  private final MemorySegment value = lifetime.allocate(LE64);
  private boolean closed;

  FileRegisters(Region region, String subject, DeviceHealth health) {
    this.region = region;
    this.subject = subject;
    this.health = health;
  }

  @Override
  public long byteSize() {
    return region.info().byteSize();
  }

  @Override
  public synchronized byte read8(long offset) {
    return read(offset, 1).get(ValueLayout.JAVA_BYTE, 0);
  }

  @Override
  public synchronized short read16(long offset) {
    return read(offset, 2).get(LE16, 0);
  }

  @Override
  public synchronized int read32(long offset) {
    int data = read(offset, 4).get(LE32, 0);
    if (data == -1) {
      health.check(subject);
    }
    return data;
  }

  @Override
  public synchronized long read64(long offset) {
    long data = read(offset, 8).get(LE64, 0);
    if (data == -1) {
      health.check(subject);
    }
    return data;
  }

  @Override
  public synchronized void write8(long offset, byte data) {
    var buffer = buffer(offset, 1);
    buffer.set(ValueLayout.JAVA_BYTE, 0, data);
    region.write(offset, buffer);
  }

  @Override
  public synchronized void write16(long offset, short data) {
    var buffer = buffer(offset, 2);
    buffer.set(LE16, 0, data);
    region.write(offset, buffer);
  }

  @Override
  public synchronized void write32(long offset, int data) {
    var buffer = buffer(offset, 4);
    buffer.set(LE32, 0, data);
    region.write(offset, buffer);
  }

  @Override
  public synchronized void write64(long offset, long data) {
    var buffer = buffer(offset, 8);
    buffer.set(LE64, 0, data);
    region.write(offset, buffer);
  }

  @Override
  public void write32Release(long offset, int data) {
    write32(offset, data); // the system call orders it after every earlier access
  }

  private MemorySegment read(long offset, int width) {
    var buffer = buffer(offset, width);
    region.read(offset, buffer);
    return buffer;
  }

  private MemorySegment buffer(long offset, int width) {
    if (closed) {
      throw new IllegalStateException("the registers are closed");
    }
    if (offset % width != 0) {
      throw new IllegalArgumentException(
          "offset 0x%x is not a multiple of %d".formatted(offset, width));
    }
    return value.asSlice(0, width);
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      lifetime.close();
    }
  }
}
