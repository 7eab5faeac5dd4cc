package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The mapped part of a region. A device that is gone, asleep, or decodes no memory answers an
 * access with SIGBUS, which the JVM turns into an {@link InternalError}; here it becomes a {@link
 * VfioException}.
 *
 * <p>A device that is gone answers ones on other machines, and so does one that is stopped by EEH:
 * after a register of 32 or 64 bits with that value it is asked whether it is there.
 *
 * <p>In compiled code the JVM goes on after such an access with whatever the processor's register
 * held, and throws the error where the thread next asks for what is pending (a "poll", as for
 * safepoints). That would be anywhere: outside of the try statement here, with a senseless value
 * already in use. So every access is followed by a poll, which code can have by going round a loop
 * that the compiler cannot count. It costs about half a nanosecond; a register on a bus takes
 * hundreds.
 */
final class MappedRegion implements Registers {
  private final Kernel kernel;
  private final String subject;
  private final DeviceHealth health;
  private final long address;
  private final Registers registers;
  private final AtomicBoolean closed = new AtomicBoolean();

  /** How often the loop of a poll is gone round, which the compiler must not know. */
  private static final VarHandle ROUNDS = rounds();

  @SuppressWarnings({
    "FieldMayBeFinal",
    "UnusedVariable"
  }) // read through ROUNDS, whose value must be no constant
  private static int rounds = 1;

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

  private static VarHandle rounds() {
    try {
      return MethodHandles.lookup()
          .findStaticVarHandle(MappedRegion.class, "rounds", int.class)
          .withInvokeExactBehavior();
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("a field of this class is not there", e);
    }
  }

  /** Has the JVM throw the error of an access that was made before, if there is one. */
  private static void poll() {
    for (int i = 0; i < (int) ROUNDS.getOpaque(); i++) {
      // Nothing is done here: the way back to the condition is where the JVM looks.
    }
  }

  private VfioException gone(InternalError cause) {
    var why = health.whyNoAnswer();
    var failure =
        new VfioException("register access", subject, null, why.meaning(), why.nextStep());
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
      poll();
      return value;
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public short read16(long offset) {
    try {
      short value = registers.read16(offset);
      poll();
      return value;
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public int read32(long offset) {
    try {
      int value = registers.read32(offset);
      poll();
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
      poll();
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
      poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write16(long offset, short value) {
    try {
      registers.write16(offset, value);
      poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write32(long offset, int value) {
    try {
      registers.write32(offset, value);
      poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write64(long offset, long value) {
    try {
      registers.write64(offset, value);
      poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void write32Release(long offset, int value) {
    try {
      registers.write32Release(offset, value);
      poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void copyTo(long offset, MemorySegment target, int width) {
    try {
      registers.copyTo(offset, target, width);
      poll();
    } catch (InternalError e) {
      throw gone(e);
    }
  }

  @Override
  public void copyFrom(long offset, MemorySegment source, int width) {
    try {
      registers.copyFrom(offset, source, width);
      poll();
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
