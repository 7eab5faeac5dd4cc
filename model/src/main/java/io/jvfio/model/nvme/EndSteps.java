// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import org.jspecify.annotations.Nullable;

/** Carries out every step of an end, whichever throws; what was thrown first is kept. */
final class EndSteps {
  /** How many more are kept with the first: it may be the same again and again. */
  private static final int MOST_SUPPRESSED = 16;

  private @Nullable Throwable first;

  /** Carries out a step. */
  void run(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      if (first == null) {
        first = e;
      } else {
        suppressInto(first, e);
      }
    }
  }

  /** Hangs what was thrown onto a failure that tells more. */
  void suppressInto(Throwable failure) {
    if (first != null) {
      suppressInto(failure, first);
    }
  }

  private static void suppressInto(Throwable failure, Throwable more) {
    if (!more.equals(failure) && failure.getSuppressed().length < MOST_SUPPRESSED) {
      failure.addSuppressed(more);
    }
  }

  /** Throws what was thrown first, if anything was. */
  void rethrow() {
    switch (first) {
      case null -> {
        // All went well.
      }
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(first);
    }
  }
}
