// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Path;

/**
 * What the machine must have for a test of a served disk. Where it has not, the test is skipped and
 * says why; on a CI machine, which must have it, the test fails.
 */
final class Tools {
  private static final Path SOURCES = Path.of("src", "main", "c");

  private Tools() {}

  /** The checker, compiled into a directory. */
  static Survivors survivors(Path directory) throws IOException, InterruptedException {
    try {
      return new Survivors(Survivors.compile(SOURCES.resolve("survivors.c"), directory));
    } catch (IOException e) {
      throw missing("gcc is not installed; on Debian: apt-get install gcc libc6-dev", e);
    }
  }

  /** File systems may be mounted. */
  static void requireMount(Path directory) throws IOException, InterruptedException {
    try {
      Mount.require(directory);
    } catch (IllegalStateException | IOException e) {
      throw missing("this needs mount(2): root, or a container with CAP_SYS_ADMIN", e);
    }
  }

  private static Error missing(String what, Exception cause) {
    return "true".equals(System.getenv("CI")) ? fail(what, cause) : abort(what + ": " + cause);
  }
}
