// SPDX-License-Identifier: Apache-2.0
/**
 * JUnit tests that run on simulated hosts.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
module io.jvfio.junit {
  requires static org.jspecify;
  requires transitive io.jvfio.sim;
  requires transitive org.junit.jupiter.api;

  exports io.jvfio.junit;

  // JUnit makes the extension by its constructor, which nobody else needs.
  opens io.jvfio.junit to
      org.junit.platform.commons;
}
