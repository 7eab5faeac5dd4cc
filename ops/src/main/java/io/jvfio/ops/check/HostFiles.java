// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.util.List;
import java.util.Optional;

/**
 * Files of a host that may not be there, or may not be read. Which of both does not matter here:
 * the host does not tell.
 */
final class HostFiles {
  private final Kernel kernel;

  HostFiles(Kernel kernel) {
    this.kernel = kernel;
  }

  /** The text of a file, without a final newline. */
  Optional<String> text(String path) {
    try {
      return Optional.of(kernel.readText(path));
    } catch (ErrnoException e) {
      return Optional.empty();
    }
  }

  /** The bytes of a file; none where the host does not tell. */
  byte[] bytes(String path) {
    try {
      return kernel.readBytes(path);
    } catch (ErrnoException e) {
      return new byte[0];
    }
  }

  /** The names in a directory, in order; empty where the host does not tell. */
  Optional<List<String>> directory(String path) {
    try {
      return Optional.of(kernel.list(path).stream().sorted().toList());
    } catch (ErrnoException e) {
      return Optional.empty();
    }
  }

  /** The names in a directory, in order; none where the host does not tell. */
  List<String> names(String path) {
    return directory(path).orElse(List.of());
  }

  /** The target of a link. */
  Optional<String> link(String path) {
    try {
      return Optional.of(kernel.readLink(path));
    } catch (ErrnoException e) {
      return Optional.empty();
    }
  }

  /** Whether there is such a file. */
  boolean exists(String path) {
    int slash = path.lastIndexOf('/');
    return names(slash == 0 ? "/" : path.substring(0, slash)).contains(path.substring(slash + 1));
  }
}
