// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;

/**
 * A device that is bound to an iommufd: until it is attached to an address space, its DMA is
 * blocked. Source: {@code drivers/iommu/iommufd/device.c}.
 */
public final class IommufdDevice extends IommufdObject implements DmaTranslation {
  private final Iommufd iommufd;
  private final IommufdGroup group;

  /** A device whose group is the iommufd's. */
  IommufdDevice(Iommufd iommufd, int id, IommufdGroup group) {
    super(id);
    this.iommufd = iommufd;
    this.group = group;
    group.bind();
    use(); // the driver needs it
  }

  @Override
  void destroy() {
    group.unbind();
    iommufd.unbound(group);
  }

  /** Undoes binding, and attaching if it is attached. */
  public void unbind() {
    detach();
    unuse();
    iommufd.remove(this);
  }

  public Iommufd iommufd() {
    return iommufd;
  }

  /** The group that the device is in. */
  IommuGroup group() {
    return group.group();
  }

  private boolean isAttached() {
    return group.attached().contains(this);
  }

  /**
   * Attaches it to an address space or a hardware page table, in the place of that which it has.
   *
   * @param id the object's number
   * @return the number of the hardware page table, or a negated errno
   */
  public int attach(int id) {
    var old = isAttached() ? group.table() : null;
    var object = iommufd.find(id);
    int result =
        switch (object) {
          case Hwpt table -> {
            int error = take(table);
            yield error == 0 ? table.id() : error;
          }
          case Ioas ioas -> attach(ioas);
          case null -> Errno.ENOENT.result();
          default -> Errno.EINVAL.result();
        };
    if (result > 0 && old != null && old != group.table()) {
      letGo(old);
    }
    return result;
  }

  /**
   * Attaches it the first time, or in the place of another table, which is the caller's to let go:
   * 0, or a negated errno.
   */
  private int take(Hwpt table) {
    return isAttached() ? replace(table) : attach(table);
  }

  /** Uses a page table that the kernel has made for another device, or makes one. */
  private int attach(Ioas ioas) {
    for (var table : ioas.tables()) {
      if (!table.isAutomatic()) {
        continue;
      }
      int error = take(table);
      if (error == 0) {
        return table.id();
      }
      if (error != Errno.EINVAL.result()) {
        return error;
      }
    }
    boolean isFirstTable = !isAttached();
    var table = iommufd.newTable(ioas, false);
    // A first table is attached before it is filled, another one is filled before.
    int error = isFirstTable ? attach(table) : ioas.add(table);
    if (error == 0) {
      error = isFirstTable ? ioas.add(table) : replace(table);
      if (error != 0 && isFirstTable) {
        leave(table);
      }
    }
    if (error != 0) {
      iommufd.remove(table);
      return error;
    }
    table.setAutomatic();
    return table.id();
  }

  private int attach(Hwpt table) {
    if (group.table() != null && group.table() != table) {
      return Errno.EINVAL.result();
    }
    int error = table.ioas().reserveFor(this);
    if (error != 0) {
      return error;
    }
    group.setTable(table);
    group.attached().add(this);
    table.use();
    use();
    return 0;
  }

  private int replace(Hwpt table) {
    var old = group.table();
    if (old == null) {
      return Errno.EINVAL.result();
    }
    if (table == old) {
      return 0;
    }
    if (table.ioas() != old.ioas()) {
      int error = 0;
      for (var member : group.attached()) {
        error = error == 0 ? table.ioas().reserveFor(member) : error;
      }
      for (var member : group.attached()) {
        if (error != 0) {
          table.ioas().unreserveFor(member);
        } else {
          old.ioas().unreserveFor(member);
        }
      }
      if (error != 0) {
        return error;
      }
    }
    group.setTable(table);
    for (int i = 0; i < group.attached().size(); i++) {
      table.use();
      if (i > 0) {
        old.unuse();
      }
    }
    return 0;
  }

  /** Takes it from its page table; whoever is not attached stays so. */
  public void detach() {
    var table = group.table();
    if (table != null && isAttached()) {
      leave(table);
      iommufd.destroyIfUnused(table);
    }
  }

  private void leave(Hwpt table) {
    group.attached().remove(this);
    if (group.attached().isEmpty()) {
      group.setTable(null);
    }
    table.ioas().unreserveFor(this);
    table.unuse();
    unuse();
  }

  private void letGo(Hwpt table) {
    table.unuse();
    iommufd.destroyIfUnused(table);
  }

  @Override
  public MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked {
    if (group.table() == null) {
      throw new DmaBlocked(iova, "the device is attached to no address space");
    }
    return group.table().reach(iova, byteSize, write);
  }
}
