// SPDX-License-Identifier: Apache-2.0
package io.jvfio.testkit;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.model.MigratableModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A device that copies between memory and a buffer of its own. Registers of its one BAR, 8 bytes
 * each: 0 IOVA, 8 length, 16 command (1 reads memory, 2 writes it), 24 status (0 done, 1 fault), 32
 * how often it was reset; from 0x100 scratch bytes.
 */
public final class CopyEngine implements MigratableModel {
  public static final long IOVA = 0;
  public static final long LENGTH = 8;
  public static final long COMMAND = 16;
  public static final long STATUS = 24;
  public static final long RESETS = 32;
  public static final long SCRATCH = 0x100;
  public static final long READ_MEMORY = 1;
  public static final long WRITE_MEMORY = 2;

  public final Arena arena = Arena.ofShared();
  public final MemorySegment buffer;
  private final MemorySegment registers = arena.allocate(0x1000, 8);
  private final ConfigSpace config;
  private @Nullable DmaPort dma;
  public boolean closed;

  /** Makes one with a function reset. */
  public CopyEngine(long bufferBytes) {
    this(bufferBytes, true);
  }

  /** Makes one, with a function reset or without. */
  public CopyEngine(long bufferBytes, boolean canReset) {
    this.buffer = arena.allocate(bufferBytes, 8);
    this.config = new ConfigSpace(256).set(0, 2, 0x1234).set(2, 2, 0x11e8).set(9, 3, 0xff0000);
    if (canReset) {
      config.set(6, 2, 0x10).set(0x34, 1, 0x40).set(0x40, 2, 0x10).set(0x44, 4, 1 << 28);
    }
  }

  @Override
  public ConfigSpace config() {
    return config;
  }

  @Override
  public List<Bar> bars() {
    return List.of(new Bar(0, 0x1000, false, false));
  }

  @Override
  public int msixVectors() {
    return 0;
  }

  @Override
  public void connect(DmaPort port, InterruptPort interrupts) {
    dma = port;
  }

  @Override
  public long read(int bar, long offset, int width) {
    long value = 0;
    for (int i = 0; i < width; i++) {
      value |= Byte.toUnsignedLong(registers.get(ValueLayout.JAVA_BYTE, offset + i)) << (8 * i);
    }
    return value;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    for (int i = 0; i < width; i++) {
      registers.set(ValueLayout.JAVA_BYTE, offset + i, (byte) (value >>> (8 * i)));
    }
    if (offset == COMMAND && dma != null) {
      var part = buffer.asSlice(0, read(0, LENGTH, 8));
      try {
        if (value == READ_MEMORY) {
          dma.read(read(0, IOVA, 8), part);
        } else {
          dma.write(read(0, IOVA, 8), part);
        }
        write(0, STATUS, 8, 0);
      } catch (DmaFaultException e) {
        write(0, STATUS, 8, 1);
      }
    }
  }

  @Override
  public void reset() {
    long resets = read(0, RESETS, 8) + 1;
    registers.fill((byte) 0);
    write(0, RESETS, 8, resets);
  }

  /** Registers, then the buffer. */
  @Override
  public byte[] save() {
    var state = MemorySegment.ofArray(new byte[(int) (registers.byteSize() + buffer.byteSize())]);
    state.copyFrom(registers).asSlice(registers.byteSize()).copyFrom(buffer);
    return state.toArray(ValueLayout.JAVA_BYTE);
  }

  @Override
  public void restore(byte[] state) {
    if (state.length != registers.byteSize() + buffer.byteSize()) {
      throw new IllegalArgumentException("the state of another device");
    }
    var from = MemorySegment.ofArray(state);
    registers.copyFrom(from.asSlice(0, registers.byteSize()));
    buffer.copyFrom(from.asSlice(registers.byteSize()));
  }

  @Override
  public void close() {
    closed = true;
    arena.close();
  }
}
