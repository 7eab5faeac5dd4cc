// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_MAP_FLAG_READ;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_MAP_FLAG_WRITE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_INFO_CAPS;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_INFO_PGSIZES;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;
import static io.jvfio.linux.uapi.Vfio.VFIO_NOIOMMU_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1v2_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_UNMAP_ALL;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.memory.CapabilityChain;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.HostSettings;
import org.jspecify.annotations.Nullable;

/**
 * An iommufd as a container for groups: the commands of a Type1 container on one of its address
 * spaces. Source: {@code drivers/iommu/iommufd/vfio_compat.c} of Linux 6.12.
 */
public final class IommufdContainer {
  private static final int DMA_CC = 4;
  private static final int UNMAP_FLAG_ALL = 2;
  private static final int INFO_MINIMUM = 16;
  private static final int AVAILABLE_SIZE = 12;

  private final HostProcess process;
  private final Iommufd iommufd;
  private @Nullable Ioas ioas;
  private boolean noIommu;

  IommufdContainer(HostProcess process, Iommufd iommufd) {
    this.process = process;
    this.iommufd = iommufd;
  }

  /** The address space that it is about, or null. */
  public @Nullable Ioas ioas() {
    return ioas;
  }

  /** Takes another address space, or none. */
  void use(@Nullable Ioas other) {
    ioas = other;
  }

  /** An object ends, which may be the address space. */
  void forget(IommufdObject object) {
    if (ioas == object) {
      ioas = null;
    }
  }

  /** A group joins, with which an address space comes if there is none: 0, or a negated errno. */
  int attach(IommuGroup group) {
    if (group.isNoIommu()) {
      if (ioas != null) {
        return Errno.EINVAL.result();
      }
      noIommu = true;
      return 0;
    }
    if (noIommu) {
      return Errno.EINVAL.result();
    }
    if (ioas == null) {
      ioas = iommufd.newIoas();
    }
    return 0;
  }

  int ioctl(int command, UserArgument argument) throws UserFault {
    return switch (command) {
      case VfioCommand.GET_API_VERSION -> 0;
      case VfioCommand.CHECK_EXTENSION -> checkExtension(argument.value());
      case VfioCommand.SET_IOMMU -> setIommu(argument.value());
      case VfioCommand.IOMMU_GET_INFO -> info(argument);
      case VfioCommand.IOMMU_MAP_DMA -> map(argument);
      case VfioCommand.IOMMU_UNMAP_DMA -> unmap(argument);
      default -> Errno.ENOTTY.result();
    };
  }

  private int checkExtension(long extension) {
    if (extension == VFIO_TYPE1_IOMMU
        || extension == VFIO_TYPE1v2_IOMMU
        || extension == VFIO_UNMAP_ALL) {
      return noIommu ? 0 : 1;
    }
    if (extension == VFIO_NOIOMMU_IOMMU) {
      return process.description().hasNoIommu() ? 1 : 0;
    }
    if (extension == DMA_CC) {
      // No IOMMU here can enforce coherency, so any page table spoils it.
      return ioas == null ? Errno.ENODEV.result() : ioas.tables().isEmpty() ? 1 : 0;
    }
    return 0;
  }

  private int setIommu(long type) {
    if (type == VFIO_NOIOMMU_IOMMU && noIommu) {
      return process.has(HostSettings.CAP_SYS_RAWIO) ? 0 : Errno.EPERM.result();
    }
    if ((type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU) || noIommu) {
      return Errno.EINVAL.result();
    }
    if (ioas == null) {
      return Errno.ENODEV.result();
    }
    return type == VFIO_TYPE1_IOMMU ? ioas.forbidLargePages() : 0;
  }

  private int info(UserArgument argument) throws UserFault {
    var info = argument.copyIn(INFO_MINIMUM, VfioIommuType1Info.BYTES);
    long argsz = Integer.toUnsignedLong(VfioIommuType1Info.ARGSZ.get(info));
    if (argsz < INFO_MINIMUM) {
      return Errno.EINVAL.result();
    }
    var space = ioas;
    if (space == null) {
      return Errno.ENODEV.result();
    }
    var chain = new CapabilityChain(VfioIommuType1Info.BYTES);
    var available = chain.add(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, AVAILABLE_SIZE);
    available.set(Layouts.U32, 8, -1);
    IovaRanges.addTo(chain, space.ranges());
    if (argsz >= chain.end()) {
      chain.copyOut(argument);
      VfioIommuType1Info.CAP_OFFSET.set(info, (int) VfioIommuType1Info.BYTES);
    }
    VfioIommuType1Info.ARGSZ.set(info, (int) chain.end());
    VfioIommuType1Info.FLAGS.set(info, VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
    VfioIommuType1Info.IOVA_PGSIZES.set(info, pageSizes(space));
    argument.copyOut(0, info, Math.min(argsz, VfioIommuType1Info.BYTES));
    return 0;
  }

  /** Sizes that all page tables have, in terms of the processor's pages. */
  private long pageSizes(Ioas space) {
    long pageSize = process.pageSize();
    long sizes = -1;
    for (var table : space.tables()) {
      sizes &= table.platform().pageSizes();
    }
    if ((sizes & pageSize - 1) != 0) {
      sizes = (sizes & -pageSize) | pageSize;
    }
    return sizes;
  }

  private int map(UserArgument argument) throws UserFault {
    var map = argument.copyIn(VfioIommuType1DmaMap.BYTES);
    int flags = VfioIommuType1DmaMap.FLAGS.get(map);
    if (UserArgument.isShort(VfioIommuType1DmaMap.ARGSZ.get(map), VfioIommuType1DmaMap.BYTES)
        || (flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)) != 0) {
      return Errno.EINVAL.result();
    }
    if (ioas == null) {
      return Errno.ENODEV.result();
    }
    return iommufd
        .map(
            ioas,
            VfioIommuType1DmaMap.VADDR.get(map),
            VfioIommuType1DmaMap.SIZE.get(map),
            (flags & VFIO_DMA_MAP_FLAG_READ) != 0,
            (flags & VFIO_DMA_MAP_FLAG_WRITE) != 0,
            new Ioas.FixedIova(true, VfioIommuType1DmaMap.IOVA.get(map)))
        .error();
  }

  private int unmap(UserArgument argument) throws UserFault {
    var unmap = argument.copyIn(VfioIommuType1DmaUnmap.BYTES);
    int flags = VfioIommuType1DmaUnmap.FLAGS.get(unmap);
    if (UserArgument.isShort(VfioIommuType1DmaUnmap.ARGSZ.get(unmap), VfioIommuType1DmaUnmap.BYTES)
        || (flags & ~UNMAP_FLAG_ALL) != 0) {
      return Errno.EINVAL.result();
    }
    if (ioas == null) {
      return Errno.ENODEV.result();
    }
    long iova = VfioIommuType1DmaUnmap.IOVA.get(unmap);
    long size = VfioIommuType1DmaUnmap.SIZE.get(unmap);
    Ioas.Unmapped unmapped;
    if (flags == UNMAP_FLAG_ALL) {
      if (iova != 0 || size != 0) {
        return Errno.EINVAL.result();
      }
      unmapped = ioas.unmapAll();
    } else {
      // Version 1 could unmap any part of a mapping; its address space has small pages only.
      if (ioas.hasSmallPages()) {
        int error = iova == 0 ? ioas.cut(size - 1) : ioas.cut(iova + size - 1, iova - 1);
        if (error != 0) {
          return error;
        }
      }
      unmapped = ioas.unmap(iova, size);
    }
    VfioIommuType1DmaUnmap.SIZE.set(unmap, unmapped.byteSize());
    argument.copyOut(0, unmap, VfioIommuType1DmaUnmap.BYTES);
    return unmapped.error();
  }
}
