// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import io.jvfio.linux.Kernel;
import io.jvfio.sim.setup.HostSettings;

/**
 * The process's {@code locked_vm}: pages that may not be swapped out, against {@code
 * RLIMIT_MEMLOCK}. With {@code CAP_IPC_LOCK} they are counted and not limited. Source: {@code
 * mm/util.c}, {@code __account_locked_vm}.
 */
public final class LockedMemory {
  private final int pageSize;
  private final long limitPages;
  private final boolean limited;
  private long pages;

  private LockedMemory(int pageSize, long limit) {
    this.pageSize = pageSize;
    this.limitPages = limit / pageSize;
    this.limited = limit != Kernel.NO_LIMIT;
  }

  /** Memory that counts against the limit of a process. */
  public static LockedMemory of(HostSettings settings, int pageSize) {
    return settings.has(HostSettings.CAP_IPC_LOCK)
        ? unlimited(pageSize)
        : new LockedMemory(pageSize, settings.lockedMemoryLimit);
  }

  /** Memory that is only counted. */
  public static LockedMemory unlimited(int pageSize) {
    return new LockedMemory(pageSize, Kernel.NO_LIMIT);
  }

  /** How many more pages can be charged. */
  public long available() {
    return limited ? Math.max(0, limitPages - pages) : Long.MAX_VALUE;
  }

  /** Charges whole pages of {@code bytes}, or nothing and returns false. */
  public boolean charge(long bytes) {
    long count = bytes / pageSize;
    if (count > available()) {
      return false;
    }
    pages += count;
    return true;
  }

  /** Takes back what {@link #charge} charged. */
  public void uncharge(long bytes) {
    pages -= bytes / pageSize;
  }

  /** What is charged, in bytes. */
  public long bytes() {
    return pages * pageSize;
  }
}
