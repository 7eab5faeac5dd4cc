// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.Interrupt;
import io.jvfio.InterruptHandler;
import io.jvfio.InterruptVectors;
import io.jvfio.Interrupts;
import io.jvfio.IntxLine;
import io.jvfio.IrqInfo;
import io.jvfio.VfioException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Interrupts that are counted; handlers are called by whoever signals. */
final class FakeInterrupts implements Interrupts {
  /** Vectors of MSI and MSI-X that the device has. */
  int msiCount;

  int msixCount;

  /** Vectors that the host gives at most; with none it refuses. */
  int granted = Integer.MAX_VALUE;

  final FakeInterrupt release = new FakeInterrupt();
  private volatile List<FakeInterrupt> vectors = List.of();

  /** The device signals a vector. */
  void signal(int vector) {
    var present = vectors;
    if (vector < present.size()) {
      present.get(vector).trigger();
    }
  }

  List<FakeInterrupt> vectors() {
    return vectors;
  }

  @Override
  public List<IrqInfo> indexes() {
    return List.of(
        new IrqInfo(0, 1, true, true, false),
        new IrqInfo(1, msiCount, false, false, false),
        new IrqInfo(2, msixCount, false, false, true));
  }

  @Override
  public InterruptVectors enableMsix(int count) {
    return enable(count, msixCount, "MSI-X");
  }

  @Override
  public InterruptVectors enableMsi(int count) {
    return enable(count, msiCount, "MSI");
  }

  private InterruptVectors enable(int count, int present, String kind) {
    if (count > present) {
      throw new IllegalArgumentException("the device has %d".formatted(present));
    }
    if (granted == 0) {
      throw new VfioException(kind, FakeDevice.NAME, null, "The host has no vectors.", "");
    }
    List<FakeInterrupt> all = new ArrayList<>();
    for (int i = 0; i < Math.min(count, granted); i++) {
      all.add(new FakeInterrupt());
    }
    vectors = all;
    return new InterruptVectors() {
      @Override
      public int count() {
        return all.size();
      }

      @Override
      public Interrupt vector(int index) {
        return all.get(index);
      }

      @Override
      public int grow(int wanted) {
        throw new UnsupportedOperationException();
      }

      @Override
      public void close() {
        vectors = List.of();
      }
    };
  }

  @Override
  public IntxLine enableIntx() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Interrupt deviceError() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Interrupt releaseRequest() {
    return release;
  }

  static final class FakeInterrupt implements Interrupt {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition signalled = lock.newCondition();
    private @Nullable InterruptHandler handler;
    private long count;

    /** How often somebody began to wait. */
    private final AtomicInteger waits = new AtomicInteger();

    int waits() {
      return waits.get();
    }

    boolean hasHandler() {
      return handler != null;
    }

    @Override
    public void handle(InterruptHandler newHandler) {
      handler = newHandler;
    }

    @Override
    public void unhandle() {
      handler = null;
    }

    @Override
    public long await(Duration timeout) {
      lock.lock();
      try {
        waits.incrementAndGet();
        long left = timeout.toNanos();
        while (count == 0 && left > 0) {
          left = signalled.awaitNanos(left);
        }
        return take();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      } finally {
        lock.unlock();
      }
    }

    private long take() {
      long taken = count;
      count = 0;
      return taken;
    }

    @Override
    public long poll() {
      lock.lock();
      try {
        return take();
      } finally {
        lock.unlock();
      }
    }

    @Override
    public void trigger() {
      var target = handler;
      if (target != null) {
        Thread.ofPlatform().daemon().start(() -> target.signalled(1));
        return;
      }
      lock.lock();
      try {
        count++;
        signalled.signalAll();
      } finally {
        lock.unlock();
      }
    }

    @Override
    public int fileDescriptor() {
      throw new UnsupportedOperationException();
    }
  }
}
