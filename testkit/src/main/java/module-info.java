// SPDX-License-Identifier: Apache-2.0
/** Device models that only tests of several modules need. */
@org.jspecify.annotations.NullMarked
module io.jvfio.testkit {
  requires static org.jspecify;
  requires transitive io.jvfio.model;

  exports io.jvfio.testkit;
}
