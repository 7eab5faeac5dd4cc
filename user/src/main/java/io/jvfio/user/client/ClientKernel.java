// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioIrqSet;
import io.jvfio.linux.uapi.VfioRegionInfo;
import java.lang.foreign.MemorySegment;

/**
 * A kernel, and what a VFIO device file would answer for the descriptor of a connection: calls on
 * it become messages. Everything above the system calls is the same for a device behind a socket,
 * then.
 */
final class ClientKernel extends ForwardingKernel {
  private final ClientConnection connection;
  private final ClientFeatures features;
  private final MigrationPipes pipes;

  ClientKernel(Kernel kernel, ClientConnection connection) {
    super(kernel);
    this.connection = connection;
    this.pipes = new MigrationPipes(kernel, connection);
    this.features = new ClientFeatures(kernel, connection, pipes);
  }

  private boolean isDevice(int fd) {
    return fd == connection.fd();
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    if (!isDevice(fd)) {
      return pipes.isPipe(fd) ? Errno.ENOTTY.result() : super.ioctl(fd, command, argument);
    }
    return command.equals(Vfio.VFIO_DEVICE_RESET) ? connection.reset() : Errno.ENOTTY.result();
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    if (!isDevice(fd)) {
      return pipes.isPipe(fd) ? Errno.ENOTTY.result() : super.ioctl(fd, command, argument);
    }
    if (command.equals(Vfio.VFIO_DEVICE_GET_INFO)) {
      return info(argument);
    }
    if (command.equals(Vfio.VFIO_DEVICE_GET_REGION_INFO)) {
      return regionInfo(argument);
    }
    if (command.equals(Vfio.VFIO_DEVICE_GET_IRQ_INFO)) {
      return irqInfo(argument);
    }
    if (command.equals(Vfio.VFIO_DEVICE_SET_IRQS)) {
      var call = argument.byteSize() < VfioIrqSet.BYTES ? null : IrqCall.of(argument);
      return call == null ? Errno.EINVAL.result() : connection.setIrqs(call);
    }
    if (command.equals(Vfio.VFIO_DEVICE_FEATURE)) {
      return features.call(argument);
    }
    return Errno.ENOTTY.result();
  }

  private int info(MemorySegment info) {
    var device = connection.description();
    VfioDeviceInfo.FLAGS.set(info, device.flags());
    VfioDeviceInfo.NUM_REGIONS.set(info, device.regions().size());
    VfioDeviceInfo.NUM_IRQS.set(info, device.irqs().size());
    return 0;
  }

  /** As the kernel: what does not fit is left out, and {@code argsz} tells how much it is. */
  private int regionInfo(MemorySegment info) {
    int index = VfioRegionInfo.INDEX.get(info);
    var regions = connection.description().regions();
    if (index < 0 || index >= regions.size()) {
      return Errno.EINVAL.result();
    }
    var region = regions.get(index);
    if (region.refusal() != 0) {
      return region.refusal();
    }
    long room = Math.min(info.byteSize(), Integer.toUnsignedLong(VfioRegionInfo.ARGSZ.get(info)));
    long whole = region.info().byteSize();
    MemorySegment.copy(region.info(), 0, info, 0, room < whole ? VfioRegionInfo.BYTES : whole);
    if (room < whole) {
      VfioRegionInfo.CAP_OFFSET.set(info, 0);
    }
    return 0;
  }

  private int irqInfo(MemorySegment info) {
    int index = VfioIrqInfo.INDEX.get(info);
    var all = connection.description().irqs();
    if (index < 0 || index >= all.size()) {
      return Errno.EINVAL.result();
    }
    var irqs = all.get(index);
    if (irqs.refusal() == 0) {
      VfioIrqInfo.FLAGS.set(info, irqs.flags());
      VfioIrqInfo.COUNT.set(info, irqs.count());
    }
    return irqs.refusal();
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    return isDevice(fd)
        ? connection.read(
            (int) (offset >>> Description.REGION_SHIFT), offset & Description.OFFSET_MASK, target)
        : super.pread(fd, target, offset);
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    return isDevice(fd)
        ? connection.write(
            (int) (offset >>> Description.REGION_SHIFT), offset & Description.OFFSET_MASK, source)
        : super.pwrite(fd, source, offset);
  }

  @Override
  public long read(int fd, MemorySegment target) {
    var pipe = pipes.pipe(fd);
    return pipe == null ? super.read(fd, target) : pipe.read(target);
  }

  @Override
  public long write(int fd, MemorySegment source) {
    var pipe = pipes.pipe(fd);
    return pipe == null ? super.write(fd, source) : pipe.write(source);
  }

  @Override
  public int close(int fd) {
    if (isDevice(fd)) {
      return connection.close();
    }
    pipes.forget(fd);
    return super.close(fd);
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    return isDevice(fd)
        ? connection
            .mappings()
            .map(
                connection.presentDescription(),
                byteSize,
                protection,
                (int) (offset >>> Description.REGION_SHIFT),
                offset & Description.OFFSET_MASK)
        : super.mmap(byteSize, protection, flags, fd, offset);
  }

  @Override
  public int munmap(long address, long byteSize) {
    connection.mappings().forget(address);
    return super.munmap(address, byteSize);
  }

  /** A memory file goes to the server, which must not be able to cut it short under us. */
  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    return super.memoryFile(name, flags | MFD_ALLOW_SEALING, byteSize);
  }
}
