package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The mapped part of a region. A device that is gone, asleep, or decodes no memory answers an
 * access with SIGBUS, which the JVM turns into an {@link InternalError}; here it becomes a {@link
 * VfioException}.
 */
final class MappedRegion implements Registers {
  private final Kernel kernel;
  private final String subject;
  private final long address;
  private final Registers registers;
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Takes ownership of the mapping at {@code address}. */
  MappedRegion(Kernel kernel, String subject, long address, long byteSize) {
    this.kernel = kernel;
    this.subject = subject;
    this.address = address;
    this.registers = kernel.registers(address, byteSize);
  }

  private VfioException gone(InternalError cause) {
    var failure =
        new VfioException(
            "register access",
            subject,
            null,
            "The device did not answer: it is gone, asleep, or decodes no memory.",
            "Open the device again; if that fails, look for the reason in dmesg.");
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
      return registers.read8(offset);
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public short read16(long offset) {
    try {
      return registers.read16(offset);
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public int read32(long offset) {
    try {
      return registers.read32(offset);
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public long read64(long offset) {
    try {
      return registers.read64(offset);
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write8(long offset, byte value) {
    try {
      registers.write8(offset, value);
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write16(long offset, short value) {
    try {
      registers.write16(offset, value);
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write32(long offset, int value) {
    try {
      registers.write32(offset, value);
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write64(long offset, long value) {
    try {
      registers.write64(offset, value);
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write32Release(long offset, int value) {
    try {
      registers.write32Release(offset, value);
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
