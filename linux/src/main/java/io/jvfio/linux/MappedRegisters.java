package io.jvfio.linux;

import static java.util.Objects.requireNonNull;

import java.lang.constant.ConstantDescs;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Device memory as a segment. Plain accesses would be merged or removed by the compiler, so all are
 * opaque.
 *
 * <p>This is a template: {@link RegisterMapping} makes a class of it for each mapping, and without
 * one it cannot be used.
 */
final class MappedRegisters implements Registers {
  private static final VarHandle LE8 = ValueLayout.JAVA_BYTE.varHandle().withInvokeExactBehavior();
  private static final VarHandle LE16 = littleEndian(ValueLayout.JAVA_SHORT);
  private static final VarHandle LE32 = littleEndian(ValueLayout.JAVA_INT);
  private static final VarHandle LE64 = littleEndian(ValueLayout.JAVA_LONG);

  private static final RegisterMapping MAPPING = mapping();
  private static final MemorySegment REGISTERS = MAPPING.registers();

  private final AtomicBoolean closed = new AtomicBoolean();

  private static RegisterMapping mapping() {
    try {
      return requireNonNull(
          MethodHandles.classData(
              MethodHandles.lookup(), ConstantDescs.DEFAULT_NAME, RegisterMapping.class));
    } catch (IllegalAccessException e) {
      throw new AssertionError(e);
    }
  }

  private static VarHandle littleEndian(ValueLayout layout) {
    return layout.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
  }

  @Override
  public long byteSize() {
    return REGISTERS.byteSize();
  }

  @Override
  public byte read8(long offset) {
    return (byte) LE8.getOpaque(REGISTERS, offset);
  }

  @Override
  public short read16(long offset) {
    return (short) LE16.getOpaque(REGISTERS, offset);
  }

  @Override
  public int read32(long offset) {
    return (int) LE32.getOpaque(REGISTERS, offset);
  }

  @Override
  public long read64(long offset) {
    return (long) LE64.getOpaque(REGISTERS, offset);
  }

  @Override
  public void write8(long offset, byte value) {
    LE8.setOpaque(REGISTERS, offset, value);
  }

  @Override
  public void write16(long offset, short value) {
    LE16.setOpaque(REGISTERS, offset, value);
  }

  @Override
  public void write32(long offset, int value) {
    LE32.setOpaque(REGISTERS, offset, value);
  }

  @Override
  public void write64(long offset, long value) {
    LE64.setOpaque(REGISTERS, offset, value);
  }

  @Override
  public void write32Release(long offset, int value) {
    LE32.setRelease(REGISTERS, offset, value);
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      MAPPING.lifetime().close();
    }
  }
}
