// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.sim.setup.HostDescription;
import org.jspecify.annotations.Nullable;

/**
 * An IOMMU group as an IOMMU's driver sees it: what it has reserved, and who maps memory for it, a
 * container or an iommufd. Source: {@code drivers/vfio/group.c}.
 */
public abstract class IommuGroup {
  private final HostDescription.Group description;
  private final @Nullable TableGroup tables;
  private @Nullable Container container;
  private @Nullable Iommufd iommufd;
  private @Nullable Iommufd owner;
  private int users;

  /**
   * A group that nobody uses.
   *
   * @param tables the sPAPR side of it, or null on other machines
   */
  protected IommuGroup(HostDescription.Group description, @Nullable TableGroup tables) {
    this.description = description;
    this.tables = tables;
    if (tables != null) {
      tables.startErrorHandling(this::resetDevices);
    }
  }

  /** Whether no driver that does DMA itself has any of its devices. */
  public abstract boolean isViable();

  /** Resets its devices as a reset of a bus does, which clears their command registers. */
  protected abstract void resetDevices();

  public HostDescription.Group description() {
    return description;
  }

  public int id() {
    return description.id();
  }

  public boolean isNoIommu() {
    return description.isNoIommu();
  }

  /** The sPAPR side of it, or null on other machines. */
  @Nullable TableGroup tables() {
    return tables;
  }

  /** The endpoint as which Enhanced Error Handling knows it, or null. */
  public @Nullable Endpoint endpoint() {
    return tables == null ? null : tables.endpoint();
  }

  /** The container that it is in, or null. */
  public @Nullable Container container() {
    return container;
  }

  /** It has joined a container, or left the one that it was in. */
  void setContainer(@Nullable Container container) {
    this.container = container;
    users = 0;
  }

  /** A device is opened through it, which keeps it in its container. */
  public void use() {
    users++;
  }

  /** Undoes one {@link #use}. */
  public void unuse() {
    users--;
  }

  public boolean isUsed() {
    return users > 0;
  }

  /** The iommufd in the place of a container, or null. */
  public @Nullable Iommufd iommufd() {
    return iommufd;
  }

  /** Takes an iommufd in the place of a container: 0, or a negated errno. */
  public int join(Iommufd joined) {
    int error = joined.container().attach(this);
    if (error == 0) {
      joined.retain();
      iommufd = joined;
    }
    return error;
  }

  /** Lets the iommufd go that stands in for a container, if there is one. */
  public void dropIommufd() {
    var left = iommufd;
    iommufd = null;
    if (left != null) {
      left.drop();
    }
  }

  /** Whether it has a container, or an iommufd in the place of one. */
  public boolean isAttached() {
    return container != null || iommufd != null;
  }

  /** The iommufd that owns the DMA of its devices, of which some are bound to it, or null. */
  public @Nullable Iommufd owner() {
    return owner;
  }

  void setOwner(@Nullable Iommufd owner) {
    this.owner = owner;
  }
}
