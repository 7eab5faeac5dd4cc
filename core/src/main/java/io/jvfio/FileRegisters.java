// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static io.jvfio.linux.uapi.LittleEndian.LE64;

import io.jvfio.linux.Registers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Registers that cannot be mapped: each access is a call, which whoever answers it turns into one
 * of the same width.
 *
 * <p>A call takes a value in memory. There are some, so that several threads can have accesses
 * under way at once, which may take long; nothing is allocated for an access unless there are more.
 */
final class FileRegisters implements Registers {
  private static final int PLACES = Integer.SIZE;

  private final FileRegion region;
  private final String subject;
  private final DeviceHealth health;
  private final Value[] values = new Value[PLACES];

  /** A bit for each of {@link #values} that is in use. */
  private final AtomicInteger used = new AtomicInteger();

  private volatile boolean closed;

  /** Room for a value, whose lower bytes are all that a narrower access touches. */
  private static final class Value {
    final int bit;
    private final MemorySegment of64 = Arena.ofAuto().allocate(LE64);
    private final MemorySegment of32 = of64.asSlice(0, Integer.BYTES);
    private final MemorySegment of16 = of64.asSlice(0, Short.BYTES);
    private final MemorySegment of8 = of64.asSlice(0, Byte.BYTES);

    Value(int bit) {
      this.bit = bit;
    }

    MemorySegment bytes(int width) {
      return switch (width) {
        case Byte.BYTES -> of8;
        case Short.BYTES -> of16;
        case Integer.BYTES -> of32;
        default -> of64;
      };
    }

    /** The value; what is above the width of an access may be anything. */
    long get() {
      return of64.get(LE64, 0);
    }

    void set(long data) {
      of64.set(LE64, 0, data);
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

  private long read(long offset, int width) {
    var value = take(offset, width);
    try {
      region.read(offset, value.bytes(width));
      return value.get();
    } finally {
      give(value);
    }
  }

  private void write(long offset, int width, long data) {
    var value = take(offset, width);
    try {
      value.set(data);
      region.write(offset, value.bytes(width));
    } finally {
      give(value);
    }
  }

  @Override
  public byte read8(long offset) {
    return (byte) read(offset, Byte.BYTES);
  }

  @Override
  public short read16(long offset) {
    return (short) read(offset, Short.BYTES);
  }

  @Override
  public int read32(long offset) {
    int data = (int) read(offset, Integer.BYTES);
    if (data == -1) {
      health.check(subject);
    }
    return data;
  }

  @Override
  public long read64(long offset) {
    long data = read(offset, Long.BYTES);
    if (data == -1) {
      health.check(subject);
    }
    return data;
  }

  @Override
  public void write8(long offset, byte data) {
    write(offset, Byte.BYTES, data);
  }

  @Override
  public void write16(long offset, short data) {
    write(offset, Short.BYTES, data);
  }

  @Override
  public void write32(long offset, int data) {
    write(offset, Integer.BYTES, data);
  }

  @Override
  public void write64(long offset, long data) {
    write(offset, Long.BYTES, data);
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
