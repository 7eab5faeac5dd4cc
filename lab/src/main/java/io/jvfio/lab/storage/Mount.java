// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A file system of its own, which is small, can be taken away, and is unmounted in the end. Needs
 * {@code mount(2)}: root, or for a tmpfs a name space in which this process is root.
 */
final class Mount implements AutoCloseable {
  private final Path directory;
  private final List<String> source;
  private boolean isMounted;

  private Mount(Path directory, List<String> source) throws IOException, InterruptedException {
    this.directory = Files.createDirectories(directory);
    this.source = source;
    mount();
  }

  /** A tmpfs of so many bytes. */
  static Mount tmpfs(Path directory, long byteSize) throws IOException, InterruptedException {
    return new Mount(directory, List.of("-t", "tmpfs", "-o", "size=" + byteSize, "jvfio-lab"));
  }

  /** An ext4 of so many bytes in an image, which is made anew, by a loop device. */
  static Mount ext4(Path directory, Path image, long byteSize)
      throws IOException, InterruptedException {
    Files.deleteIfExists(image);
    Programs.demand("truncate", "-s", Long.toString(byteSize), image.toString());
    // Without reserved blocks and without what mkfs would put off until the first mount.
    Programs.demand(
        "mkfs.ext4",
        "-q",
        "-b",
        "4096",
        "-m",
        "0",
        "-E",
        "lazy_itable_init=0,lazy_journal_init=0",
        image.toString());
    return new Mount(directory, List.of("-t", "ext4", "-o", "loop", image.toString()));
  }

  /** Fails with a sentence where this process may not mount. */
  static void require(Path directory) throws IOException, InterruptedException {
    tmpfs(directory, 1 << 20).close();
  }

  private void mount() throws IOException, InterruptedException {
    var command = new java.util.ArrayList<>(List.of("mount"));
    command.addAll(source);
    command.add(directory.toString());
    var ended = Programs.run(command);
    if (!ended.isGood()) {
      throw new IllegalStateException(
          "%s: status %d: %s. This needs mount(2) and loop devices: root, or a container with"
                  .formatted(String.join(" ", command), ended.status(), ended.text().strip())
              + " CAP_SYS_ADMIN.");
    }
    isMounted = true;
  }

  Path directory() {
    return directory;
  }

  Path resolve(String name) {
    return directory.resolve(name);
  }

  /** Changes options while files are open. */
  void remount(String options) throws IOException, InterruptedException {
    Programs.demand("mount", "-o", "remount," + options, directory.toString());
  }

  void unmount() throws IOException, InterruptedException {
    if (isMounted) {
      Programs.demand("umount", directory.toString());
      isMounted = false;
    }
  }

  /** Mounts again what was unmounted. */
  void mountAgain() throws IOException, InterruptedException {
    unmount();
    mount();
  }

  @Override
  public void close() throws IOException {
    if (isMounted) {
      isMounted = false;
      try {
        // Also where something still uses it: the name goes at once, and the rest with its last
        // user.
        Programs.run(List.of("umount", "-l", directory.toString()));
      } catch (InterruptedException _) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
