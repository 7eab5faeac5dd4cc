// SPDX-License-Identifier: Apache-2.0
/** Programs to copy from. */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("requires-automatic") // fat32.lib, which is not shipped along
module io.jvfio.examples {
  requires static org.jspecify;
  // An example reads a file system with it; the others run without it.
  requires static fat32.lib;
  // An example is a test.
  requires static io.jvfio.junit;
  requires io.jvfio.nvme;
  requires io.jvfio.ops;
  requires io.jvfio.sim;
  requires io.jvfio.user;
}
