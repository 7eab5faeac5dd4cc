// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import io.jvfio.iommu.IommuDomain;
import io.jvfio.kernel.Refusal;
import io.jvfio.spi.Explanation;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The domains of one space as if they were one: what is asked of them is done by each, or by none.
 *
 * <p>Guarded by the space's lock.
 */
final class AllDomains {
  private final List<IommuDomain> domains;

  AllDomains(List<? extends IommuDomain> domains) {
    this.domains = List.copyOf(domains);
  }

  /** A call of one domain. */
  @FunctionalInterface
  interface Step<D> {
    void take(D domain) throws Refusal;
  }

  /** Takes a step with every domain; where one refuses, it is undone with those before. */
  static <D> void withAllOrNone(List<D> domains, Step<D> step, Step<D> undo) throws Refusal {
    int done = 0;
    try {
      for (; done < domains.size(); done++) {
        step.take(domains.get(done));
      }
    } catch (Refusal refusal) {
      while (done-- > 0) {
        try {
          undo.take(domains.get(done));
        } catch (Refusal another) {
          refusal.addSuppressed(another);
        }
      }
      throw refusal;
    }
  }

  /** Takes a step with every domain, whatever some of them answer. */
  private void withEach(Step<IommuDomain> step) throws Refusal {
    @Nullable Refusal failure = null;
    for (var domain : domains) {
      try {
        step.take(domain);
      } catch (Refusal refusal) {
        failure = Refusal.firstOf(failure, refusal);
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** Locks memory with every domain, or with none. */
  void acquire(long address, long byteSize) throws Refusal {
    withAllOrNone(
        domains,
        domain -> domain.acquire(address, byteSize),
        domain -> domain.release(address, byteSize));
  }

  /** Undoes {@link #acquire} in every domain, whatever some of them answer. */
  void release(long address, long byteSize) throws Refusal {
    withEach(domain -> domain.release(address, byteSize));
  }

  /** Exchanges the memory of a mapping in every domain, or in none. */
  void exchange(long address, long other, long iova, long byteSize) throws Refusal {
    withAllOrNone(
        domains,
        domain -> {
          if (!domain.exchange(address, other, iova, byteSize)) {
            throw Refusal.notAsked(
                "rebase",
                new Explanation(
                    "IOMMU type %s cannot exchange the address of mapped memory."
                        .formatted(domain.type()),
                    "Unmap the memory and map the other."));
          }
        },
        domain -> domain.exchange(other, address, iova, byteSize));
  }

  /** Begins to track dirty pages in every domain, or in none. */
  void startTracking() throws Refusal {
    withAllOrNone(
        domains, domain -> domain.trackDirtyPages(true), domain -> domain.trackDirtyPages(false));
  }

  /** Stops tracking in every domain, whatever some of them answer. */
  void stopTracking() throws Refusal {
    withEach(domain -> domain.trackDirtyPages(false));
  }

  /**
   * Adds the pages that any device wrote to {@code bitmap}.
   *
   * @param part room for the answer of one domain; zeroed, a multiple of 8 bytes, no longer than
   *     {@code bitmap}
   */
  void readDirtyPages(long iova, long byteSize, MemorySegment bitmap, MemorySegment part)
      throws Refusal {
    for (var domain : domains) {
      part.fill((byte) 0);
      domain.readDirtyPages(iova, byteSize, part);
      for (long at = 0; at < part.byteSize(); at += Long.BYTES) {
        bitmap.set(
            ValueLayout.JAVA_LONG_UNALIGNED,
            at,
            bitmap.get(ValueLayout.JAVA_LONG_UNALIGNED, at) | part.get(ValueLayout.JAVA_LONG, at));
      }
    }
  }
}
