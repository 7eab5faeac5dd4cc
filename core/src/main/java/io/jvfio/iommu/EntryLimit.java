// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

/**
 * A limit to the number of mappings.
 *
 * @param count how many more when none of ours is, or {@link #NONE}
 * @param advice a sentence: what the user can do when they are used up
 */
public record EntryLimit(long count, String advice) {
  /** As many as you like. */
  public static final long NONE = Long.MAX_VALUE;

  static final EntryLimit UNLIMITED = new EntryLimit(NONE, "");
}
