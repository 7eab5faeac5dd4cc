// SPDX-License-Identifier: Apache-2.0
/**
 * The system-call seam: the kernel as an interface, and the VFIO user API structs. The only module
 * that makes native calls, so a user grants native access once: {@code
 * --enable-native-access=io.jvfio.linux}.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("module") // the modules named below are built after this one
module io.jvfio.linux {
  requires static org.jspecify;

  exports io.jvfio.linux;
  // Struct layouts and raw numbers: for those who make or answer system calls, not for users of the
  // library.
  exports io.jvfio.linux.uapi to
      io.jvfio,
      io.jvfio.model,
      io.jvfio.nvme,
      io.jvfio.sim,
      io.jvfio.user,
      io.jvfio.user.tools,
      io.jvfio.lab,
      io.jvfio.bench;
}
