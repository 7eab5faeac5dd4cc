// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.OpenFile;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.HostSettings;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An open {@code /dev/vfio/vfio}, a container: groups that share an IOMMU. It lives on without its
 * descriptor while groups are in it. Source: {@code drivers/vfio/container.c}.
 */
public final class Container extends OpenFile {
  private final HostProcess process;
  private final List<IommuDriver> drivers;

  /** The last one to join is the first one asked, as on the kernel's list. */
  private final Deque<IommuGroup> groups = new ArrayDeque<>();

  private @Nullable Iommu iommu;
  private boolean noIommu;

  Container(HostProcess process, List<IommuDriver> drivers) {
    super("/dev/vfio/vfio");
    this.process = process;
    this.drivers = drivers;
  }

  public @Nullable Iommu iommu() {
    return iommu;
  }

  @Override
  public int ioctl(int command, UserArgument argument) throws UserFault {
    return switch (command) {
      case VfioCommand.GET_API_VERSION -> 0;
      case VfioCommand.CHECK_EXTENSION -> checkExtension(argument.value());
      case VfioCommand.SET_IOMMU -> setIommu(argument.value());
      default -> iommu == null ? Errno.EINVAL.result() : iommu.ioctl(command, argument);
    };
  }

  private int checkExtension(long extension) {
    if (iommu != null) {
      return iommu.checkExtension(extension);
    }
    for (var candidate : drivers) {
      if (!groups.isEmpty() && !isAllowed(candidate)) {
        continue;
      }
      int answer = candidate.checkExtension(extension);
      if (answer > 0) {
        return answer;
      }
    }
    return 0;
  }

  /** Groups without an IOMMU and the driver for them are for each other only. */
  private boolean isAllowed(IommuDriver candidate) {
    return candidate.isNoIommu() == noIommu;
  }

  private int setIommu(long type) {
    if (groups.isEmpty() || iommu != null) {
      return Errno.EINVAL.result();
    }
    int result = Errno.ENODEV.result();
    for (var candidate : drivers) {
      if (!isAllowed(candidate) || candidate.checkExtension(type) <= 0) {
        continue;
      }
      result = candidate.openError(type);
      if (result != 0) {
        continue;
      }
      var opened = candidate.open(type);
      result = attachAll(opened);
      if (result == 0) {
        iommu = opened;
        break;
      }
      opened.release();
    }
    return result;
  }

  private int attachAll(Iommu opened) {
    var attached = new ArrayDeque<IommuGroup>();
    for (var group : groups) {
      int result = opened.attach(group);
      if (result != 0) {
        attached.forEach(opened::detach);
        return result;
      }
      attached.push(group);
    }
    return 0;
  }

  /** Takes a group in; a negated errno changes nothing. */
  public int attach(IommuGroup group) {
    if (group.isNoIommu() && !process.has(HostSettings.CAP_SYS_RAWIO)) {
      return Errno.EPERM.result();
    }
    if (!groups.isEmpty() && noIommu != group.isNoIommu()) {
      return Errno.EPERM.result();
    }
    boolean claims = process.era().claimsOwnership() && !group.isNoIommu();
    if (claims) {
      if (!group.isViable() || group.owner() != null) {
        return Errno.EPERM.result();
      }
      if (group.tables() != null) {
        group.tables().takeOwnership();
      }
    }
    if (iommu != null) {
      int result = iommu.attach(group);
      if (result != 0) {
        if (claims) {
          releaseOwnership(group);
        }
        return result;
      }
    }
    group.setContainer(this);
    noIommu = group.isNoIommu();
    groups.push(group);
    return 0;
  }

  /** Lets a group go; with the last one the IOMMU ends, and the container is as new. */
  public void detach(IommuGroup group) {
    if (iommu != null) {
      iommu.detach(group);
    }
    if (process.era().claimsOwnership()) {
      releaseOwnership(group);
    }
    group.setContainer(null);
    groups.remove(group);
    if (iommu != null && groups.isEmpty()) {
      iommu.release();
      iommu = null;
    }
  }

  private static void releaseOwnership(IommuGroup group) {
    if (group.tables() != null) {
      group.tables().releaseOwnership();
    }
  }

  /** Whether a device of {@code group} may be opened: 0, or a negated errno. */
  public int useError(IommuGroup group) {
    if (iommu == null) {
      return Errno.EINVAL.result();
    }
    if (group.isNoIommu() && !process.has(HostSettings.CAP_SYS_RAWIO)) {
      return Errno.EPERM.result();
    }
    return 0;
  }

  public long mappedBytes() {
    return iommu == null ? 0 : iommu.mappedBytes();
  }
}
