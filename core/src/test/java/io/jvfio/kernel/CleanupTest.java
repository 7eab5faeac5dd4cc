// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class CleanupTest {
  private final List<String> done = new ArrayList<>();

  @Test
  void goesBackwardsThroughAllStepsAndThrowsTheFirstFailure() {
    var cleanup = new Cleanup();
    cleanup.add(() -> done.add("first"));
    cleanup.add(() -> fail("second"));
    cleanup.add(() -> fail("third"));
    assertThatThrownBy(cleanup::close)
        .hasMessage("third")
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .extracting(Throwable::getMessage)
                    .containsExactly("second"));
    assertThat(done).containsExactly("third", "second", "first");
  }

  @Test
  void doesNothingOnceReleased() {
    try (var cleanup = new Cleanup()) {
      cleanup.add(() -> done.add("never"));
      cleanup.release();
    }
    assertThat(done).isEmpty();
  }

  private void fail(String step) {
    done.add(step);
    throw new IllegalStateException(step);
  }
}
