// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioDeviceAttachIommufdPt;
import io.jvfio.linux.uapi.VfioDeviceBindIommufd;
import io.jvfio.linux.uapi.VfioDeviceDetachIommufdPt;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.OpenFile;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.iommu.Iommufd;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * An open {@code /dev/vfio/devices/vfioN}. It is good for nothing until it is bound to an iommufd,
 * and one file at a time can be. Source: {@code drivers/vfio/device_cdev.c}.
 */
public final class CharacterDevice extends OpenFile implements DeviceUser {
  private static final long OUT_DEVID = 12;
  private static final long PT_ID = 8;

  private final HostProcess process;
  private final HostDevice device;

  /**
   * The file of the device once it is bound; null before. A mapping keeps it, and the device bound,
   * alive.
   */
  private @Nullable DeviceFile opened;

  private @Nullable Iommufd iommufd;

  public CharacterDevice(HostDevice device, String path) {
    super(path);
    this.process = device.process();
    this.device = device;
    device.hold();
  }

  @Override
  protected void release() {
    if (opened != null) {
      opened.drop();
    }
    device.unhold();
  }

  @Override
  public Runnable use() {
    var file = requireNonNull(iommufd);
    group().addCharacterDevice();
    file.retain();
    return () -> {
      file.drop();
      group().removeCharacterDevice();
    };
  }

  @Override
  public Iommufd ownIommufd() {
    return requireNonNull(iommufd);
  }

  private VfioGroup group() {
    return requireNonNull(device.group());
  }

  @Override
  public int ioctl(int command, UserArgument argument) throws UserFault {
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
    var bind = argument.copyIn(VfioDeviceBindIommufd.BYTES);
    int fd = VfioDeviceBindIommufd.IOMMUFD.get(bind);
    if (UserArgument.isShort(VfioDeviceBindIommufd.ARGSZ.get(bind), VfioDeviceBindIommufd.BYTES)
        || VfioDeviceBindIommufd.FLAGS.get(bind) != 0
        || fd < 0) {
      return Errno.EINVAL.result();
    }
    if (group().isOpen()) {
      return Errno.EBUSY.result();
    }
    if (opened != null) {
      return Errno.EINVAL.result();
    }
    var file = process.files().get(fd);
    if (!(file instanceof Iommufd target)) {
      return (file == null ? Errno.EBADF : Errno.EBADFD).result();
    }
    if (device.open() != null) {
      return Errno.EINVAL.result();
    }
    var bound = target.bind(device.group());
    if (bound.device() == null) {
      return bound.error();
    }
    device.bind(bound.device());
    iommufd = target;
    opened = new DeviceFile(this, device);
    VfioDeviceBindIommufd.OUT_DEVID.set(bind, bound.device().id());
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
    var attach = argument.copyIn(VfioDeviceAttachIommufdPt.BYTES);
    if (UserArgument.isShort(
            VfioDeviceAttachIommufdPt.ARGSZ.get(attach), VfioDeviceAttachIommufdPt.BYTES)
        || VfioDeviceAttachIommufdPt.FLAGS.get(attach) != 0) {
      return Errno.EINVAL.result();
    }
    var bound = requireNonNull(device.bound());
    int result = bound.attach(VfioDeviceAttachIommufdPt.PT_ID.get(attach));
    if (result < 0) {
      return result;
    }
    VfioDeviceAttachIommufdPt.PT_ID.set(attach, result);
    try {
      argument.copyOut(PT_ID, attach.asSlice(PT_ID), Integer.BYTES);
    } catch (UserFault e) {
      bound.detach();
      throw e;
    }
    return 0;
  }

  private int detach(UserArgument argument) throws UserFault {
    var detach = argument.copyIn(VfioDeviceDetachIommufdPt.BYTES);
    if (UserArgument.isShort(
            VfioDeviceDetachIommufdPt.ARGSZ.get(detach), VfioDeviceDetachIommufdPt.BYTES)
        || VfioDeviceDetachIommufdPt.FLAGS.get(detach) != 0) {
      return Errno.EINVAL.result();
    }
    requireNonNull(device.bound()).detach();
    return 0;
  }

  @Override
  public long pread(MemorySegment target, long offset) {
    return opened == null ? Errno.EINVAL.result() : opened.pread(target, offset);
  }

  @Override
  public long pwrite(MemorySegment source, long offset) {
    return opened == null ? Errno.EINVAL.result() : opened.pwrite(source, offset);
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, long offset) {
    return opened == null
        ? Errno.EINVAL.result()
        : opened.mmap(byteSize, protection, flags, offset);
  }
}
