// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * A hole in the valid addresses. Source: {@code /sys/kernel/iommu_groups/N/reserved_regions}.
 *
 * @param start the first address
 * @param last the last address
 * @param kind the kernel's word for it: {@code direct}, {@code direct-relaxable}, {@code reserved}
 *     or {@code msi}
 */
public record ReservedRange(long start, long last, String kind) {

  /** Whether any of {@code byteSize} bytes from {@code iova} lies in it. */
  public boolean overlaps(long iova, long byteSize) {
    return Long.compareUnsigned(iova, last) <= 0
        && Long.compareUnsigned(start, iova + byteSize - 1) <= 0;
  }

  /** The purpose of such a range. */
  public String meaning() {
    return switch (kind) {
      case "msi" -> "message-signalled interrupts";
      case "direct" -> "memory that firmware and device share, mapped one to one";
      case "direct-relaxable" -> "memory that firmware and device may share, mapped one to one";
      default -> "addresses that the platform keeps, such as those of bridges";
    };
  }

  @Override
  public String toString() {
    return "0x%x..0x%x (%s)".formatted(start, last, kind);
  }
}
