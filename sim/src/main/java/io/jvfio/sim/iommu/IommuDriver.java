// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

/** A loaded IOMMU driver of VFIO. */
interface IommuDriver {
  /** What CHECK_EXTENSION answers before any container has a type. */
  int checkExtension(long extension);

  /** Whether it is for groups without an IOMMU. */
  default boolean isNoIommu() {
    return false;
  }

  /** Why there can be no instance for an extension that {@link #checkExtension} knows, or 0. */
  int openError(long type);

  /** A new instance for a type that has no {@link #openError}. */
  Iommu open(long type);
}
