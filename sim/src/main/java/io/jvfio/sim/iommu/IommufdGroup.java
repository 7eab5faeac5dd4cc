// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An iommufd's view of a group: its devices that are bound, and the one hardware page table that
 * all of them use. Source: {@code struct iommufd_group}.
 */
final class IommufdGroup {
  private final IommuGroup group;
  private final List<IommufdDevice> attached = new ArrayList<>();
  private @Nullable Hwpt table;
  private int bound;

  IommufdGroup(IommuGroup group) {
    this.group = group;
  }

  IommuGroup group() {
    return group;
  }

  /** Those of its devices that are attached. */
  List<IommufdDevice> attached() {
    return attached;
  }

  /** The page table of those that are attached, or null. */
  @Nullable Hwpt table() {
    return table;
  }

  void setTable(@Nullable Hwpt table) {
    this.table = table;
  }

  /** One more device is bound. */
  void bind() {
    bound++;
  }

  /** Undoes one {@link #bind}. */
  void unbind() {
    bound--;
  }

  /** Whether any device is bound. */
  boolean isBound() {
    return bound > 0;
  }
}
