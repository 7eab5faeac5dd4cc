// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What this process has open, apart from what the JVM opens when it needs it. */
public final class OpenDescriptors {
  private OpenDescriptors() {}

  /** Sockets, eventfds, memory files: everything that is no file of a file system. */
  public static long count() {
    try (var all = Files.list(Path.of("/proc/self/fd"))) {
      return all.filter(OpenDescriptors::isNoFile).count();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static boolean isNoFile(Path descriptor) {
    try {
      var target = Files.readSymbolicLink(descriptor).toString();
      return !target.startsWith("/") || target.startsWith("/memfd:");
    } catch (IOException e) {
      return false; // the one by which the directory is read
    }
  }
}
