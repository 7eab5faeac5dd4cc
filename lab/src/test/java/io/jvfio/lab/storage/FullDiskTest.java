// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import io.jvfio.lab.storage.ServedDisk.Way;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Those steps of {@code lab/storage full} that are done on a tmpfs. */
class FullDiskTest {
  @TempDir Path directory;

  @BeforeEach
  void makesFileSystems() throws Exception {
    Tools.requireMount(directory.resolve("mount"));
  }

  private FullDisk fullDisk() throws Exception {
    return new FullDisk(directory, Tools.survivors(directory), directory.resolve("powercut"));
  }

  @ParameterizedTest(name = "io_uring {0}")
  @ValueSource(booleans = {true, false})
  void aFullFileSystemFailsWhatNeedsRoomAndNothingElse(boolean usesRing) throws Exception {
    fullDisk().fill(false, new Way(512, false, usesRing));
  }

  @ParameterizedTest(name = "io_uring {0}")
  @ValueSource(booleans = {true, false})
  void aCommandWaitsForRoomAndHoldsNobodyUp(boolean usesRing) throws Exception {
    fullDisk().stop(false, new Way(4096, false, usesRing));
  }
}
