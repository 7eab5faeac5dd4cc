package io.jvfio.kernel;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * What has been opened so far, to be closed in reverse order: all of it, whatever fails on the way;
 * the first failure is thrown and the others are suppressed in it.
 */
public final class Cleanup implements AutoCloseable {
  private final Deque<Runnable> steps = new ArrayDeque<>();

  /** Adds a step, to run before all that were added earlier. */
  public void add(Runnable close) {
    steps.push(close);
  }

  /** Forgets all steps: what was opened stays open. */
  public void release() {
    steps.clear();
  }

  @Override
  public void close() {
    @Nullable RuntimeException first = null;
    while (!steps.isEmpty()) {
      try {
        steps.pop().run();
      } catch (RuntimeException e) {
        if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
