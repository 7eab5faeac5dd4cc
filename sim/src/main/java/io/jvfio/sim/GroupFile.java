package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_FLAGS_CONTAINER_SET;
import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_FLAGS_VIABLE;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioGroupStatus;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * An open {@code /dev/vfio/GROUP}. Source: {@code drivers/vfio/group.c}; before 6.1 {@code
 * drivers/vfio/vfio.c}.
 */
final class GroupFile extends OpenFile implements DeviceUser {
  /** What may follow an address: spaces, and one token among them. */
  private static final Pattern OPTIONS =
      Pattern.compile(" *(?:vf_token=(\\p{XDigit}{8}(?:-\\p{XDigit}{4}){3}-\\p{XDigit}{12}) *)?");

  private final Host host;
  private final VfioGroup group;

  private GroupFile(Host host, VfioGroup group) {
    this.host = host;
    this.group = group;
  }

  /** Why {@code group} cannot be opened: a negated errno, or 0. */
  static int openError(Host host, VfioGroup group) {
    if (!group.hasVfioDevice()) {
      return Errno.ENODEV.result();
    }
    if (group.noIommu && !host.options().has(Capability.SYS_RAWIO)) {
      return Errno.EPERM.result();
    }
    return group.file != null || group.heldElsewhere || group.characterDevices > 0
        ? Errno.EBUSY.result()
        : 0;
  }

  /** Opens a group that has no {@link #openError}. */
  static GroupFile open(Host host, VfioGroup group) {
    var file = new GroupFile(host, group);
    group.file = file;
    return file;
  }

  VfioGroup group() {
    return group;
  }

  @Override
  String path() {
    return "/dev/vfio/" + group.nodeName();
  }

  @Override
  void release() {
    var container = group.container;
    if (container != null) {
      container.detach(group);
    }
    dropIommufd();
    group.file = null;
  }

  @Override
  int ioctl(int command, UserArgument argument) throws UserFault {
    return switch (command) {
      case VfioCommand.GROUP_GET_STATUS -> status(argument);
      case VfioCommand.GROUP_SET_CONTAINER -> setContainer(argument.pointedInt());
      case VfioCommand.GROUP_UNSET_CONTAINER -> unsetContainer();
      case VfioCommand.GROUP_GET_DEVICE_FD -> openDevice(argument);
      default -> Errno.ENOTTY.result();
    };
  }

  private int status(UserArgument argument) throws UserFault {
    var status = argument.copyIn(VfioGroupStatus.SIZE, VfioGroupStatus.SIZE);
    if (Integer.compareUnsigned(VfioGroupStatus.argsz(status), (int) VfioGroupStatus.SIZE) < 0) {
      return Errno.EINVAL.result();
    }
    if (isAbandoned()) {
      return Errno.ENODEV.result();
    }
    boolean attached = group.isAttached();
    boolean viable =
        (group.isViable() && group.owner == null)
            || (attached && host.description().era().claimsOwnership());
    VfioGroupStatus.flags(
        status,
        (viable ? VFIO_GROUP_FLAGS_VIABLE : 0) | (attached ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0));
    argument.copyOut(0, status, VfioGroupStatus.SIZE);
    return 0;
  }

  /** The last of its devices has left VFIO: newer kernels part the file from the group then. */
  private boolean isAbandoned() {
    return host.description().era() != KernelEra.LINUX_5_10 && !group.hasVfioDevice();
  }

  private int setContainer(int fd) {
    boolean old = host.description().era() == KernelEra.LINUX_5_10;
    if (old && (fd < 0 || group.container != null)) {
      return Errno.EINVAL.result();
    }
    var file = host.files().get(fd);
    if (file == null) {
      return Errno.EBADF.result();
    }
    if (group.isAttached()) {
      return Errno.EINVAL.result();
    }
    if (isAbandoned()) {
      return Errno.ENODEV.result();
    }
    if (file instanceof IommufdFile target) {
      int error = target.iommufd.container().attach(group);
      if (error == 0) {
        target.retain();
        group.iommufd = target;
      }
      return error;
    }
    if (!(file instanceof ContainerFile target)) {
      return old ? Errno.EINVAL.result() : Errno.EBADFD.result();
    }
    return target.container.attach(group);
  }

  private int unsetContainer() {
    if (!group.isAttached()) {
      return Errno.EINVAL.result();
    }
    dropIommufd();
    var container = group.container;
    if (container == null) {
      return 0;
    }
    if (group.users != 1) {
      return Errno.EBUSY.result();
    }
    container.detach(group);
    return 0;
  }

  /** Lets the iommufd go that stands in for a container, if there is one. */
  void dropIommufd() {
    var iommufd = group.iommufd;
    group.iommufd = null;
    if (iommufd != null) {
      iommufd.drop();
    }
  }

  private int openDevice(UserArgument argument) throws UserFault {
    var name = argument.pointedString(host.description().pageSize());
    if (name == null) {
      return Errno.EINVAL.result();
    }
    // Before 5.19 the group's state came first, and viability was a part of it.
    if (host.description().era() == KernelEra.LINUX_5_10) {
      int error = group.isViable() ? useError() : Errno.EINVAL.result();
      if (error != 0) {
        return error;
      }
    }
    HostDevice found = null;
    for (var device : group.devices) {
      boolean known =
          device.isOffered()
              || (device.isVfio() && host.description().era() == KernelEra.LINUX_5_10);
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
    int fd = host.files().lowestFree();
    if (fd < 0) {
      return fd;
    }
    int error = group.iommufd != null ? bind(group.iommufd.iommufd, found) : useError();
    if (error != 0) {
      return error;
    }
    return host.files().install(fd, new DeviceFile(host, this, found));
  }

  private int useError() {
    var container = group.container;
    return container == null ? Errno.EINVAL.result() : container.useError(group);
  }

  /** Binds a device that is not open to the group's iommufd: 0, or a negated errno. */
  private int bind(Iommufd iommufd, HostDevice device) {
    if (device.open != null) {
      return 0;
    }
    var ioas = iommufd.container().ioas();
    if (group.noIommu) {
      boolean allowed = host.options().has(Capability.SYS_RAWIO) && ioas == null;
      return allowed ? 0 : Errno.EPERM.result();
    }
    var bound = iommufd.bind(device);
    if (bound.device() == null) {
      return bound.error();
    }
    int result = ioas == null ? Errno.ENODEV.result() : bound.device().attach(ioas.id);
    if (result < 0) {
      bound.device().unbind();
      return result;
    }
    device.bound = bound.device();
    return 0;
  }

  @Override
  public void use(HostDevice device) {
    // What an iommufd has needs no group any more.
    if (group.container != null) {
      retain();
      group.users++;
      device.usesContainer = true;
    }
  }

  @Override
  public @Nullable Iommufd ownIommufd() {
    return null;
  }

  @Override
  public void unuse(HostDevice device) {
    if (device.usesContainer) {
      device.usesContainer = false;
      group.users--;
      drop();
    }
    if (device.bound != null) {
      device.bound.unbind();
      device.bound = null;
    }
  }

  /** The translation that the group's devices are under, or null. */
  static @Nullable DmaTranslation translation(VfioGroup group) {
    var container = group.container;
    return container == null ? null : container.iommu();
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
    int error = tokenError(device, token == null ? null : UUID.fromString(token));
    return error == 0 ? 1 : error;
  }

  /** What a token, or the lack of one, leads to; a physical function without users takes it. */
  private static int tokenError(HostDevice device, @Nullable UUID token) {
    var physical = device.physical;
    if (physical != null) {
      return token != null && token.equals(physical.token) ? 0 : Errno.EACCES.result();
    }
    if (device.token == null) {
      return token == null ? 0 : Errno.EINVAL.result();
    }
    if (device.openVirtualFunctions > 0) {
      return device.token.equals(token) ? 0 : Errno.EACCES.result();
    }
    if (token != null) {
      device.token = token;
    }
    return 0;
  }
}
