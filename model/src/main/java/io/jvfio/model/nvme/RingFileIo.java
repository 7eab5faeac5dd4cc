// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.IoUring;
import io.jvfio.linux.Kernel;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes the calls by {@code io_uring}: what a batch of commands needs is one system call, and what
 * the page cache has is there when that returns.
 *
 * <p>The kernel signals an eventfd for what ends later. It does not while calls are submitted,
 * since those that end within the submission are seen right after it.
 */
final class RingFileIo implements FileIo {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  private static final int ENTRIES = 256;

  /** How long what the kernel did not take waits. */
  private static final long RETRY_NANOS = 1_000_000;

  /** What completes for {@link #cancelAll} itself; calls have their index. */
  private static final long CANCELLATION = -1;

  /** As many as a ring of these entries has completions for. */
  private static final int MOST_UNDER_WAY = 2 * ENTRIES;

  private final Kernel kernel;
  private final IoUring ring;
  private final List<FileCall> calls = new ArrayList<>();
  private int underWay;
  private boolean isTold;

  /** How many calls the kernel has not been told of. */
  private int prepared;

  private @Nullable StorageWake wake;

  /** Signalled by the kernel where the host has no eventfd of its own; -1 if it has. */
  private int ownEvent = -1;

  private volatile boolean isClosed;
  private @Nullable Thread listening;

  private RingFileIo(Kernel kernel, IoUring ring) {
    this.kernel = kernel;
    this.ring = ring;
  }

  /**
   * Makes a ring.
   *
   * @param fd the file that most calls are on
   * @throws ErrnoException if this kernel has none, or forbids it as containers often do
   */
  static RingFileIo open(Kernel kernel, int fd) throws ErrnoException {
    var ring = IoUring.open(kernel, ENTRIES);
    int registered = ring.registerFile(fd);
    if (registered < 0) {
      LOG.log(
          Level.DEBUG,
          "io_uring_register(FILES): {0}; the kernel looks the file up for each call",
          Errno.ofResult(registered).symbol());
    }
    return new RingFileIo(kernel, ring);
  }

  @Override
  public String name() {
    return "io_uring";
  }

  @Override
  public void connect(StorageWake storageWake) {
    wake = storageWake;
    if (storageWake.isPolled()) {
      return;
    }
    int event = storageWake.eventFd();
    if (event < 0) {
      event = kernel.eventFd(0, 0);
      if (event < 0) {
        throw new IllegalStateException("eventfd failed: " + Errno.ofResult(event));
      }
      ownEvent = event;
      int fd = event;
      listening =
          Thread.ofPlatform()
              .name("jvfio nvme io_uring")
              .daemon()
              .start(() -> listen(fd, storageWake));
    }
    int result = ring.registerEventFd(event);
    if (result < 0) {
      throw new IllegalStateException(
          "io_uring_register(EVENTFD) failed: " + Errno.ofResult(result));
    }
    isTold = true;
  }

  private void listen(int event, StorageWake storageWake) {
    try (var arena = Arena.ofConfined()) {
      var count = arena.allocate(ValueLayout.JAVA_LONG);
      while (kernel.read(event, count) == Long.BYTES && !isClosed) {
        storageWake.now();
      }
    }
  }

  @Override
  public boolean begin(FileCall call) {
    if (underWay == MOST_UNDER_WAY) {
      return false;
    }
    if (ring.room() == 0) {
      start();
      if (ring.room() == 0) {
        return false;
      }
    }
    if (call.index >= calls.size() || !calls.get(call.index).equals(call)) {
      remember(call);
    }
    int data = call.index;
    switch (call.kind) {
      case READ -> {
        if (call.vectorCount() == 1) {
          ring.read(call.fd, call.address(), (int) call.byteSize, call.offset, data);
        } else {
          long vectors = call.vectors().address();
          ring.readVectors(call.fd, vectors, call.vectorCount(), call.offset, data);
        }
      }
      case WRITE -> {
        if (call.vectorCount() == 1) {
          ring.write(call.fd, call.address(), (int) call.byteSize, call.offset, data);
        } else {
          long vectors = call.vectors().address();
          ring.writeVectors(call.fd, vectors, call.vectorCount(), call.offset, data);
        }
      }
      case SYNC -> {
        boolean isPart = call.byteSize > 0 && call.byteSize <= Integer.MAX_VALUE;
        ring.synchronizeData(
            call.fd, isPart ? call.offset : 0, isPart ? (int) call.byteSize : 0, data);
      }
      case ALLOCATE -> ring.allocate(call.fd, call.mode, call.offset, call.byteSize, data);
    }
    underWay++;
    prepared++;
    return true;
  }

  private void remember(FileCall call) {
    while (calls.size() <= call.index) {
      calls.add(call);
    }
    calls.set(call.index, call);
  }

  @Override
  public boolean start() {
    if (prepared == 0) {
      return false;
    }
    if (isTold) {
      ring.tellOfCompletions(false);
    }
    int result;
    do {
      result = ring.submit();
    } while (result == Errno.EINTR.result());
    prepared -= Math.max(result, 0);
    var waiting = wake;
    if (prepared > 0 && waiting != null) {
      waiting.in(RETRY_NANOS); // EAGAIN, EBUSY: the kernel lacks something at the moment
    }
    return result > 0;
  }

  @Override
  public @Nullable FileCall next() {
    if (!nextOfCall()) {
      if (!isTold || underWay == 0) {
        return null;
      }
      // Nobody looks again until an event: one that came before this is seen here.
      ring.tellOfCompletions(true);
      VarHandle.fullFence();
      if (!nextOfCall()) {
        return null;
      }
    }
    var call = calls.get((int) ring.userData());
    call.result = ring.result();
    underWay--;
    return call;
  }

  private boolean nextOfCall() {
    boolean isThere = ring.next();
    while (isThere && ring.userData() == CANCELLATION) {
      isThere = ring.next();
    }
    return isThere;
  }

  @Override
  public int underWay() {
    return underWay;
  }

  @Override
  public void cancelAll() {
    start();
    if (ring.room() > 0) { // else the kernel has taken nothing that could go on
      ring.cancelAll(CANCELLATION);
      ring.submit();
    }
  }

  @Override
  public void close() {
    isClosed = true;
    ring.close();
    var thread = listening;
    if (thread != null) {
      try (var arena = Arena.ofConfined()) {
        kernel.write(ownEvent, arena.allocateFrom(ValueLayout.JAVA_LONG, 1));
      }
      boolean isInterrupted = false;
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException _) {
          isInterrupted = true;
        }
      }
      if (isInterrupted) {
        Thread.currentThread().interrupt();
      }
      kernel.close(ownEvent);
    }
  }
}
