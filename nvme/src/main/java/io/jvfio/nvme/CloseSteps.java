// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.util.ArrayList;
import java.util.List;

/** Carries out every step of a clean-up, whichever fails; the first failure is kept. */
final class CloseSteps {
  private final List<Throwable> failures = new ArrayList<>();

  /** Carries out a step. */
  void run(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      failures.add(e);
    }
  }

  /** Forgets failures of a kind: what failed has been done by somebody else. */
  void forget(Class<? extends RuntimeException> kind) {
    failures.removeIf(kind::isInstance);
  }

  /** Takes over what failed in other steps, which came later. */
  void add(CloseSteps later) {
    failures.addAll(later.failures);
  }

  /** Hangs what failed onto the failure that made the clean-up necessary. */
  void suppressInto(Throwable cause) {
    for (var failure : failures) {
      if (!failure.equals(cause)) {
        cause.addSuppressed(failure);
      }
    }
  }

  /** Throws the first failure, if there was one; the others are suppressed in it. */
  void rethrow() {
    if (failures.isEmpty()) {
      return;
    }
    var failure = failures.removeFirst();
    suppressInto(failure);
    switch (failure) {
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(failure);
    }
  }
}
