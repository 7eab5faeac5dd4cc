// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * A part of a region that can be mapped.
 *
 * @param offset from the start of the region, in bytes
 * @param byteSize length in bytes
 */
public record MappableArea(long offset, long byteSize) {
  @Override
  public String toString() {
    return "0x%x..0x%x (%,d bytes)".formatted(offset, offset + byteSize - 1, byteSize);
  }
}
