// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

/** An object of an iommufd. Source: {@code struct iommufd_object}. */
public abstract class IommufdObject {
  private final int id;
  private int users;

  IommufdObject(int id) {
    this.id = id;
  }

  /** Its number, at least 1. */
  public final int id() {
    return id;
  }

  /** Something else needs it from now on. */
  final void use() {
    users++;
  }

  /** Undoes one {@link #use}. */
  final void unuse() {
    users--;
  }

  /** Whether anything needs it, so that it cannot be destroyed. */
  final boolean isUsed() {
    return users > 0;
  }

  /** It has no number any more; undoes what it did to others. */
  abstract void destroy();
}
