// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

/** The ways in which IOMMUs lock the memory that is mapped, and who pays for it. */
public enum Locking {
  /** It locks none: the device sees the pages of this process through the process itself. */
  NEVER,
  /** Its whole window is charged as it is enabled, and mapping charges nothing more. */
  WHOLE_WINDOW,
  /** Each mapping locks its memory, and the kernel charges the process. */
  BY_MAPPING,
  /** Each mapping locks its memory, and the kernel charges the user, in a count it never tells. */
  BY_MAPPING_UNTOLD,
  /**
   * Memory is locked before it is mapped, for the process: the kernel charges it once, however many
   * containers map it.
   */
  AHEAD;

  /** Whether mapped memory counts as locked at all. */
  public boolean isCounted() {
    return this != NEVER;
  }

  /** How many bytes of a mapping that does not exist yet would be locked on top. */
  public long bytes(long byteSize) {
    return this == NEVER || this == WHOLE_WINDOW ? 0 : byteSize;
  }
}
