// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.nio.channels.Channel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.util.ArrayList;
import java.util.List;

/**
 * The locks that channels of one namespace hold. A VFIO device belongs to one process, so locks
 * need not reach beyond this one; and within a Java virtual machine, file locks that overlap are
 * refused rather than waited for. Safe for use by several threads.
 */
final class FileLocks {
  private final List<FileLock> held = new ArrayList<>();

  /**
   * Takes a lock.
   *
   * @throws OverlappingFileLockException if bytes of it are locked
   */
  synchronized NvmeFileLock add(NvmeFileLock lock) {
    if (held.stream().anyMatch(other -> other.overlaps(lock.position(), lock.size()))) {
      throw new OverlappingFileLockException();
    }
    held.add(lock);
    return lock;
  }

  synchronized void remove(FileLock lock) {
    held.remove(lock);
  }

  /** Releases all locks of a channel that is closed. */
  synchronized void removeAll(Channel channel) {
    held.removeIf(lock -> lock.acquiredBy().equals(channel));
  }
}
