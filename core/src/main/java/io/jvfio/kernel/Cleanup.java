// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * The steps that undo what has been done so far, in reverse order: all are taken, whatever fails on
 * the way; the first failure is thrown and the others are suppressed in it.
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
    @Nullable RuntimeException failure = null;
    while (!steps.isEmpty()) {
      try {
        steps.pop().run();
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
