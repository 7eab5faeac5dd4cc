// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_MAP_FLAG_READ;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_MAP_FLAG_WRITE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_SPAPR_INFO_DDW;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioIommuSpaprRegisterMemory;
import io.jvfio.linux.uapi.VfioIommuSpaprTceCreate;
import io.jvfio.linux.uapi.VfioIommuSpaprTceInfo;
import io.jvfio.linux.uapi.VfioIommuSpaprTceRemove;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.memory.PreregisteredMemory;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.IommuPlatform;
import io.jvfio.sim.setup.KernelEra;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * A sPAPR TCE container, version 1 or 2: attaching, memory registration, and the order of checks of
 * each command. Its windows are {@link SpaprWindows}. Source: {@code
 * drivers/vfio/vfio_iommu_spapr_tce.c}.
 */
final class SpaprIommu implements Iommu {
  /** A boolean that leaks out where an errno was meant. */
  private static final int BAD_ADDRESS = 1;

  private static final int INFO_MINIMUM = 16;

  private final HostProcess process;
  private final SpaprDriver driver;
  private final boolean v2;

  /** The last one to attach is the one asked, as on the kernel's list. */
  private final Deque<TableGroup> groups = new ArrayDeque<>();

  private final SpaprWindows windows;
  private final List<PreregisteredMemory.Region> registered = new ArrayList<>();
  private boolean hasProcess;
  private boolean enabled;
  private long enabledBytes;

  SpaprIommu(HostProcess process, SpaprDriver driver, boolean v2) {
    this.process = process;
    this.driver = driver;
    this.v2 = v2;
    this.windows = new SpaprWindows(process, v2, groups);
  }

  @Override
  public int checkExtension(long extension) {
    return driver.checkExtension(extension);
  }

  @Override
  public int attach(IommuGroup group) {
    var tables = group.tables();
    if (tables == null) {
      return Errno.ENODEV.result();
    }
    int error =
        process.era() == KernelEra.LINUX_5_10 ? oldAttachError(tables) : attachError(tables);
    if (error != 0) {
      return error;
    }
    error = windows.attach(tables);
    if (error == 0) {
      groups.push(tables);
    }
    return error;
  }

  private int attachError(TableGroup tables) {
    if (v2 && tables.offer().maxWindows() == 0) {
      return Errno.EINVAL.result();
    }
    if ((!v2 && !groups.isEmpty()) || groups.contains(tables)) {
      return Errno.EBUSY.result();
    }
    return 0;
  }

  private int oldAttachError(TableGroup tables) {
    if ((!groups.isEmpty() && !tables.hasOwnership()) || groups.contains(tables)) {
      return Errno.EBUSY.result();
    }
    return v2 == tables.hasOwnership() ? 0 : Errno.EPERM.result();
  }

  @Override
  public void detach(IommuGroup group) {
    var tables = group.tables();
    if (tables != null && groups.remove(tables)) {
      windows.detach(tables);
    }
  }

  @Override
  public void release() {
    windows.release();
    for (var region : registered) {
      process.preregistered().put(region);
    }
    registered.clear();
    disable();
  }

  @Override
  public long mappedBytes() {
    return windows.mappedBytes();
  }

  @Override
  public MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked {
    return windows.reach(iova, byteSize, write);
  }

  @Override
  public int ioctl(int command, UserArgument argument) throws UserFault {
    return switch (command) {
      case VfioCommand.IOMMU_GET_INFO -> info(argument);
      case VfioCommand.IOMMU_MAP_DMA -> map(argument);
      case VfioCommand.IOMMU_UNMAP_DMA -> unmap(argument);
      case VfioCommand.IOMMU_ENABLE -> v2 ? Errno.ENOTTY.result() : enable();
      case VfioCommand.IOMMU_DISABLE -> v2 ? Errno.ENOTTY.result() : disable();
      case VfioCommand.SPAPR_REGISTER_MEMORY -> v2 ? register(argument) : Errno.ENOTTY.result();
      case VfioCommand.SPAPR_UNREGISTER_MEMORY -> v2 ? unregister(argument) : Errno.ENOTTY.result();
      case VfioCommand.SPAPR_TCE_CREATE -> v2 ? create(argument) : Errno.ENOTTY.result();
      case VfioCommand.SPAPR_TCE_REMOVE -> v2 ? remove(argument) : Errno.ENOTTY.result();
      case VfioCommand.EEH_PE_OP -> operate(argument);
      default -> Errno.ENOTTY.result();
    };
  }

  /** There always is one: a container's IOMMU ends with its last group. */
  private TableGroup first() {
    return groups.getFirst();
  }

  private int info(UserArgument argument) throws UserFault {
    var offer = first().offer();
    var info = argument.copyIn(INFO_MINIMUM, VfioIommuSpaprTceInfo.BYTES);
    long argsz = Integer.toUnsignedLong(VfioIommuSpaprTceInfo.ARGSZ.get(info));
    if (argsz < INFO_MINIMUM) {
      return Errno.EINVAL.result();
    }
    VfioIommuSpaprTceInfo.DMA32_WINDOW_START.set(info, 0);
    VfioIommuSpaprTceInfo.DMA32_WINDOW_SIZE.set(info, (int) offer.windowSize());
    boolean dynamic = v2 && offer.maxWindows() != 0;
    VfioIommuSpaprTceInfo.FLAGS.set(info, dynamic ? VFIO_IOMMU_SPAPR_INFO_DDW : 0);
    if (dynamic) {
      VfioIommuSpaprTceInfo.PGSIZES.set(info, offer.pageSizes());
      VfioIommuSpaprTceInfo.MAX_DYNAMIC_WINDOWS_SUPPORTED.set(info, offer.maxWindows());
      VfioIommuSpaprTceInfo.LEVELS.set(info, offer.maxLevels());
    }
    argument.copyOut(
        0, info, argsz >= VfioIommuSpaprTceInfo.BYTES ? VfioIommuSpaprTceInfo.BYTES : INFO_MINIMUM);
    return 0;
  }

  /**
   * All groups in turn, until one answers other than 0: a state other than "normal" ends it too.
   */
  private int operate(UserArgument argument) throws UserFault {
    for (var tables : groups) {
      var endpoint = tables.endpoint();
      int result = endpoint == null ? Errno.ENODEV.result() : endpoint.operate(argument);
      if (result != 0) {
        return result;
      }
    }
    return 0;
  }

  private int enable() {
    if (enabled) {
      return Errno.EBUSY.result();
    }
    long windowSize = first().offer().windowSize();
    hasProcess = true;
    if (!process.locked().charge(windowSize)) {
      return Errno.ENOMEM.result();
    }
    enabledBytes = windowSize;
    enabled = true;
    return 0;
  }

  /** Stops further mapping. What is mapped stays mapped: the kernel clears nothing here. */
  private int disable() {
    if (enabled) {
      enabled = false;
      process.locked().uncharge(enabledBytes);
      enabledBytes = 0;
    }
    return 0;
  }

  private int map(UserArgument argument) throws UserFault {
    if (!enabled) {
      return Errno.EPERM.result();
    }
    var map = argument.copyIn(VfioIommuType1DmaMap.BYTES);
    int flags = VfioIommuType1DmaMap.FLAGS.get(map);
    boolean read = (flags & VFIO_DMA_MAP_FLAG_READ) != 0;
    boolean write = (flags & VFIO_DMA_MAP_FLAG_WRITE) != 0;
    if (UserArgument.isShort(VfioIommuType1DmaMap.ARGSZ.get(map), VfioIommuType1DmaMap.BYTES)
        || (flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)) != 0) {
      return Errno.EINVAL.result();
    }
    int error = windows.createDefault();
    if (error != 0) {
      return error;
    }
    long iova = VfioIommuType1DmaMap.IOVA.get(map);
    long vaddr = VfioIommuType1DmaMap.VADDR.get(map);
    long size = VfioIommuType1DmaMap.SIZE.get(map);
    var table = windows.containing(iova);
    if (table == null) {
      return Errno.ENXIO.result();
    }
    long offsetBits = table.pageSize() - 1;
    if (((size | vaddr) & offsetBits) != 0 || (!read && !write)) {
      return Errno.EINVAL.result();
    }
    if ((iova & offsetBits) != 0) {
      return BAD_ADDRESS;
    }
    return windows.map(table, iova, vaddr, size, read, write);
  }

  private int unmap(UserArgument argument) throws UserFault {
    if (!enabled) {
      return Errno.EPERM.result();
    }
    var unmap = argument.copyIn(VfioIommuType1DmaUnmap.BYTES);
    if (UserArgument.isShort(VfioIommuType1DmaUnmap.ARGSZ.get(unmap), VfioIommuType1DmaUnmap.BYTES)
        || VfioIommuType1DmaUnmap.FLAGS.get(unmap) != 0) {
      return Errno.EINVAL.result();
    }
    int error = windows.createDefault();
    if (error != 0) {
      return error;
    }
    long iova = VfioIommuType1DmaUnmap.IOVA.get(unmap);
    long size = VfioIommuType1DmaUnmap.SIZE.get(unmap);
    var table = windows.containing(iova);
    if (table == null) {
      return Errno.ENXIO.result();
    }
    long offsetBits = table.pageSize() - 1;
    if ((size & offsetBits) != 0) {
      return Errno.EINVAL.result();
    }
    long left = table.start() + table.size() - iova;
    boolean fits = Long.compareUnsigned(size, left) <= 0;
    // Linux 6.12.107 lets a hypervisor refuse page by page, and does not mind.
    boolean isChecked = !(process.description().platform() instanceof IommuPlatform.Partition);
    if ((iova & offsetBits) != 0 || (isChecked && !fits)) {
      return BAD_ADDRESS;
    }
    windows.clear(table, iova, fits ? size : left);
    return 0;
  }

  private int register(UserArgument argument) throws UserFault {
    hasProcess = true;
    var range = range(argument);
    long vaddr = VfioIommuSpaprRegisterMemory.VADDR.get(range);
    long size = VfioIommuSpaprRegisterMemory.SIZE.get(range);
    if (isBadRange(range) || Long.compareUnsigned(vaddr + size, vaddr) < 0) {
      return Errno.EINVAL.result();
    }
    var region = process.preregistered().get(vaddr, size);
    if (region == null) {
      int result = process.preregistered().add(vaddr, size);
      if (result != 0) {
        return result;
      }
      region = process.preregistered().last();
    } else if (registered.contains(region)) {
      process.preregistered().put(region);
      return Errno.EBUSY.result();
    }
    registered.add(region);
    enabled = true;
    return 0;
  }

  /**
   * The kernel's own temporary use of the region hides that it is still mapped: the container
   * forgets it, with success, and the region stays pinned and charged for good.
   */
  private int unregister(UserArgument argument) throws UserFault {
    if (!hasProcess) {
      return Errno.EPERM.result();
    }
    var range = range(argument);
    if (isBadRange(range)) {
      return Errno.EINVAL.result();
    }
    var region =
        process
            .preregistered()
            .get(
                VfioIommuSpaprRegisterMemory.VADDR.get(range),
                VfioIommuSpaprRegisterMemory.SIZE.get(range));
    if (region == null) {
      return Errno.ENOENT.result();
    }
    boolean known = registered.remove(region);
    if (known) {
      process.preregistered().put(region);
    }
    process.preregistered().put(region);
    return known ? 0 : Errno.ENOENT.result();
  }

  private static MemorySegment range(UserArgument argument) throws UserFault {
    return argument.copyIn(VfioIommuSpaprRegisterMemory.BYTES);
  }

  private boolean isBadRange(MemorySegment range) {
    long offsetBits = process.pageSize() - 1L;
    return UserArgument.isShort(
            VfioIommuSpaprRegisterMemory.ARGSZ.get(range), VfioIommuSpaprRegisterMemory.BYTES)
        || VfioIommuSpaprRegisterMemory.FLAGS.get(range) != 0
        || (VfioIommuSpaprRegisterMemory.VADDR.get(range) & offsetBits) != 0
        || (VfioIommuSpaprRegisterMemory.SIZE.get(range) & offsetBits) != 0;
  }

  private int create(UserArgument argument) throws UserFault {
    hasProcess = true;
    var create = argument.copyIn(VfioIommuSpaprTceCreate.BYTES);
    if (UserArgument.isShort(
            VfioIommuSpaprTceCreate.ARGSZ.get(create), VfioIommuSpaprTceCreate.BYTES)
        || VfioIommuSpaprTceCreate.FLAGS.get(create) != 0) {
      return Errno.EINVAL.result();
    }
    int error = windows.createDefault();
    if (error != 0) {
      return error;
    }
    var created =
        windows.create(
            VfioIommuSpaprTceCreate.PAGE_SHIFT.get(create),
            VfioIommuSpaprTceCreate.WINDOW_SIZE.get(create),
            VfioIommuSpaprTceCreate.LEVELS.get(create));
    if (created.table() == null) {
      return created.error();
    }
    VfioIommuSpaprTceCreate.START_ADDR.set(create, created.table().start());
    argument.copyOut(0, create, VfioIommuSpaprTceCreate.BYTES);
    return 0;
  }

  private int remove(UserArgument argument) throws UserFault {
    hasProcess = true;
    var remove = argument.copyIn(VfioIommuSpaprTceRemove.BYTES);
    if (UserArgument.isShort(
            VfioIommuSpaprTceRemove.ARGSZ.get(remove), VfioIommuSpaprTceRemove.BYTES)
        || VfioIommuSpaprTceRemove.FLAGS.get(remove) != 0) {
      return Errno.EINVAL.result();
    }
    return windows.remove(VfioIommuSpaprTceRemove.START_ADDR.get(remove));
  }
}
