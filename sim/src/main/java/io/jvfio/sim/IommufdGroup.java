package io.jvfio.sim;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an iommufd knows of a group: its devices that are bound, and the one hardware page table
 * that all of them use. Source: {@code struct iommufd_group}.
 */
final class IommufdGroup {
  private final List<IommufdDevice> attached = new ArrayList<>();

  /** The page table of those that are attached, or null. */
  @Nullable Hwpt table;

  /** How many devices are bound. */
  int bound;

  /** Those that are attached. */
  List<IommufdDevice> attached() {
    return attached;
  }
}
