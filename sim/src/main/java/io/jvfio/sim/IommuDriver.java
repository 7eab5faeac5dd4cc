package io.jvfio.sim;

/** A loaded IOMMU driver of VFIO. */
interface IommuDriver {
  /** What CHECK_EXTENSION answers before any container has a type. */
  int checkExtension(long extension);

  /** Whether it is for groups without an IOMMU. */
  default boolean isNoIommu() {
    return false;
  }

  /** Whether the process may have it. */
  default int openError() {
    return 0;
  }

  /** A new instance for a type that {@link #checkExtension} knows. */
  Iommu open(long type);
}
