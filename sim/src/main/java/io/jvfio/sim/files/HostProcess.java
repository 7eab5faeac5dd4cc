// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.sim.memory.HugePages;
import io.jvfio.sim.memory.LockedMemory;
import io.jvfio.sim.memory.PreregisteredMemory;
import io.jvfio.sim.memory.ProcessMemory;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.KernelEra;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * The one process on a host, as its kernel keeps it: memory, descriptors, rights and limits. Its
 * monitor is the lock of everything; system calls, register accesses and DMA all hold it.
 */
public final class HostProcess {
  private final HostDescription description;
  private final HostSettings settings;
  private final FileTable files;
  private final ProcessMemory memory;
  private final LockedMemory locked;
  private final LockedMemory lockedByUser;
  private final LockedMemory pinned;
  private final HugePages hugePages;
  private final PreregisteredMemory preregistered;
  private boolean closed;

  public HostProcess(HostDescription description, HostSettings settings) {
    int pageSize = description.pageSize();
    this.description = description;
    this.settings = settings;
    this.files = new FileTable(settings.openFileLimit);
    this.locked = LockedMemory.of(settings, pageSize);
    this.lockedByUser = LockedMemory.of(settings, pageSize);
    this.pinned = LockedMemory.unlimited(pageSize);
    this.hugePages = new HugePages(description, settings);
    this.memory = new ProcessMemory(pageSize, locked, hugePages);
    this.preregistered = new PreregisteredMemory(memory, locked, pageSize);
  }

  /**
   * Waits, without holding up anybody else, until a condition holds. As a system call it takes no
   * notice of an interrupted thread.
   *
   * @param timeoutMillis how long; without limit if it is negative
   * @return false if the time is over, or the process has ended
   */
  public synchronized boolean await(BooleanSupplier condition, int timeoutMillis) {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    boolean interrupted = false;
    try {
      while (!closed && !condition.getAsBoolean()) {
        long left = deadline - System.nanoTime();
        if (timeoutMillis >= 0 && left <= 0) {
          return false;
        }
        try {
          if (timeoutMillis < 0) {
            wait();
          } else {
            TimeUnit.NANOSECONDS.timedWait(this, left);
          }
        } catch (InterruptedException _) {
          interrupted = true;
        }
      }
      return !closed;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Has all who wait look again. */
  synchronized void wakeWaiters() {
    notifyAll();
  }

  /** Whether the process has ended. */
  public boolean isClosed() {
    return closed;
  }

  /** Ends the process: who waits goes on, files are closed, memory is unmapped. */
  public synchronized void close() {
    closed = true;
    notifyAll();
    files.closeAll();
    memory.unmapAll();
  }

  public HostDescription description() {
    return description;
  }

  public KernelEra era() {
    return description.era();
  }

  /** The size of a page in bytes. */
  public int pageSize() {
    return description.pageSize();
  }

  public HostSettings settings() {
    return settings;
  }

  /** Whether the process has a capability, one of {@link HostSettings}. */
  public boolean has(int capability) {
    return settings.has(capability);
  }

  public FileTable files() {
    return files;
  }

  public ProcessMemory memory() {
    return memory;
  }

  /** What counts against the limit of the process. */
  public LockedMemory locked() {
    return locked;
  }

  /** What counts against the limit of the process's user, over all of his processes. */
  public LockedMemory lockedByUser() {
    return lockedByUser;
  }

  /** What iommufd has pinned, which is counted and never limited: {@code VmPin}. */
  public LockedMemory pinned() {
    return pinned;
  }

  public HugePages hugePages() {
    return hugePages;
  }

  public PreregisteredMemory preregistered() {
    return preregistered;
  }
}
