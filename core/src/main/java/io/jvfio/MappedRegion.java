// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.GuardedMemory;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The mapped part of a region. A device that is gone, asleep, or decodes no memory answers an
 * access with SIGBUS, which the JVM turns into an {@link InternalError}; here it becomes a {@link
 * VfioException}.
 *
 * <p>A device that is gone answers ones on other machines, and so does one that is stopped by EEH:
 * after a register of 32 or 64 bits with that value it is asked whether it is there.
 *
 * <p>In compiled code the error is thrown where the thread polls next, so every access is followed
 * by a poll ({@link GuardedMemory}). It costs about half a nanosecond; a register on a bus takes
 * hundreds.
 */
final class MappedRegion implements Registers {
  private final Kernel kernel;
  private final String subject;
  private final DeviceHealth health;
  private final long address;
  private final Registers registers;
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Takes ownership of the mapping at {@code address}. */
  MappedRegion(
      Kernel kernel,
      String subject,
      DeviceHealth health,
      long address,
      long byteSize,
      RegisterOrder order) {
    this.kernel = kernel;
    this.subject = subject;
    this.health = health;
    this.address = address;
    this.registers = kernel.registers(address, byteSize, order);
  }

  private VfioException gone(InternalError cause) {
    var failure = health.whyNoAnswer().failure("register access", subject, null);
    failure.initCause(cause);
    return failure;
  }

  @Override
  public long byteSize() {
    return registers.byteSize();
  }

  @Override
  public byte read8(long offset) {
    try {
      byte value = registers.read8(offset);
      GuardedMemory.poll();
      return value;
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public short read16(long offset) {
    try {
      short value = registers.read16(offset);
      GuardedMemory.poll();
      return value;
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public int read32(long offset) {
    try {
      int value = registers.read32(offset);
      GuardedMemory.poll();
      if (value == -1) {
        health.check(subject);
      }
      return value;
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public long read64(long offset) {
    try {
      long value = registers.read64(offset);
      GuardedMemory.poll();
      if (value == -1) {
        health.check(subject);
      }
      return value;
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write8(long offset, byte value) {
    try {
      registers.write8(offset, value);
      GuardedMemory.poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write16(long offset, short value) {
    try {
      registers.write16(offset, value);
      GuardedMemory.poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write32(long offset, int value) {
    try {
      registers.write32(offset, value);
      GuardedMemory.poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write64(long offset, long value) {
    try {
      registers.write64(offset, value);
      GuardedMemory.poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write32Release(long offset, int value) {
    try {
      registers.write32Release(offset, value);
      GuardedMemory.poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void copyTo(long offset, MemorySegment target, int width) {
    try {
      registers.copyTo(offset, target, width);
      GuardedMemory.poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void copyFrom(long offset, MemorySegment source, int width) {
    try {
      registers.copyFrom(offset, source, width);
      GuardedMemory.poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    long byteSize = registers.byteSize();
    registers.close();
    int result = kernel.munmap(address, byteSize);
    if (result < 0) {
      throw new VfioException(
          "munmap",
          subject,
          Errno.ofResult(result),
          "The region stays mapped until this process ends.",
          "");
    }
  }
}
