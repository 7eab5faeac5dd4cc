package io.jvfio.sim;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** The system calls of a simulated host. */
final class SimulatedKernel implements Kernel {
  private final Host host;

  SimulatedKernel(Host host) {
    this.host = host;
  }

  @Override
  public Architecture architecture() {
    return host.description().architecture();
  }

  @Override
  public int pageSize() {
    return host.description().pageSize();
  }

  @Override
  public int open(String path, int flags, int mode) {
    if (flags != O_RDONLY && flags != O_WRONLY && flags != O_RDWR) {
      return Errno.ENOSYS.result(); // what a simulated host has is there, and nothing is made
    }
    synchronized (host) {
      int fd = host.files().lowestFree();
      if (fd < 0) {
        return fd;
      }
      try {
        var tree = host.tree().tree();
        var node = tree.readable(tree.find(path));
        return host.files().install(fd, node.open(path, flags != O_RDONLY));
      } catch (PathError e) {
        return e.errno().result();
      }
    }
  }

  @Override
  public int close(int fd) {
    synchronized (host) {
      int result = host.files().close(fd);
      host.releases().settle();
      return result;
    }
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    synchronized (host) {
      return ioctl(fd, command, UserArgument.of(argument, host.memory()));
    }
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    synchronized (host) {
      return ioctl(fd, command, UserArgument.of(argument));
    }
  }

  private int ioctl(int fd, Ioctl command, UserArgument argument) {
    var file = host.files().get(fd);
    if (file == null) {
      return Errno.EBADF.result();
    }
    try {
      int result = file.ioctl(VfioCommand.numberOf(command, architecture()), argument);
      host.releases().settle();
      return result;
    } catch (UserFault e) {
      return Errno.EFAULT.result();
    }
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    synchronized (host) {
      var file = host.files().get(fd);
      if (file == null) {
        return Errno.EBADF.result();
      }
      if (offset < 0) {
        return Errno.EINVAL.result();
      }
      return target.isReadOnly() ? Errno.EFAULT.result() : file.pread(target, offset);
    }
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    synchronized (host) {
      var file = host.files().get(fd);
      if (file == null) {
        return Errno.EBADF.result();
      }
      return offset < 0 ? Errno.EINVAL.result() : file.pwrite(source, offset);
    }
  }

  @Override
  public long read(int fd, MemorySegment target) {
    synchronized (host) {
      var file = host.files().get(fd);
      if (file == null) {
        return Errno.EBADF.result();
      }
      return target.isReadOnly() ? Errno.EFAULT.result() : file.read(target);
    }
  }

  @Override
  public long write(int fd, MemorySegment source) {
    synchronized (host) {
      var file = host.files().get(fd);
      return file == null ? Errno.EBADF.result() : file.write(source);
    }
  }

  @Override
  public int eventFd(int initial, int flags) {
    synchronized (host) {
      return EventFile.create(host, initial, flags);
    }
  }

  @Override
  public int epollCreate() {
    synchronized (host) {
      return EpollFile.create(host);
    }
  }

  @Override
  public int epollControl(int epollFd, int operation, int fd, int events) {
    synchronized (host) {
      var set = host.files().get(epollFd);
      var file = host.files().get(fd);
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
    synchronized (host) {
      var set = host.files().get(epollFd);
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
    synchronized (host) {
      // A negative descriptor is nothing to wait for; one that is not open has failed.
      if (fd >= 0 && !(host.files().get(fd) instanceof PollableFile)) {
        return 1;
      }
      var file = fd < 0 ? null : (PollableFile) host.files().get(fd);
      if (file != null) {
        file.retain();
      }
      try {
        if (host.await(() -> file != null && file.isReadable(), timeoutMillis)) {
          return 1;
        }
        return host.isClosed() ? Errno.EBADF.result() : 0;
      } finally {
        if (file != null) {
          file.drop();
        }
      }
    }
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    synchronized (host) {
      if (offset % pageSize() != 0) {
        return Errno.EINVAL.result(); // the system call says so before it looks at the file
      }
      var file = host.files().get(fd);
      boolean anonymous = (flags & MAP_ANONYMOUS) != 0;
      if (!anonymous && file == null) {
        return Errno.EBADF.result();
      }
      boolean shared = (flags & MAP_SHARED) != 0;
      boolean copied = (flags & MAP_PRIVATE) != 0;
      if (byteSize <= 0 || shared == copied) {
        return Errno.EINVAL.result();
      }
      long rounded = host.memory().roundUp(byteSize);
      if (!anonymous && file != null) {
        return file.mmap(rounded, protection, flags, offset);
      }
      return (flags & MAP_HUGETLB) != 0
          ? host.memory().mapHuge(rounded, protection, flags)
          : host.memory().mapAnonymous(rounded, protection);
    }
  }

  @Override
  public int munmap(long address, long byteSize) {
    synchronized (host) {
      int result = host.memory().unmap(address, byteSize);
      host.releases().settle();
      return result;
    }
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    synchronized (host) {
      return MemoryFile.create(host, name, flags, byteSize);
    }
  }

  @Override
  public int mlock(long address, long byteSize) {
    synchronized (host) {
      if (lockedMemoryLimit() == 0 && !host.options().has(Capability.IPC_LOCK)) {
        return Errno.EPERM.result();
      }
      return host.memory().lock(address, byteSize);
    }
  }

  @Override
  public int munlock(long address, long byteSize) {
    synchronized (host) {
      return host.memory().unlock(address, byteSize);
    }
  }

  @Override
  public MemorySegment memory(long address, long byteSize, Arena lifetime) {
    synchronized (host) {
      return host.memory().view(address, byteSize, lifetime);
    }
  }

  @Override
  public Registers registers(long address, long byteSize, RegisterOrder order) {
    return new SimulatedRegisters(host, address, byteSize);
  }

  @Override
  public long lockedMemoryLimit() {
    return host.options().lockedMemoryLimit();
  }

  @Override
  public List<String> list(String directory) throws ErrnoException {
    synchronized (host) {
      try {
        return List.copyOf(host.tree().tree().list(directory));
      } catch (PathError e) {
        throw new ErrnoException("opendir(" + directory + ")", e.errno());
      }
    }
  }

  @Override
  public String readLink(String path) throws ErrnoException {
    synchronized (host) {
      try {
        return host.tree().tree().readLink(path);
      } catch (PathError e) {
        throw new ErrnoException("readlink(" + path + ")", e.errno());
      }
    }
  }
}
