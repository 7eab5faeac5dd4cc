package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Device memory as a segment. Plain accesses would be merged or removed by the compiler, so all are
 * opaque.
 */
final class MappedRegisters implements Registers {
  private static final VarHandle LE8 = ValueLayout.JAVA_BYTE.varHandle().withInvokeExactBehavior();
  private static final VarHandle LE16 = littleEndian(ValueLayout.JAVA_SHORT);
  private static final VarHandle LE32 = littleEndian(ValueLayout.JAVA_INT);
  private static final VarHandle LE64 = littleEndian(ValueLayout.JAVA_LONG);

  private final MemorySegment registers;
  private final Arena lifetime = Arena.ofShared();
  private final AtomicBoolean closed = new AtomicBoolean();

  MappedRegisters(long address, long byteSize) {
    registers = NativeMemory.at(address, byteSize, lifetime);
  }

  private static VarHandle littleEndian(ValueLayout layout) {
    return layout.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
  }

  @Override
  public long byteSize() {
    return registers.byteSize();
  }

  @Override
  public byte read8(long offset) {
    return (byte) LE8.getOpaque(registers, offset);
  }

  @Override
  public short read16(long offset) {
    return (short) LE16.getOpaque(registers, offset);
  }

  @Override
  public int read32(long offset) {
    return (int) LE32.getOpaque(registers, offset);
  }

  @Override
  public long read64(long offset) {
    return (long) LE64.getOpaque(registers, offset);
  }

  @Override
  public void write8(long offset, byte value) {
    LE8.setOpaque(registers, offset, value);
  }

  @Override
  public void write16(long offset, short value) {
    LE16.setOpaque(registers, offset, value);
  }

  @Override
  public void write32(long offset, int value) {
    LE32.setOpaque(registers, offset, value);
  }

  @Override
  public void write64(long offset, long value) {
    LE64.setOpaque(registers, offset, value);
  }

  @Override
  public void write32Release(long offset, int value) {
    LE32.setRelease(registers, offset, value);
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      lifetime.close();
    }
  }
}
