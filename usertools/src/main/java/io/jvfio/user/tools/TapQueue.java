// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What a tap has to tell, in order. Who adds to it waits while it holds too many bytes, so memory
 * has a bound and nothing is left out.
 */
final class TapQueue {
  private static final long MAX_BYTES = 64 << 20;

  /** What an entry takes beside the bytes of its message. */
  private static final int ENTRY_BYTES = 128;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition hasEntry = lock.newCondition();
  private final Condition hasRoom = lock.newCondition();
  private final Deque<Entry> entries = new ArrayDeque<>();
  private long bytes;
  private boolean isEnded;

  /** Something to tell. */
  private record Entry(Consumer<TapObserver> telling, long byteSize) {}

  /** Adds what is to be told of {@code byteSize} bytes; nothing, once it has ended. */
  void add(Consumer<TapObserver> telling, int byteSize) {
    lock.lock();
    try {
      while (bytes > MAX_BYTES && !isEnded) {
        hasRoom.awaitUninterruptibly();
      }
      if (!isEnded) {
        entries.add(new Entry(telling, byteSize + ENTRY_BYTES));
        bytes += byteSize + ENTRY_BYTES;
        hasEntry.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Waits for the next thing to tell; null at the end. */
  @Nullable Consumer<TapObserver> take() {
    lock.lock();
    try {
      while (entries.isEmpty() && !isEnded) {
        hasEntry.awaitUninterruptibly();
      }
      var entry = entries.poll();
      if (entry == null) {
        return null;
      }
      bytes -= entry.byteSize;
      if (bytes <= MAX_BYTES) {
        hasRoom.signalAll();
      }
      return entry.telling;
    } finally {
      lock.unlock();
    }
  }

  /** Whether there is nothing to tell now. */
  boolean isEmpty() {
    lock.lock();
    try {
      return entries.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  /** Nothing is added any more; what is there is still told. */
  void end() {
    lock.lock();
    try {
      isEnded = true;
      hasEntry.signalAll();
      hasRoom.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
