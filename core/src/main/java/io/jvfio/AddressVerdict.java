// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.OptionalLong;

/**
 * Whether memory could be mapped at an address.
 *
 * @param iova the address asked about
 * @param byteSize the length asked about, in bytes
 * @param free whether it could
 * @param reason a sentence or two: why not, or in which window
 * @param nextFree the next address at or after it, or else the first one of all, at which that
 *     length fits; empty where there is none
 */
public record AddressVerdict(
    long iova, long byteSize, boolean free, String reason, OptionalLong nextFree) {
  @Override
  public String toString() {
    return "0x%x..0x%x: %s%s"
        .formatted(
            iova,
            iova + byteSize - 1,
            reason,
            !free && nextFree.isPresent()
                ? " Free from 0x%x on.".formatted(nextFree.getAsLong())
                : "");
  }
}
