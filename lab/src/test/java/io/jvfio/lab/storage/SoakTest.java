// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The shortest form of {@code lab/storage soak}: each way in which a client goes, twice. */
class SoakTest {
  @TempDir Path directory;

  @ParameterizedTest(name = "io_uring {0}")
  @ValueSource(booleans = {true, false})
  void aDiskThatFailsKeepsWhatItAcknowledgedAndNothingOfItsClients(boolean usesRing)
      throws Exception {
    long seed = System.nanoTime();
    try {
      new Soak(directory, Tools.survivors(directory), seed, true)
          .run(usesRing, usesRing ? 4096 : 512, 0);
    } catch (IllegalStateException e) {
      throw new AssertionError("seed " + seed, e);
    }
  }
}
