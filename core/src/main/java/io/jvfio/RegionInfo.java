// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.Optional;

/**
 * The kernel's description of a region. Source: {@code struct vfio_region_info}.
 *
 * @param index 0 to 5 are the BARs, 6 the expansion ROM, 7 configuration space, 8 VGA
 * @param byteSize length in bytes; 0 when the device has no such region
 * @param readable whether it can be read
 * @param writable whether it can be written
 * @param mappable whether some of it can be mapped
 * @param msixMappable whether a mapping may cover the MSI-X table
 * @param type what a region beyond the standard ones is; empty for those
 */
public record RegionInfo(
    int index,
    long byteSize,
    boolean readable,
    boolean writable,
    boolean mappable,
    boolean msixMappable,
    Optional<RegionType> type) {

  /** A standard region, which its index alone identifies. */
  public RegionInfo(
      int index,
      long byteSize,
      boolean readable,
      boolean writable,
      boolean mappable,
      boolean msixMappable) {
    this(index, byteSize, readable, writable, mappable, msixMappable, Optional.empty());
  }

  /** The region's name as PCI people know it. */
  public String label() {
    return switch (index) {
      case 0, 1, 2, 3, 4, 5 -> "BAR" + index;
      case 6 -> "ROM";
      case 7 -> "config";
      case 8 -> "VGA";
      default -> type.map(RegionType::label).orElse("region " + index);
    };
  }

  @Override
  public String toString() {
    return "%s, 0x%x bytes%s%s%s%s"
        .formatted(
            label(),
            byteSize,
            readable ? ", readable" : "",
            writable ? ", writable" : "",
            mappable ? ", mappable" : "",
            msixMappable ? ", with its MSI-X table" : "");
  }
}
