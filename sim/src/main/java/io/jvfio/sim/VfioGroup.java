package io.jvfio.sim;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An IOMMU group as VFIO sees it: closed, open, in a container, in use. Source: {@code
 * drivers/vfio/group.c}.
 */
final class VfioGroup {
  final HostDescription.Group description;
  final boolean noIommu;

  /** The sPAPR side of it, or null on other machines. */
  final @Nullable TableGroup tables;

  final List<HostDevice> devices = new ArrayList<>();

  /** The one open file of this process, or null. */
  @Nullable GroupFile file;

  /** Another process has it open. */
  boolean heldElsewhere;

  @Nullable Container container;

  /** The iommufd in the place of a container, or null. */
  @Nullable IommufdFile iommufd;

  /** The iommufd that owns the DMA of its devices, of which some are bound to it, or null. */
  @Nullable Iommufd owner;

  /** How many of its devices are bound through nodes of their own. */
  int characterDevices;

  /** 1 in a container, and one more for each device that was opened through it. */
  int users;

  VfioGroup(HostDescription.Group description, boolean noIommu, @Nullable TableGroup tables) {
    this.description = description;
    this.noIommu = noIommu;
    this.tables = tables;
    if (tables != null && tables.hasErrorHandling()) {
      tables.endpoint = new Endpoint(devices);
    }
  }

  /** What Enhanced Error Handling knows it as, or null. */
  @Nullable Endpoint endpoint() {
    return tables == null ? null : tables.endpoint;
  }

  int id() {
    return description.id();
  }

  /** Its name in {@code /dev/vfio}. */
  String nodeName() {
    return noIommu ? "noiommu-" + id() : Integer.toString(id());
  }

  /** Whether a driver for VFIO has any of its devices, without which it has no node. */
  boolean hasVfioDevice() {
    for (var device : devices) {
      if (device.isVfio()) {
        return true;
      }
    }
    return false;
  }

  /** Whether it has a container, or an iommufd in the place of one. */
  boolean isAttached() {
    return container != null || iommufd != null;
  }

  /** Whether no driver that does DMA itself has any of its devices. */
  boolean isViable() {
    for (var device : devices) {
      if (device.hasHostDriver()) {
        return false;
      }
    }
    return true;
  }
}
