package io.jvfio.sim;

/** An object of an iommufd. Source: {@code struct iommufd_object}. */
abstract class IommufdObject {
  /** Its number, at least 1. */
  final int id;

  private int users;

  IommufdObject(int id) {
    this.id = id;
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
