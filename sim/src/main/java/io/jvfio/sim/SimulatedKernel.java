// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import io.jvfio.sim.device.HostDevices;
import io.jvfio.sim.files.EpollFile;
import io.jvfio.sim.files.EventFile;
import io.jvfio.sim.files.FileTree;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.MemoryFile;
import io.jvfio.sim.files.OpenFile;
import io.jvfio.sim.files.PathError;
import io.jvfio.sim.files.PollableFile;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.iommu.HarmfulCall;
import io.jvfio.sim.memory.SimulatedRegisters;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.tree.HostFiles;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.ToLongFunction;

/** The system calls of a simulated host. */
final class SimulatedKernel implements Kernel {
  private final HostProcess process;
  private final HostDevices devices;
  private FileTree tree;

  SimulatedKernel(HostDevices devices) {
    this.process = devices.process();
    this.devices = devices;
    this.tree = HostFiles.of(devices);
  }

  /** Devices or their drivers have changed. */
  void rebuildFiles() {
    tree = HostFiles.of(devices);
  }

  private long call(int fd, ToLongFunction<OpenFile> call) {
    synchronized (process) {
      var file = process.files().get(fd);
      return file == null ? Errno.EBADF.result() : call.applyAsLong(file);
    }
  }

  @Override
  public Architecture architecture() {
    return process.description().architecture();
  }

  @Override
  public int pageSize() {
    return process.pageSize();
  }

  @Override
  public int open(String path, int flags, int mode) {
    if (flags != O_RDONLY && flags != O_WRONLY && flags != O_RDWR) {
      return Errno.ENOSYS.result(); // what a simulated host has is there, and nothing is made
    }
    synchronized (process) {
      int fd = process.files().lowestFree();
      if (fd < 0) {
        return fd;
      }
      try {
        var node = tree.readable(tree.find(path));
        return process.files().install(fd, node.open(path, flags != O_RDONLY));
      } catch (PathError e) {
        return e.errno().result();
      }
    }
  }

  @Override
  public int access(String path, int mode) {
    synchronized (process) {
      try {
        tree.readable(tree.find(path));
        return 0;
      } catch (PathError e) {
        return e.errno().result();
      }
    }
  }

  @Override
  public int close(int fd) {
    synchronized (process) {
      int result = process.files().close(fd);
      devices.settle();
      return result;
    }
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    synchronized (process) {
      return ioctl(fd, command, UserArgument.of(argument, process.memory()));
    }
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    synchronized (process) {
      return ioctl(fd, command, UserArgument.of(argument));
    }
  }

  private int ioctl(int fd, Ioctl command, UserArgument argument) {
    var file = process.files().get(fd);
    if (file == null) {
      return Errno.EBADF.result();
    }
    try {
      int result = file.ioctl(VfioCommand.numberOf(command, architecture()), argument);
      devices.settle();
      return result;
    } catch (UserFault e) {
      return Errno.EFAULT.result();
    } catch (HarmfulCall e) {
      throw new HarmfulCallException(requireNonNull(e.getMessage()), e);
    }
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    return call(
        fd,
        file ->
            offset < 0
                ? Errno.EINVAL.result()
                : target.isReadOnly() ? Errno.EFAULT.result() : file.pread(target, offset));
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    return call(fd, file -> offset < 0 ? Errno.EINVAL.result() : file.pwrite(source, offset));
  }

  @Override
  public long read(int fd, MemorySegment target) {
    return call(fd, file -> target.isReadOnly() ? Errno.EFAULT.result() : file.read(target));
  }

  @Override
  public long write(int fd, MemorySegment source) {
    return call(fd, file -> file.write(source));
  }

  @Override
  public int eventFd(int initial, int flags) {
    synchronized (process) {
      return EventFile.create(process, initial, flags);
    }
  }

  @Override
  public int epollCreate() {
    synchronized (process) {
      return EpollFile.create(process);
    }
  }

  @Override
  public int epollControl(int epollFd, int operation, int fd, int events) {
    synchronized (process) {
      var set = process.files().get(epollFd);
      var file = process.files().get(fd);
      if (set == null || file == null) {
        return Errno.EBADF.result();
      }
      if (!(file instanceof PollableFile pollable)) {
        return Errno.EPERM.result(); // before it looks at what the set is
      }
      return set instanceof EpollFile epoll
          ? epoll.control(operation, pollable, fd, events)
          : Errno.EINVAL.result();
    }
  }

  @Override
  public int epollWait(int epollFd, int[] ready, int timeoutMillis) {
    synchronized (process) {
      var set = process.files().get(epollFd);
      if (ready.length == 0) {
        return Errno.EINVAL.result();
      }
      if (set == null) {
        return Errno.EBADF.result();
      }
      return set instanceof EpollFile epoll
          ? epoll.await(ready, timeoutMillis)
          : Errno.EINVAL.result();
    }
  }

  @Override
  public int awaitReadable(int fd, int timeoutMillis) {
    synchronized (process) {
      // A negative descriptor is nothing to wait for; one that is not open has failed.
      boolean ready;
      if (fd < 0) {
        ready = process.await(() -> false, timeoutMillis);
      } else if (process.files().get(fd) instanceof PollableFile file) {
        ready = file.await(file::isReadable, timeoutMillis);
      } else {
        return 1;
      }
      return ready ? 1 : process.isClosed() ? Errno.EBADF.result() : 0;
    }
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    synchronized (process) {
      if (offset % pageSize() != 0) {
        return Errno.EINVAL.result(); // the system call says so before it looks at the file
      }
      var file = process.files().get(fd);
      boolean anonymous = (flags & MAP_ANONYMOUS) != 0;
      if (!anonymous && file == null) {
        return Errno.EBADF.result();
      }
      boolean shared = (flags & MAP_SHARED) != 0;
      boolean copied = (flags & MAP_PRIVATE) != 0;
      if (byteSize <= 0 || shared == copied) {
        return Errno.EINVAL.result();
      }
      long rounded = process.memory().roundUp(byteSize);
      if (!anonymous && file != null) {
        return file.mmap(rounded, protection, flags, offset);
      }
      return (flags & MAP_HUGETLB) != 0
          ? process.memory().mapHuge(rounded, protection, flags)
          : process.memory().mapAnonymous(rounded, protection);
    }
  }

  @Override
  public int munmap(long address, long byteSize) {
    synchronized (process) {
      int result = process.memory().unmap(address, byteSize);
      devices.settle();
      return result;
    }
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    synchronized (process) {
      return MemoryFile.create(process, name, flags, byteSize);
    }
  }

  @Override
  public int mlock(long address, long byteSize) {
    synchronized (process) {
      if (lockedMemoryLimit() == 0 && !process.has(HostSettings.CAP_IPC_LOCK)) {
        return Errno.EPERM.result();
      }
      return process.memory().lock(address, byteSize);
    }
  }

  @Override
  public int munlock(long address, long byteSize) {
    synchronized (process) {
      return process.memory().unlock(address, byteSize);
    }
  }

  @Override
  public MemorySegment memory(long address, long byteSize, Arena lifetime) {
    synchronized (process) {
      return process.memory().view(address, byteSize, lifetime);
    }
  }

  @Override
  public Registers registers(long address, long byteSize, RegisterOrder order) {
    return new SimulatedRegisters(process, process.memory(), address, byteSize);
  }

  @Override
  public long lockedMemoryLimit() {
    return process.settings().lockedMemoryLimit;
  }

  @Override
  public List<String> list(String directory) throws ErrnoException {
    synchronized (process) {
      try {
        return List.copyOf(tree.list(directory));
      } catch (PathError e) {
        throw new ErrnoException("opendir(" + directory + ")", e.errno());
      }
    }
  }

  @Override
  public String readLink(String path) throws ErrnoException {
    synchronized (process) {
      try {
        return tree.readLink(path);
      } catch (PathError e) {
        throw new ErrnoException("readlink(" + path + ")", e.errno());
      }
    }
  }
}
