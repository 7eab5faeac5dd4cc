// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;
import java.util.OptionalLong;

/**
 * A DMA space at one moment.
 *
 * @param type the IOMMU type
 * @param windows the valid address ranges, ascending
 * @param reserved the holes that the platform keeps, ascending
 * @param mappings what is mapped, ascending
 * @param entriesLeft how many more mappings there may be; empty where there is no limit
 * @param lockedBytes what this process has locked, by the kernel's count
 * @param lockableBytes how much more it may lock; empty where there is no limit
 */
public record DmaLayout(
    IommuType type,
    List<DmaWindow> windows,
    List<ReservedRange> reserved,
    List<LiveMapping> mappings,
    OptionalLong entriesLeft,
    long lockedBytes,
    OptionalLong lockableBytes) {

  /** Keeps copies of the lists. */
  public DmaLayout {
    windows = List.copyOf(windows);
    reserved = List.copyOf(reserved);
    mappings = List.copyOf(mappings);
  }
}
