// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Makes the calls on threads that wait for them: where there is no {@code io_uring}. */
final class ThreadFileIo implements FileIo {
  /** Enough to keep a disk busy; each waits in one call at a time. */
  private static final int THREADS = 8;

  private static final int MOST_UNDER_WAY = 512;

  private static final System.Logger LOG = System.getLogger("io.jvfio");

  private final Kernel kernel;
  private final FileCall end;
  private final Begun begun = new Begun();
  private final List<Thread> threads = new ArrayList<>();

  /** What has ended, the last one first. */
  private final AtomicReference<@Nullable FileCall> ended = new AtomicReference<>();

  /** What was taken out of {@link #ended}, in order. */
  private @Nullable FileCall taken;

  private volatile @Nullable StorageWake wake;
  private int underWay;

  /**
   * The calls that were taken and have not begun, in order. Those of {@code java.util.concurrent}
   * make an object whenever somebody waits.
   */
  private static final class Begun {
    private final @Nullable FileCall[] calls = new @Nullable FileCall[MOST_UNDER_WAY + THREADS];
    private int first;
    private int count;

    synchronized void add(FileCall call) {
      calls[(first + count) % calls.length] = call;
      count++;
      notify(); // each is for any one of those that wait
    }

    synchronized FileCall take() throws InterruptedException {
      while (count == 0) {
        wait();
      }
      return remove();
    }

    synchronized @Nullable FileCall poll() {
      return count == 0 ? null : remove();
    }

    private FileCall remove() {
      var call = Objects.requireNonNull(calls[first]);
      calls[first] = null;
      first = (first + 1) % calls.length;
      count--;
      return call;
    }
  }

  /**
   * Starts the threads.
   *
   * @param end a call that is never made: it ends a thread
   */
  ThreadFileIo(Kernel kernel, String name, FileCall end) {
    this.kernel = kernel;
    this.end = end;
    for (int i = 0; i < THREADS; i++) {
      threads.add(
          Thread.ofPlatform().name("jvfio nvme " + name + " " + i).daemon().start(this::work));
    }
  }

  @Override
  public String name() {
    return "threads";
  }

  @Override
  public void connect(StorageWake storageWake) {
    wake = storageWake;
  }

  private void work() {
    while (true) {
      FileCall call;
      try {
        call = begun.take();
      } catch (InterruptedException _) {
        continue; // nobody has a reason to interrupt it; close() ends it
      }
      if (call.equals(end)) {
        return;
      }
      make(call);
      tell(call);
    }
  }

  private void tell(FileCall call) {
    FileCall before;
    do {
      before = ended.get();
      call.following = before;
    } while (!ended.compareAndSet(before, call));
    var waiting = wake;
    if (before == null && waiting != null) {
      waiting.now();
    }
  }

  private void make(FileCall call) {
    try {
      call.make(kernel);
    } catch (RuntimeException | Error e) {
      LOG.log(Level.ERROR, "a system call for a disk failed", e);
      call.result = Errno.EIO.result();
    }
  }

  @Override
  public boolean begin(FileCall call) {
    if (underWay == MOST_UNDER_WAY) {
      return false;
    }
    underWay++;
    begun.add(call);
    return true;
  }

  @Override
  public boolean start() {
    return false; // a call begins when it is taken
  }

  @Override
  public @Nullable FileCall next() {
    if (taken == null) {
      var last = ended.getAndSet(null);
      while (last != null) {
        var before = last.following;
        last.following = taken;
        taken = last;
        last = before;
      }
    }
    var call = taken;
    if (call != null) {
      taken = call.following;
      call.following = null;
      underWay--;
    }
    return call;
  }

  @Override
  public int underWay() {
    return underWay;
  }

  @Override
  public void cancelAll() {
    for (var call = begun.poll(); call != null; call = begun.poll()) {
      call.result = Errno.ECANCELED.result();
      tell(call);
    }
  }

  @Override
  public void close() {
    for (int i = 0; i < THREADS; i++) {
      begun.add(end);
    }
    boolean isInterrupted = false;
    for (var thread : threads) {
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException _) {
          isInterrupted = true;
        }
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
