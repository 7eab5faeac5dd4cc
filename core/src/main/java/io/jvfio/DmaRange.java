// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * Addresses as a device sees them.
 *
 * @param iova the first one
 * @param byteSize how many bytes, at least one; the range does not wrap
 */
public record DmaRange(long iova, long byteSize) {
  /** A range that does not wrap. */
  public DmaRange {
    if (byteSize <= 0 || Long.compareUnsigned(iova + byteSize - 1, iova) < 0) {
      throw new IllegalArgumentException("0x%x+0x%x is no range".formatted(iova, byteSize));
    }
  }

  /** The addresses of a mapping. */
  public static DmaRange of(DmaMapping mapping) {
    return new DmaRange(mapping.iova(), mapping.byteSize());
  }

  @Override
  public String toString() {
    return "0x%x..0x%x (%,d bytes)".formatted(iova, iova + byteSize - 1, byteSize);
  }
}
