// SPDX-License-Identifier: Apache-2.0
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
 * Device memory as a segment. Plain accesses may be merged or removed by the compiler, so they are
 * made on request only. The order is a constant, so that nothing of the choice is left in compiled
 * code.
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
  private static final boolean PLAIN = MAPPING.order() == RegisterOrder.PLAIN;
  private static final boolean ORDERED = MAPPING.order() == RegisterOrder.ORDERED;

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
    if (PLAIN) {
      return (byte) LE8.get(REGISTERS, offset);
    }
    return ORDERED
        ? (byte) LE8.getVolatile(REGISTERS, offset)
        : (byte) LE8.getOpaque(REGISTERS, offset);
  }

  @Override
  public short read16(long offset) {
    if (PLAIN) {
      return (short) LE16.get(REGISTERS, offset);
    }
    return ORDERED
        ? (short) LE16.getVolatile(REGISTERS, offset)
        : (short) LE16.getOpaque(REGISTERS, offset);
  }

  @Override
  public int read32(long offset) {
    if (PLAIN) {
      return (int) LE32.get(REGISTERS, offset);
    }
    return ORDERED
        ? (int) LE32.getVolatile(REGISTERS, offset)
        : (int) LE32.getOpaque(REGISTERS, offset);
  }

  @Override
  public long read64(long offset) {
    if (PLAIN) {
      return (long) LE64.get(REGISTERS, offset);
    }
    return ORDERED
        ? (long) LE64.getVolatile(REGISTERS, offset)
        : (long) LE64.getOpaque(REGISTERS, offset);
  }

  /**
   * Where code is interpreted on x86, HotSpot makes opaque stores of 8 and 16 bits with an
   * instruction (XCHG) that its handler of SIGBUS cannot decode: if nobody takes the store, the JVM
   * dies. So they are plain stores, between fences, which the compiler moves nothing across.
   */
  private static void fence() {
    if (ORDERED) {
      VarHandle.fullFence();
    } else if (!PLAIN) {
      VarHandle.releaseFence();
    }
  }

  @Override
  public void write8(long offset, byte value) {
    fence();
    LE8.set(REGISTERS, offset, value);
    fence();
  }

  @Override
  public void write16(long offset, short value) {
    fence();
    LE16.set(REGISTERS, offset, value);
    fence();
  }

  @Override
  public void write32(long offset, int value) {
    if (PLAIN) {
      LE32.set(REGISTERS, offset, value);
    } else if (ORDERED) {
      LE32.setVolatile(REGISTERS, offset, value);
    } else {
      LE32.setOpaque(REGISTERS, offset, value);
    }
  }

  @Override
  public void write64(long offset, long value) {
    if (PLAIN) {
      LE64.set(REGISTERS, offset, value);
    } else if (ORDERED) {
      LE64.setVolatile(REGISTERS, offset, value);
    } else {
      LE64.setOpaque(REGISTERS, offset, value);
    }
  }

  @Override
  public void write32Release(long offset, int value) {
    if (ORDERED) {
      LE32.setVolatile(REGISTERS, offset, value);
    } else {
      LE32.setRelease(REGISTERS, offset, value);
    }
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      MAPPING.lifetime().close();
    }
  }
}
