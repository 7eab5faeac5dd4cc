// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
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

  /** The type of the last SET_IOMMU that succeeded, or 0. */
  private long type;

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
    int recorded = recordedError(command, argument);
    if (recorded != 0) {
      return recorded;
    }
    return switch (command) {
      case VfioCommand.GET_API_VERSION -> 0;
      case VfioCommand.CHECK_EXTENSION -> checkExtension(argument.value());
      case VfioCommand.SET_IOMMU -> {
        int result = setIommu(argument.value());
        type = result == 0 ? argument.value() : 0;
        yield result;
      }
      default -> iommu == null ? Errno.EINVAL.result() : iommu.ioctl(command, argument);
    };
  }

  /** The error of a call that failed when the host was recorded; 0 where it did not. */
  private int recordedError(int command, UserArgument argument) {
    var recorded = process.description().recorded();
    if (recorded == null || command == VfioCommand.CHECK_EXTENSION) {
      return 0;
    }
    long wanted = command == VfioCommand.SET_IOMMU ? argument.value() : type;
    for (var answer : recorded.answers()) {
      if (answer.errno() != null
          && answer.type().extension().orElse(-1) == wanted
          && isCall(command, answer.call())
          && holds(answer.group())) {
        return answer.errno().result();
      }
    }
    return 0;
  }

  private boolean isCall(int command, @Nullable String name) {
    for (var ioctl : Vfio.COMMANDS) {
      if (ioctl.name().equals(name)) {
        return VfioCommand.numberOf(ioctl, process.description().architecture()) == command;
      }
    }
    return false;
  }

  private boolean holds(int id) {
    for (var group : groups) {
      if (group.id() == id) {
        return true;
      }
    }
    return false;
  }

  private int checkExtension(long extension) {
    var recorded = process.description().recorded();
    if (recorded != null) {
      for (var answer : recorded.answers()) {
        if (!answer.advertised()
            && answer.reached().equals("advertised")
            && answer.type().extension().orElse(-1) == extension
            && holds(answer.group())) {
          return 0;
        }
      }
    }
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
