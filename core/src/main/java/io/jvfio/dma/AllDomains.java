package io.jvfio.dma;

import io.jvfio.iommu.IommuDomain;
import io.jvfio.kernel.Explanation;
import io.jvfio.kernel.Refusal;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The domains of one space as if they were one: what is asked of them is done by each, or by none.
 *
 * <p>Guarded by the space's lock.
 */
final class AllDomains {
  private final IommuDomain[] domains;

  AllDomains(IommuDomain[] domains) {
    this.domains = domains;
  }

  /** Locks memory with every domain, or with none. */
  void acquire(long address, long byteSize) throws Refusal {
    int done = 0;
    try {
      for (; done < domains.length; done++) {
        domains[done].acquire(address, byteSize);
      }
    } catch (Refusal refusal) {
      while (done-- > 0) {
        try {
          domains[done].release(address, byteSize);
        } catch (Refusal another) {
          refusal.addSuppressed(another);
        }
      }
      throw refusal;
    }
  }

  /** Undoes {@link #acquire} in every domain, whatever some of them answer. */
  void release(long address, long byteSize) throws Refusal {
    @Nullable Refusal first = null;
    for (var domain : domains) {
      try {
        domain.release(address, byteSize);
      } catch (Refusal refusal) {
        first = Refusal.firstOf(first, refusal);
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** Exchanges the memory of a mapping in every domain, or in none. */
  void exchange(long address, long other, long iova, long byteSize) throws Refusal {
    int done = 0;
    try {
      for (; done < domains.length; done++) {
        if (!domains[done].exchange(address, other, iova, byteSize)) {
          throw Refusal.notAsked(
              "rebase",
              new Explanation(
                  "IOMMU type %s cannot exchange the address of mapped memory."
                      .formatted(domains[done].type()),
                  "Unmap the memory and map the other."));
        }
      }
    } catch (Refusal refusal) {
      while (done-- > 0) {
        try {
          domains[done].exchange(other, address, iova, byteSize);
        } catch (Refusal another) {
          refusal.addSuppressed(another);
        }
      }
      throw refusal;
    }
  }

  /** Begins to track dirty pages in every domain, or in none. */
  void startTracking() throws Refusal {
    int done = 0;
    try {
      for (; done < domains.length; done++) {
        domains[done].trackDirtyPages(true);
      }
    } catch (Refusal refusal) {
      var another = stopTracking(done);
      if (another != null) {
        refusal.addSuppressed(another);
      }
      throw refusal;
    }
  }

  /** Stops tracking in every domain, whatever some of them answer. */
  void stopTracking() throws Refusal {
    var refusal = stopTracking(domains.length);
    if (refusal != null) {
      throw refusal;
    }
  }

  private @Nullable Refusal stopTracking(int count) {
    @Nullable Refusal first = null;
    for (int i = count - 1; i >= 0; i--) {
      try {
        domains[i].trackDirtyPages(false);
      } catch (Refusal refusal) {
        first = Refusal.firstOf(first, refusal);
      }
    }
    return first;
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
