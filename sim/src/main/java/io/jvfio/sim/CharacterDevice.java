package io.jvfio.sim;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioDeviceAttachIommufdPt;
import io.jvfio.linux.uapi.VfioDeviceBindIommufd;
import io.jvfio.linux.uapi.VfioDeviceDetachIommufdPt;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * An open {@code /dev/vfio/devices/vfioN}. It is good for nothing until it is bound to an iommufd,
 * and one file at a time can be. Source: {@code drivers/vfio/device_cdev.c}.
 */
final class CharacterDevice extends OpenFile implements DeviceUser {
  private static final long OUT_DEVID = 12;
  private static final long PT_ID = 8;

  private final Host host;
  private final HostDevice device;
  private final String path;

  /** What it is once it is bound, or null. A mapping keeps it, and the device bound, alive. */
  private @Nullable DeviceFile opened;

  private @Nullable IommufdFile iommufd;

  CharacterDevice(Host host, HostDevice device, String path) {
    this.host = host;
    this.device = device;
    this.path = path;
    device.holders++;
  }

  @Override
  String path() {
    return path;
  }

  @Override
  void release() {
    if (opened != null) {
      opened.drop();
    }
    device.holders--;
  }

  @Override
  public void use(HostDevice used) {
    group().characterDevices++;
    requireNonNull(iommufd).retain();
  }

  @Override
  public Iommufd ownIommufd() {
    return requireNonNull(iommufd).iommufd;
  }

  @Override
  public void unuse(HostDevice used) {
    requireNonNull(device.bound).unbind();
    device.bound = null;
    requireNonNull(iommufd).drop();
    group().characterDevices--;
  }

  private VfioGroup group() {
    return requireNonNull(device.group);
  }

  @Override
  int ioctl(int command, UserArgument argument) throws UserFault {
    if (command == VfioCommand.DEVICE_BIND_IOMMUFD) {
      return bind(argument);
    }
    if (opened == null) {
      return Errno.EINVAL.result();
    }
    return switch (command) {
      case VfioCommand.DEVICE_ATTACH_IOMMUFD_PT -> attach(argument);
      case VfioCommand.DEVICE_DETACH_IOMMUFD_PT -> detach(argument);
      default -> opened.ioctl(command, argument);
    };
  }

  private int bind(UserArgument argument) throws UserFault {
    var bind = argument.copyIn(VfioDeviceBindIommufd.SIZE, VfioDeviceBindIommufd.SIZE);
    int fd = VfioDeviceBindIommufd.iommufd(bind);
    if (isShort(VfioDeviceBindIommufd.argsz(bind), VfioDeviceBindIommufd.SIZE)
        || VfioDeviceBindIommufd.flags(bind) != 0
        || fd < 0) {
      return Errno.EINVAL.result();
    }
    if (group().file != null || group().heldElsewhere) {
      return Errno.EBUSY.result();
    }
    if (opened != null) {
      return Errno.EINVAL.result();
    }
    var file = host.files().get(fd);
    if (!(file instanceof IommufdFile target)) {
      return (file == null ? Errno.EBADF : Errno.EBADFD).result();
    }
    if (device.open != null) {
      return Errno.EINVAL.result();
    }
    var bound = target.iommufd.bind(device);
    if (bound.device() == null) {
      return bound.error();
    }
    device.bound = bound.device();
    iommufd = target;
    opened = new DeviceFile(host, this, device);
    VfioDeviceBindIommufd.outDevid(bind, bound.device().id);
    try {
      argument.copyOut(OUT_DEVID, bind.asSlice(OUT_DEVID), Integer.BYTES);
    } catch (UserFault e) {
      opened.drop();
      opened = null;
      throw e;
    }
    return 0;
  }

  private int attach(UserArgument argument) throws UserFault {
    var attach = argument.copyIn(VfioDeviceAttachIommufdPt.SIZE, VfioDeviceAttachIommufdPt.SIZE);
    if (isShort(VfioDeviceAttachIommufdPt.argsz(attach), VfioDeviceAttachIommufdPt.SIZE)
        || VfioDeviceAttachIommufdPt.flags(attach) != 0) {
      return Errno.EINVAL.result();
    }
    var bound = requireNonNull(device.bound);
    int result = bound.attach(VfioDeviceAttachIommufdPt.ptId(attach));
    if (result < 0) {
      return result;
    }
    VfioDeviceAttachIommufdPt.ptId(attach, result);
    try {
      argument.copyOut(PT_ID, attach.asSlice(PT_ID), Integer.BYTES);
    } catch (UserFault e) {
      bound.detach();
      throw e;
    }
    return 0;
  }

  private int detach(UserArgument argument) throws UserFault {
    var detach = argument.copyIn(VfioDeviceDetachIommufdPt.SIZE, VfioDeviceDetachIommufdPt.SIZE);
    if (isShort(VfioDeviceDetachIommufdPt.argsz(detach), VfioDeviceDetachIommufdPt.SIZE)
        || VfioDeviceDetachIommufdPt.flags(detach) != 0) {
      return Errno.EINVAL.result();
    }
    requireNonNull(device.bound).detach();
    return 0;
  }

  private static boolean isShort(int argsz, long minimum) {
    return Integer.compareUnsigned(argsz, (int) minimum) < 0;
  }

  @Override
  long pread(MemorySegment target, long offset) {
    return opened == null ? Errno.EINVAL.result() : opened.pread(target, offset);
  }

  @Override
  long pwrite(MemorySegment source, long offset) {
    return opened == null ? Errno.EINVAL.result() : opened.pwrite(source, offset);
  }

  @Override
  long mmap(long byteSize, int protection, int flags, long offset) {
    return opened == null
        ? Errno.EINVAL.result()
        : opened.mmap(byteSize, protection, flags, offset);
  }
}
