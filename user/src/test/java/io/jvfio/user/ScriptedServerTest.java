// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A test of the client, whose server does what the test says; nothing stays open behind it. */
@Timeout(120)
abstract class ScriptedServerTest {
  @TempDir Path directory;

  Path path;
  ScriptedServer server;
  private long descriptors;

  @BeforeEach
  void serve() {
    path = directory.resolve("s");
    descriptors = OpenDescriptors.count();
    server = ScriptedServer.at(path);
  }

  @AfterEach
  void nothingStaysOpen() {
    server.close();
    assertThat(OpenDescriptors.count()).isEqualTo(descriptors);
  }
}
