// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.GuardedMemory;
import io.jvfio.user.RegionEvent;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** An eventfd of {@link ServerEventFds}. */
final class ServerEventFd implements RegionEvent {
  private static final VarHandle WORD32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
  private static final VarHandle WORD64 =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  private final ServerEventFds owner;
  private final long offset;
  private final long byteSize;
  private final int fd;
  private final boolean mayWait;
  private final OptionalLong match;
  private final @Nullable MemorySegment shadow;
  private final MemorySegment one = Arena.ofAuto().allocateFrom(ValueLayout.JAVA_LONG, 1);

  ServerEventFd(
      ServerEventFds owner,
      long offset,
      long byteSize,
      int fd,
      boolean mayWait,
      OptionalLong match,
      @Nullable MemorySegment shadow) {
    this.owner = owner;
    this.offset = offset;
    this.byteSize = byteSize;
    this.fd = fd;
    this.mayWait = mayWait;
    this.match = match;
    this.shadow = shadow;
  }

  @Override
  public long offset() {
    return offset;
  }

  @Override
  public long byteSize() {
    return byteSize;
  }

  @Override
  public OptionalLong match() {
    return match;
  }

  @Override
  public boolean hasShadow() {
    return shadow != null;
  }

  @Override
  public int fileDescriptor() {
    owner.requireOpen();
    return fd;
  }

  int eventFd() {
    return fd;
  }

  @Override
  public Optional<MemorySegment> shadow() {
    return Optional.ofNullable(shadow);
  }

  @Override
  public void write(long value) {
    if (match.isPresent() && match.getAsLong() != value) {
      throw new IllegalArgumentException(
          "0x%x does not signal; only 0x%x does".formatted(value, match.getAsLong()));
    }
    owner.enter();
    try {
      store(value);
      var kernel = owner.kernel();
      // A counter that is full is signalled already.
      if (mayWait && !kernel.isWritable(fd)) {
        return;
      }
      long result = kernel.write(fd, one);
      if (result < 0 && result != Errno.EAGAIN.result()) {
        throw new VfioException(
            "write",
            toString(),
            Errno.ofResult(result),
            "The eventfd of the server cannot be signalled.",
            "Write the register itself.");
      }
    } finally {
      owner.leave();
    }
  }

  private void store(long value) {
    var memory = shadow;
    if (memory == null) {
      return;
    }
    try {
      if (memory.byteSize() == Integer.BYTES) {
        WORD32.setRelease(memory, 0L, (int) value);
      } else {
        WORD64.setRelease(memory, 0L, value);
      }
      GuardedMemory.poll();
    } catch (InternalError e) {
      var failure =
          new VfioException(
              "register access",
              toString(),
              null,
              "The server has cut the file of the shadow short.",
              "Write the register itself.");
      failure.initCause(e);
      throw failure;
    }
  }

  @Override
  public String toString() {
    return "%s, ioeventfd at offset 0x%x".formatted(owner, offset);
  }
}
