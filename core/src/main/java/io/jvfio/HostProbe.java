// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;

/**
 * The result of probing several groups.
 *
 * @param groups one entry for each group
 * @param common the IOMMU types that every one of them can take, in the order of the policy
 */
public record HostProbe(List<GroupProbe> groups, List<IommuType> common) {

  /** Keeps copies. */
  public HostProbe {
    groups = List.copyOf(groups);
    common = List.copyOf(common);
  }
}
