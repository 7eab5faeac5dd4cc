// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.GuardedMemory;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.IoEventRegister;
import io.jvfio.model.RefusedAccessException;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionIoFds;
import io.jvfio.user.wire.SubRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/**
 * Registers that a client writes by signalling an eventfd, for one client: the descriptors, the
 * answer that hands them out, and the writes that come of signals.
 *
 * <p>The client holds the same files and may do with them what it likes. So an eventfd is never
 * read: it would wait, once the client has taken O_NONBLOCK from the file that both share. An
 * edge-triggered epoll tells of each signal, and reads nothing. The memory of shadows is looked at
 * as a file that may have become shorter.
 *
 * <p>Used by the thread of its session. Descriptors are created when a client first asks; a poll
 * allocates nothing.
 */
final class IoEventFds implements AutoCloseable {
  /** How many regions a PCI device has: 6 BARs, ROM, configuration space, VGA. */
  private static final int REGIONS = 9;

  /** Source: {@code KVM_IOEVENTFD_FLAG_PIO}. */
  private static final int PORTS = 1 << 1;

  private static final int MOST_READY = 64;

  private final Kernel kernel;
  private final DeviceModel model;
  private final List<IoEventRegister> registers;
  private final int[] eventFds;

  /** The descriptors of the last answer. */
  private final int[] fds;

  private int fdCount;

  private final int[] ready = new int[MOST_READY];
  private final MemorySegment value = MemorySegment.ofArray(new long[1]);
  private final Arena lifetime = Arena.ofShared();
  private MemorySegment shadows = MemorySegment.NULL;
  private int shadowFd = -1;
  private int epollFd = -1;

  /**
   * For a model that is connected.
   *
   * @param kernel makes the system calls
   * @param maxFds how many descriptors the client takes with one message
   * @throws IllegalArgumentException if the model names registers that it does not have
   */
  IoEventFds(Kernel kernel, DeviceModel model, int maxFds) {
    this.kernel = kernel;
    this.model = model;
    this.registers = List.copyOf(model.ioEventRegisters());
    this.eventFds = new int[registers.size()];
    Arrays.fill(eventFds, -1);
    this.fds = new int[maxFds];
    for (var register : registers) {
      long barSize = barSize(register.bar());
      if (register.offset() > barSize - register.width()) {
        throw new IllegalArgumentException(
            "%s is not in BAR %d, which has %d bytes"
                .formatted(register, register.bar(), Math.max(barSize, 0)));
      }
    }
  }

  /** The size of a BAR, or -1 if there is none. */
  private long barSize(int index) {
    for (var bar : model.bars()) {
      if (bar.index() == index) {
        return bar.byteSize();
      }
    }
    return -1;
  }

  private boolean hasPorts(int index) {
    return model.bars().stream().anyMatch(bar -> bar.index() == index && bar.hasPorts());
  }

  /**
   * A descriptor that can be read when {@link #poll} has something to do, or -1 while the client
   * has asked for none.
   */
  int fd() {
    return epollFd;
  }

  /** The descriptors that belong to the last answer; they stay this object's. */
  int[] fds() {
    return fds;
  }

  /** How many of {@link #fds} there are. */
  int fdCount() {
    return fdCount;
  }

  /**
   * Answers GET_REGION_IO_FDS. Registers for which the client takes no more descriptors are left
   * out, and so are those with a shadow where it has no room for the place of one: it writes them
   * as any other.
   *
   * <p>The specification's entries have 40 bytes, those of libvfio-user 48, with a shadow. Who
   * gives room for the longer ones gets them; the value that signals is then in both places where
   * it may be looked for.
   *
   * @param message the whole message
   * @param size of it, at least that of a header
   * @param reply where the payload goes behind the header
   * @return the size of that payload, or a negated errno
   */
  int answer(MemorySegment message, int size, MemorySegment reply) {
    fdCount = 0;
    if (size < RegionIoFds.BYTES) {
      return Errno.EINVAL.result();
    }
    long argsz = Integer.toUnsignedLong(RegionIoFds.ARGSZ.get(message));
    int index = RegionIoFds.INDEX.get(message);
    int head = RegionIoFds.BYTES - Header.SIZE;
    if (argsz < head
        || RegionIoFds.FLAGS.get(message) != 0
        || RegionIoFds.COUNT.get(message) != 0
        || index < 0
        || index >= REGIONS
        || (index < 6 && barSize(index) < 0)) {
      return Errno.EINVAL.result();
    }
    long room = Math.min(argsz - head, reply.byteSize() - RegionIoFds.BYTES);
    int entrySize = SubRegion.SHADOW_BYTES;
    int count = entries(index, true);
    if (room < (long) count * entrySize) {
      int plain = entries(index, false);
      if (plain == 0 || room < (long) plain * SubRegion.BYTES) {
        return head(reply, index, count, head + count * entrySize, head);
      }
      entrySize = SubRegion.BYTES;
      count = plain;
    }
    int result = open(index);
    if (result < 0) {
      return result;
    }
    write(reply, index, entrySize);
    int payload = head + count * entrySize;
    return head(reply, index, count, payload, payload);
  }

  private static int head(MemorySegment reply, int index, int count, int needed, int payload) {
    RegionIoFds.ARGSZ.set(reply, needed);
    RegionIoFds.FLAGS.set(reply, 0);
    RegionIoFds.INDEX.set(reply, index);
    RegionIoFds.COUNT.set(reply, count);
    return payload;
  }

  private static boolean hasShadow(IoEventRegister register) {
    return register.kind() == IoEventRegister.Kind.SHADOWED;
  }

  /** How many registers of a BAR there are for which the client takes the descriptors. */
  private int entries(int bar, boolean withShadows) {
    int count = 0;
    int used = 0;
    boolean hasShadowFd = false;
    for (var register : registers) {
      boolean shadowed = hasShadow(register);
      if (register.bar() != bar || (shadowed && !withShadows)) {
        continue;
      }
      used += shadowed && !hasShadowFd ? 2 : 1;
      if (used > fds.length) {
        break;
      }
      hasShadowFd |= shadowed;
      count++;
    }
    return count;
  }

  /** Creates what there is not yet: 0, or a negated errno. */
  private int open(int bar) {
    for (int i = 0; i < eventFds.length; i++) {
      var register = registers.get(i);
      if (register.bar() != bar || eventFds[i] >= 0) {
        continue;
      }
      int result = hasShadow(register) ? openShadows() : 0;
      result = result < 0 ? result : openEvent(i);
      if (result < 0) {
        return result;
      }
    }
    return 0;
  }

  private int openEvent(int index) {
    if (epollFd < 0) {
      int created = kernel.epollCreate();
      if (created < 0) {
        return created;
      }
      epollFd = created;
    }
    int fd = kernel.eventFd(0, Kernel.EFD_NONBLOCK);
    if (fd < 0) {
      return fd;
    }
    int added =
        kernel.epollControl(epollFd, Kernel.EPOLL_CTL_ADD, fd, Kernel.EPOLLIN | Kernel.EPOLLET);
    if (added < 0) {
      kernel.close(fd);
      return added;
    }
    eventFds[index] = fd;
    return 0;
  }

  private int openShadows() {
    if (shadowFd >= 0) {
      return 0;
    }
    long page = kernel.pageSize();
    long byteSize = ((long) eventFds.length * Long.BYTES + page - 1) & -page;
    int fd = kernel.memoryFile("jvfio shadows", 0, byteSize);
    if (fd < 0) {
      return fd;
    }
    long address =
        kernel.mmap(byteSize, Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, fd, 0);
    if (address < 0) {
      kernel.close(fd);
      return (int) address;
    }
    shadows = NativeMemory.at(address, byteSize, lifetime);
    shadowFd = fd;
    return 0;
  }

  private void write(MemorySegment reply, int bar, int entrySize) {
    boolean withShadows = entrySize == SubRegion.SHADOW_BYTES;
    int most = entries(bar, withShadows);
    int shadowIndex = -1;
    int entry = 0;
    for (int i = 0; i < eventFds.length && entry < most; i++) {
      var register = registers.get(i);
      boolean shadowed = hasShadow(register);
      if (register.bar() != bar || (shadowed && !withShadows)) {
        continue;
      }
      boolean matches = register.kind() == IoEventRegister.Kind.ONE_VALUE;
      int flags = (matches ? SubRegion.IS_MATCHED : 0) | (hasPorts(bar) ? PORTS : 0);
      SubRegion.write(
          reply,
          entry,
          entrySize,
          register.offset(),
          register.width(),
          add(eventFds[i]),
          shadowed ? SubRegion.IOEVENTFD_SHADOW : SubRegion.IOEVENTFD,
          flags,
          register.value());
      if (shadowed) {
        shadowIndex = shadowIndex < 0 ? add(shadowFd) : shadowIndex;
        SubRegion.writeShadow(reply, entry, shadowIndex, (long) i * Long.BYTES);
      } else if (withShadows) {
        SubRegion.writeShadow(reply, entry, 0, register.value());
      }
      entry++;
    }
  }

  private int add(int fd) {
    fds[fdCount] = fd;
    return fdCount++;
  }

  /**
   * Has the model take the writes that were signalled.
   *
   * @return whether there were any
   */
  boolean poll() {
    if (epollFd < 0) {
      return false;
    }
    int count = kernel.epollWait(epollFd, ready, 0);
    for (int i = 0; i < count; i++) {
      int index = indexOf(ready[i]);
      var register = registers.get(index);
      try {
        model.write(register.bar(), register.offset(), register.width(), written(index, register));
      } catch (RefusedAccessException e) {
        // Whoever signals an eventfd has nobody to tell that.
      }
    }
    return count > 0;
  }

  /** Forgets what was signalled: it was meant for the device as it was before a reset. */
  void discard() {
    while (epollFd >= 0 && kernel.epollWait(epollFd, ready, 0) > 0) {
      // Each is told of once.
    }
  }

  private int indexOf(int fd) {
    for (int i = 0; i < eventFds.length; i++) {
      if (eventFds[i] == fd) {
        return i;
      }
    }
    throw new AssertionError("descriptor " + fd + " is none of this device");
  }

  private long written(int index, IoEventRegister register) {
    if (!hasShadow(register)) {
      return register.value();
    }
    try {
      GuardedMemory.copy(shadows, (long) index * Long.BYTES, value, 0, Long.BYTES);
    } catch (InternalError e) {
      return 0; // the client has made the file shorter: it has lost its own value
    }
    return switch (register.width()) {
      case 1 -> Byte.toUnsignedLong(value.get(ValueLayout.JAVA_BYTE, 0));
      case 2 -> Short.toUnsignedLong(value.get(ValueLayout.JAVA_SHORT, 0));
      case 4 -> Integer.toUnsignedLong(value.get(ValueLayout.JAVA_INT, 0));
      default -> value.get(ValueLayout.JAVA_LONG, 0);
    };
  }

  /** Closes all descriptors. Idempotent. */
  @Override
  public void close() {
    if (epollFd >= 0) {
      kernel.close(epollFd);
      epollFd = -1;
    }
    for (int i = 0; i < eventFds.length; i++) {
      if (eventFds[i] >= 0) {
        kernel.close(eventFds[i]);
        eventFds[i] = -1;
      }
    }
    if (lifetime.scope().isAlive()) {
      lifetime.close();
    }
    if (shadowFd >= 0) {
      kernel.munmap(shadows.address(), shadows.byteSize());
      kernel.close(shadowFd);
      shadowFd = -1;
    }
  }
}
