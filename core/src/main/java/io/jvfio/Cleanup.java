package io.jvfio;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * What has been opened so far, to be closed in reverse order: all of it, whatever fails on the way;
 * the first failure is thrown and the others are suppressed in it.
 */
final class Cleanup implements AutoCloseable {
  private final Deque<Runnable> steps = new ArrayDeque<>();

  /** Adds a step, to run before all that were added earlier. */
  <T extends AutoCloseable> T add(T resource, Runnable close) {
    steps.push(close);
    return resource;
  }

  /** Adds a step, to run before all that were added earlier. */
  void add(Runnable close) {
    steps.push(close);
  }

  /** Hands all steps to a new owner; closing this one does nothing after that. */
  Cleanup release() {
    var owner = new Cleanup();
    owner.steps.addAll(steps);
    steps.clear();
    return owner;
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
