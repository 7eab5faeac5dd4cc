package io.jvfio.nvme;

import org.jspecify.annotations.Nullable;

/** Carries out every step of a clean-up, whichever fails; the first failure is kept. */
final class CloseSteps {
  private @Nullable Throwable failure;

  /** Carries out a step. */
  void run(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      add(e);
    }
  }

  private void add(Throwable e) {
    if (failure == null) {
      failure = e;
    } else if (!failure.equals(e)) {
      failure.addSuppressed(e);
    }
  }

  /** Hangs what failed onto the failure that made the clean-up necessary. */
  void suppressInto(Throwable cause) {
    if (failure != null && !failure.equals(cause)) {
      cause.addSuppressed(failure);
    }
  }

  /** Throws the first failure, if there was one; the others are suppressed in it. */
  void rethrow() {
    switch (failure) {
      case null -> {
        // All went well.
      }
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(failure);
    }
  }
}
