// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * A range of valid IO virtual addresses.
 *
 * @param start the first valid address
 * @param last the last valid address
 * @param pageSize the smallest unit of mapping, in bytes
 */
public record DmaWindow(long start, long last, long pageSize) {

  /** A window, of which {@code last} is compared as an unsigned number. */
  public DmaWindow {
    if (Long.compareUnsigned(start, last) > 0 || Long.bitCount(pageSize) != 1) {
      throw new IllegalArgumentException(
          "window 0x%x..0x%x of page size 0x%x".formatted(start, last, pageSize));
    }
  }

  /** Whether {@code byteSize} bytes from {@code iova} all lie within. */
  public boolean contains(long iova, long byteSize) {
    return byteSize > 0
        && Long.compareUnsigned(iova, start) >= 0
        && Long.compareUnsigned(iova, last) <= 0
        && Long.compareUnsigned(byteSize - 1, last - iova) <= 0;
  }

  @Override
  public String toString() {
    return "0x%x..0x%x".formatted(start, last);
  }
}
