package io.jvfio.sim;

import io.jvfio.linux.Kernel;

/**
 * The process's {@code locked_vm}: pages that may not be swapped out, against {@code
 * RLIMIT_MEMLOCK}. With {@code CAP_IPC_LOCK} they are counted and not limited. Source: {@code
 * mm/util.c}, {@code __account_locked_vm}.
 */
final class LockedMemory {
  private final int pageSize;
  private final long limitPages;
  private final boolean limited;
  private long pages;

  LockedMemory(int pageSize, HostOptions options) {
    this.pageSize = pageSize;
    this.limitPages = options.lockedMemoryLimit() / pageSize;
    this.limited =
        options.lockedMemoryLimit() != Kernel.NO_LIMIT && !options.has(Capability.IPC_LOCK);
  }

  /** How many more pages can be charged. */
  long available() {
    return limited ? Math.max(0, limitPages - pages) : Long.MAX_VALUE;
  }

  /** Charges whole pages of {@code bytes}, or nothing and returns false. */
  boolean charge(long bytes) {
    long count = bytes / pageSize;
    if (count > available()) {
      return false;
    }
    pages += count;
    return true;
  }

  /** Takes back what {@link #charge} charged. */
  void uncharge(long bytes) {
    pages -= bytes / pageSize;
  }

  /** What is charged, in bytes. */
  long bytes() {
    return pages * pageSize;
  }
}
