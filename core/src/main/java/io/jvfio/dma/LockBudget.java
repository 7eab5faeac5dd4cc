// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import io.jvfio.iommu.IommuDomain;
import io.jvfio.iommu.Locking;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.Refusal;
import io.jvfio.spi.Explanation;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The budget of locked memory: how much a mapping locks, and how much may still be locked, so that
 * the kernel is not asked for what it must refuse. Where no limit binds the process, nothing is
 * checked.
 */
final class LockBudget {
  private final HostFacts facts;
  private final Explanations explanations;
  private final IommuDomain[] domains;
  private final Locking locking;
  private final boolean isLimited;

  LockBudget(HostFacts facts, IommuDomain[] domains) {
    this.facts = facts;
    this.explanations = new Explanations(facts);
    this.domains = domains;
    this.locking = domains[0].locking();
    this.isLimited = locking.isCounted() && facts.lockableMemory().isPresent();
  }

  /**
   * What may still be locked; empty where no limit binds this process.
   *
   * @param mappedBytes what the space has mapped
   */
  OptionalLong lockable(long mappedBytes) {
    if (!isLimited) {
      return OptionalLong.empty();
    }
    var lockable = facts.lockableMemory();
    // At least our own share is known of what no file tells.
    return lockable.isPresent() && locking == Locking.BY_MAPPING_UNTOLD
        ? OptionalLong.of(
            Math.min(
                lockable.getAsLong(),
                Math.max(0, facts.kernel().lockedMemoryLimit() - mappedBytes)))
        : lockable;
  }

  /** What a new mapping of {@code byteSize} bytes locks. */
  long bytes(long byteSize) {
    return locking.bytes(byteSize) * times();
  }

  /** What is missing to lock {@code needed} bytes; empty if nothing is. */
  Optional<Explanation> shortfall(long needed, long mappedBytes, String purpose) {
    var lockable = lockable(mappedBytes);
    if (lockable.isEmpty() || needed <= lockable.getAsLong()) {
      return Optional.empty();
    }
    long locked = facts.kernel().lockedMemoryLimit() - lockable.getAsLong();
    return Optional.of(explanations.lockedMemory(needed, Math.max(0, locked), purpose));
  }

  /**
   * Refuses what cannot be locked.
   *
   * @param extra bytes that are locked besides the memory itself
   */
  void check(long address, long byteSize, long extra, long mappedBytes, String purpose)
      throws Refusal {
    if (!isLimited) {
      return;
    }
    long needed = extra + domains[0].lockedBytes(address, byteSize) * times();
    var shortfall = shortfall(needed, mappedBytes, purpose);
    if (shortfall.isPresent()) {
      throw Refusal.lacking("map", shortfall.get());
    }
  }

  /** How often memory is charged: what is locked ahead is so for all containers of a process. */
  private int times() {
    return locking == Locking.AHEAD ? 1 : domains.length;
  }
}
