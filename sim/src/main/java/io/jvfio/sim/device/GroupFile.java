// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_FLAGS_CONTAINER_SET;
import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_FLAGS_VIABLE;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioGroupStatus;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.OpenFile;
import io.jvfio.sim.files.PathError;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.iommu.Container;
import io.jvfio.sim.iommu.Iommufd;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.KernelEra;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * An open {@code /dev/vfio/GROUP}. Source: {@code drivers/vfio/group.c}; before 6.1 {@code
 * drivers/vfio/vfio.c}.
 */
public final class GroupFile extends OpenFile implements DeviceUser {
  /** What may follow an address: spaces, and one token among them. */
  private static final Pattern OPTIONS =
      Pattern.compile(" *(?:vf_token=(\\p{XDigit}{8}(?:-\\p{XDigit}{4}){3}-\\p{XDigit}{12}) *)?");

  private final HostProcess process;
  private final VfioGroup group;

  private GroupFile(HostProcess process, VfioGroup group) {
    super("/dev/vfio/" + group.nodeName());
    this.process = process;
    this.group = group;
  }

  /** Why {@code group} cannot be opened: a negated errno, or 0. */
  static int openError(HostProcess process, VfioGroup group) {
    if (!group.hasVfioDevice()) {
      return Errno.ENODEV.result();
    }
    if (group.isNoIommu() && !process.has(HostSettings.CAP_SYS_RAWIO)) {
      return Errno.EPERM.result();
    }
    return group.isOpen() || group.hasCharacterDevices() ? Errno.EBUSY.result() : 0;
  }

  /** Opens a group. */
  public static GroupFile open(HostProcess process, VfioGroup group) throws PathError {
    int error = openError(process, group);
    if (error != 0) {
      throw new PathError(Errno.ofResult(error));
    }
    group.setOpen(true);
    return new GroupFile(process, group);
  }

  VfioGroup group() {
    return group;
  }

  @Override
  protected void release() {
    var container = group.container();
    if (container != null) {
      container.detach(group);
    }
    group.dropIommufd();
    group.setOpen(false);
  }

  @Override
  public int ioctl(int command, UserArgument argument) throws UserFault {
    return switch (command) {
      case VfioCommand.GROUP_GET_STATUS -> status(argument);
      case VfioCommand.GROUP_SET_CONTAINER -> setContainer(argument.pointedInt());
      case VfioCommand.GROUP_UNSET_CONTAINER -> unsetContainer();
      case VfioCommand.GROUP_GET_DEVICE_FD -> openDevice(argument);
      default -> Errno.ENOTTY.result();
    };
  }

  private int status(UserArgument argument) throws UserFault {
    var status = argument.copyIn(VfioGroupStatus.BYTES);
    if (UserArgument.isShort(VfioGroupStatus.ARGSZ.get(status), VfioGroupStatus.BYTES)) {
      return Errno.EINVAL.result();
    }
    if (isAbandoned()) {
      return Errno.ENODEV.result();
    }
    boolean attached = group.isAttached();
    boolean viable =
        (group.isViable() && group.owner() == null)
            || (attached && process.era().claimsOwnership());
    VfioGroupStatus.FLAGS.set(
        status,
        (viable ? VFIO_GROUP_FLAGS_VIABLE : 0) | (attached ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0));
    argument.copyOut(0, status, VfioGroupStatus.BYTES);
    return 0;
  }

  /** The last of its devices has left VFIO: newer kernels part the file from the group then. */
  private boolean isAbandoned() {
    return process.era() != KernelEra.LINUX_5_10 && !group.hasVfioDevice();
  }

  private int setContainer(int fd) {
    boolean old = process.era() == KernelEra.LINUX_5_10;
    if (old && (fd < 0 || group.container() != null)) {
      return Errno.EINVAL.result();
    }
    var file = process.files().get(fd);
    if (file == null) {
      return Errno.EBADF.result();
    }
    if (group.isAttached()) {
      return Errno.EINVAL.result();
    }
    if (isAbandoned()) {
      return Errno.ENODEV.result();
    }
    if (file instanceof Iommufd target) {
      return group.join(target);
    }
    if (!(file instanceof Container target)) {
      return old ? Errno.EINVAL.result() : Errno.EBADFD.result();
    }
    return target.attach(group);
  }

  private int unsetContainer() {
    if (!group.isAttached()) {
      return Errno.EINVAL.result();
    }
    group.dropIommufd();
    var container = group.container();
    if (container == null) {
      return 0;
    }
    if (group.isUsed()) {
      return Errno.EBUSY.result();
    }
    container.detach(group);
    return 0;
  }

  private int openDevice(UserArgument argument) throws UserFault {
    var name = argument.pointedString(process.pageSize());
    if (name == null) {
      return Errno.EINVAL.result();
    }
    // Before 5.19 the group's state came first, and viability was a part of it.
    if (process.era() == KernelEra.LINUX_5_10) {
      int error = group.isViable() ? useError() : Errno.EINVAL.result();
      if (error != 0) {
        return error;
      }
    }
    HostDevice found = null;
    for (var device : group.devices()) {
      boolean known =
          device.isOffered() || (device.isVfio() && process.era() == KernelEra.LINUX_5_10);
      int match = known ? match(device, name) : 0;
      if (match < 0) {
        return match;
      }
      if (match > 0) {
        found = device;
        break;
      }
    }
    if (found == null) {
      return Errno.ENODEV.result();
    }
    int fd = process.files().lowestFree();
    if (fd < 0) {
      return fd;
    }
    var iommufd = group.iommufd();
    int error = iommufd != null ? bind(iommufd, found) : useError();
    if (error != 0) {
      return error;
    }
    return process.files().install(fd, new DeviceFile(this, found));
  }

  private int useError() {
    var container = group.container();
    return container == null ? Errno.EINVAL.result() : container.useError(group);
  }

  /** Binds a device that is not open to the group's iommufd: 0, or a negated errno. */
  private int bind(Iommufd iommufd, HostDevice device) {
    if (device.open() != null) {
      return 0;
    }
    var ioas = iommufd.container().ioas();
    if (group.isNoIommu()) {
      boolean allowed = process.has(HostSettings.CAP_SYS_RAWIO) && ioas == null;
      return allowed ? 0 : Errno.EPERM.result();
    }
    var bound = iommufd.bind(group);
    if (bound.device() == null) {
      return bound.error();
    }
    int result = ioas == null ? Errno.ENODEV.result() : bound.device().attach(ioas.id());
    if (result < 0) {
      bound.device().unbind();
      return result;
    }
    device.bind(bound.device());
    return 0;
  }

  @Override
  public Runnable use() {
    if (group.container() == null) {
      return () -> {}; // what an iommufd has needs no group any more
    }
    retain();
    group.use();
    return () -> {
      group.unuse();
      drop();
    };
  }

  @Override
  public @Nullable Iommufd ownIommufd() {
    return null;
  }

  /**
   * Compares a name, and the options after it, with a device: its address, and the token where one
   * is asked for. Source: {@code drivers/vfio/pci/vfio_pci_core.c}, {@code vfio_pci_core_match}.
   *
   * @return 1 for a match, 0 for none, or a negated errno
   */
  private static int match(HostDevice device, String name) {
    if (!name.startsWith(device.address())) {
      return 0;
    }
    var options = name.substring(device.address().length());
    if (!options.isEmpty() && options.charAt(0) != ' ') {
      return 0;
    }
    var matcher = OPTIONS.matcher(options);
    if (!matcher.matches()) {
      return Errno.EINVAL.result();
    }
    var token = matcher.group(1);
    int error = device.token().check(token == null ? null : UUID.fromString(token));
    return error == 0 ? 1 : error;
  }
}
