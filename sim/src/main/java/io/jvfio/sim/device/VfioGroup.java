// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;

import io.jvfio.model.ResetReason;
import io.jvfio.sim.iommu.IommuGroup;
import io.jvfio.sim.iommu.TableGroup;
import io.jvfio.sim.setup.HostDescription;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A group as its users see it: its devices, its node, and who has it open. Source: {@code
 * drivers/vfio/group.c}.
 */
public final class VfioGroup extends IommuGroup {
  private final List<HostDevice> devices = new ArrayList<>();
  private final boolean heldElsewhere;
  private boolean open;
  private int characterDevices;

  /**
   * A group without devices.
   *
   * @param heldElsewhere whether another process has it open
   */
  VfioGroup(HostDescription.Group description, @Nullable TableGroup tables, boolean heldElsewhere) {
    super(description, tables);
    this.heldElsewhere = heldElsewhere;
  }

  public List<HostDevice> devices() {
    return Collections.unmodifiableList(devices);
  }

  void add(HostDevice device) {
    devices.add(device);
  }

  void remove(HostDevice device) {
    devices.remove(device);
  }

  /** Its name in {@code /dev/vfio}. */
  public String nodeName() {
    return isNoIommu() ? "noiommu-" + id() : Integer.toString(id());
  }

  /** Whether a driver for VFIO has any of its devices, without which it has no node. */
  public boolean hasVfioDevice() {
    for (var device : devices) {
      if (device.isVfio()) {
        return true;
      }
    }
    return false;
  }

  @Override
  public boolean isViable() {
    for (var device : devices) {
      if (device.hasHostDriver()) {
        return false;
      }
    }
    return true;
  }

  @Override
  protected void resetDevices() {
    for (var device : devices) {
      device.config().set(PCI_COMMAND, 2, 0);
      var model = device.model();
      if (model != null) {
        model.reset(ResetReason.DEVICE_RESET);
      }
    }
  }

  /** Its node is opened, or the file of it closed. */
  void setOpen(boolean open) {
    this.open = open;
  }

  /** Whether its node is open, here or in another process. */
  boolean isOpen() {
    return open || heldElsewhere;
  }

  /** One more of its devices is bound through a node of its own. */
  void addCharacterDevice() {
    characterDevices++;
  }

  /** Undoes one {@link #addCharacterDevice}. */
  void removeCharacterDevice() {
    characterDevices--;
  }

  boolean hasCharacterDevices() {
    return characterDevices > 0;
  }
}
