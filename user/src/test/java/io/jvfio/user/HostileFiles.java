// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Descriptors of every kind to send where another kind is expected; closed with this object. */
final class HostileFiles implements AutoCloseable {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final MemorySegment ALMOST_FULL =
      Arena.global().allocateFrom(ValueLayout.JAVA_LONG, -2);

  private final RandomGenerator random;
  private final List<Integer> fds = new ArrayList<>();
  private final List<UnixSocket> sockets = new ArrayList<>();
  private final List<Memory> memories = new ArrayList<>();

  /** Memory that was shared. */
  record Memory(int fd, long byteSize) {}

  HostileFiles(RandomGenerator random) {
    this.random = random;
  }

  private int add(int fd) {
    if (fd < 0) {
      throw new AssertionError("no descriptor for a test: " + Errno.ofResult(fd));
    }
    fds.add(fd);
    return fd;
  }

  int eventFd() {
    return add(KERNEL.eventFd(0, random.nextBoolean() ? Kernel.EFD_NONBLOCK : 0));
  }

  int memory(long byteSize) {
    int fd = add(KERNEL.memoryFile("client", 0, byteSize));
    memories.add(new Memory(fd, byteSize));
    return fd;
  }

  int anything() {
    return switch (random.nextInt(12)) {
      case 0, 1 -> eventFd();
      case 2 -> {
        // Whoever signals it by a plain write waits until somebody reads it.
        int fd = add(KERNEL.eventFd(0, 0));
        KERNEL.write(fd, ALMOST_FULL);
        yield fd;
      }
      case 3, 4 -> memory(4096L << random.nextInt(8));
      case 5 -> memory(random.nextInt(10_000));
      case 6 -> {
        int fd = memory(1 << 16);
        yield add(KERNEL.open("/proc/self/fd/" + fd, Kernel.O_RDONLY));
      }
      case 7, 8 -> socket();
      case 9 -> add(KERNEL.open("/", Kernel.O_RDONLY));
      case 10 -> add(KERNEL.open(random.nextBoolean() ? "/dev/null" : "/dev/zero", Kernel.O_RDWR));
      default -> epoll();
    };
  }

  /** Closes what others have made, too. */
  void own(UnixSocket socket) {
    sockets.add(socket);
  }

  int epoll() {
    return add(KERNEL.epollCreate());
  }

  /** One end of a pair; of the other end, which may be closed, nothing is ever read. */
  int socket() {
    try {
      var pair = UnixSocket.pair(KERNEL);
      sockets.add(pair.first());
      if (random.nextBoolean()) {
        pair.second().close();
      } else {
        sockets.add(pair.second());
      }
      return pair.first().fd();
    } catch (ErrnoException e) {
      throw new AssertionError(e);
    }
  }

  /** Makes memory that was shared shorter, or as long as it was. */
  void resizeOne() {
    if (!memories.isEmpty()) {
      var memory = memories.get(random.nextInt(memories.size()));
      SharedFile.resize(
          memory.fd(), random.nextInt(3) == 0 ? memory.byteSize() : random.nextInt(3) * 4096L);
    }
  }

  /** Writes something into memory that was shared. */
  void fillOne(MemorySegment bytes) {
    if (!memories.isEmpty()) {
      var memory = memories.get(random.nextInt(memories.size()));
      KERNEL.pwrite(memory.fd(), bytes, 0);
    }
  }

  @Override
  public void close() {
    fds.forEach(KERNEL::close);
    sockets.forEach(UnixSocket::close);
    fds.clear();
    sockets.clear();
    memories.clear();
  }
}
