package io.jvfio;

import io.jvfio.linux.Registers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Registers that cannot be mapped: each access is a call, which whoever answers it turns into one
 * of the same width.
 *
 * <p>A call takes a value in memory. There are some, so that several threads can have accesses
 * under way at once, which may take long; nothing is allocated for an access unless there are more.
 */
final class FileRegisters implements Registers {
  private static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LE64 =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int PLACES = Integer.SIZE;

  private final FileRegion region;
  private final String subject;
  private final DeviceHealth health;
  private final Value[] values = new Value[PLACES];

  /** A bit for each of {@link #values} that is in use. */
  private final AtomicInteger used = new AtomicInteger();

  private volatile boolean closed;

  /** Room for a value, as memory of each width. */
  private static final class Value {
    final int bit;
    final MemorySegment of64 = Arena.ofAuto().allocate(LE64);
    final MemorySegment of32 = of64.asSlice(0, Integer.BYTES);
    final MemorySegment of16 = of64.asSlice(0, Short.BYTES);
    final MemorySegment of8 = of64.asSlice(0, 1);

    Value(int bit) {
      this.bit = bit;
    }
  }

  FileRegisters(FileRegion region, String subject, DeviceHealth health) {
    this.region = region;
    this.subject = subject;
    this.health = health;
    for (int i = 0; i < PLACES; i++) {
      values[i] = new Value(1 << i);
    }
  }

  @Override
  public long byteSize() {
    return region.info().byteSize();
  }

  /** Begins an access; {@link #give} follows. */
  private Value take(long offset, int width) {
    if (closed) {
      throw new IllegalStateException("the registers are closed");
    }
    if (offset % width != 0) {
      throw new IllegalArgumentException(
          "offset 0x%x is not a multiple of %d".formatted(offset, width));
    }
    while (true) {
      int bits = used.get();
      int free = Integer.lowestOneBit(~bits);
      if (free == 0) {
        return new Value(0);
      }
      if (used.compareAndSet(bits, bits | free)) {
        return values[Integer.numberOfTrailingZeros(free)];
      }
    }
  }

  private void give(Value value) {
    if (value.bit != 0) {
      used.getAndAdd(-value.bit);
    }
  }

  @Override
  public byte read8(long offset) {
    var value = take(offset, 1);
    try {
      region.read(offset, value.of8);
      return value.of8.get(ValueLayout.JAVA_BYTE, 0);
    } finally {
      give(value);
    }
  }

  @Override
  public short read16(long offset) {
    var value = take(offset, Short.BYTES);
    try {
      region.read(offset, value.of16);
      return value.of16.get(LE16, 0);
    } finally {
      give(value);
    }
  }

  @Override
  public int read32(long offset) {
    int data;
    var value = take(offset, Integer.BYTES);
    try {
      region.read(offset, value.of32);
      data = value.of32.get(LE32, 0);
    } finally {
      give(value);
    }
    if (data == -1) {
      health.check(subject);
    }
    return data;
  }

  @Override
  public long read64(long offset) {
    long data;
    var value = take(offset, Long.BYTES);
    try {
      region.read(offset, value.of64);
      data = value.of64.get(LE64, 0);
    } finally {
      give(value);
    }
    if (data == -1) {
      health.check(subject);
    }
    return data;
  }

  @Override
  public void write8(long offset, byte data) {
    var value = take(offset, 1);
    try {
      value.of8.set(ValueLayout.JAVA_BYTE, 0, data);
      region.write(offset, value.of8);
    } finally {
      give(value);
    }
  }

  @Override
  public void write16(long offset, short data) {
    var value = take(offset, Short.BYTES);
    try {
      value.of16.set(LE16, 0, data);
      region.write(offset, value.of16);
    } finally {
      give(value);
    }
  }

  @Override
  public void write32(long offset, int data) {
    var value = take(offset, Integer.BYTES);
    try {
      value.of32.set(LE32, 0, data);
      region.write(offset, value.of32);
    } finally {
      give(value);
    }
  }

  @Override
  public void write64(long offset, long data) {
    var value = take(offset, Long.BYTES);
    try {
      value.of64.set(LE64, 0, data);
      region.write(offset, value.of64);
    } finally {
      give(value);
    }
  }

  @Override
  public void write32Release(long offset, int data) {
    write32(offset, data); // the system call orders it after every earlier access
  }

  @Override
  public void copyFrom(long offset, MemorySegment source, int width) {
    boolean isPlain =
        source.isNative()
            && (width == 1 || width == 2 || width == 4 || width == 8)
            && source.byteSize() % width == 0;
    if (isPlain && source.byteSize() > width) {
      give(take(offset, width)); // which tells what is wrong with them
      if (region.writeEach(offset, source, width)) {
        return;
      }
    }
    Registers.super.copyFrom(offset, source, width);
  }

  @Override
  public void close() {
    closed = true;
  }
}
