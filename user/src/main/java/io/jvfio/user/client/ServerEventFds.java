// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.spi.Explanation;
import io.jvfio.user.RegionEvent;
import io.jvfio.user.RegionEvents;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionIoFds;
import io.jvfio.user.wire.SubRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** The eventfds that a server gave for a region, and the owner of their descriptors. */
final class ServerEventFds implements RegionEvents {
  private static final int ROOM = 32 << 10;
  private static final int NO_FD = -1;

  /** A signal takes a millionth of that. */
  private static final int STUCK_MILLIS = 50;

  private final Kernel kernel;
  private final String subject;
  private final int[] fds;
  private final Arena lifetime = Arena.ofShared();
  private final List<Mapping> mappings = new ArrayList<>();
  private final List<ServerEventFd> all = new ArrayList<>();

  /** How many signal at this moment; guarded by this. */
  private int users;

  private boolean closed;

  private record Mapping(long address, long byteSize) {}

  private ServerEventFds(Kernel kernel, String subject, int[] fds) {
    this.kernel = kernel;
    this.subject = subject;
    this.fds = fds;
  }

  Kernel kernel() {
    return kernel;
  }

  /** Asks the server. */
  static RegionEvents ask(ClientConnection connection, int region) {
    var subject = "%s, region %d".formatted(connection.name(), region);
    var regions = connection.description().regions();
    if (region < 0 || region >= regions.size()) {
      throw new IndexOutOfBoundsException("there is no " + subject);
    }
    var answer = new @Nullable ServerEventFds[1];
    int result =
        connection.ask(
            on -> ask(on.link(), region, regions.get(region).byteSize(), subject, answer));
    var events = answer[0];
    if (result < 0 || events == null) {
      var errno = Errno.ofResult(result);
      var why = connection.explain(errno);
      throw new VfioException(
          "VFIO_USER_DEVICE_GET_REGION_IO_FDS", subject, errno, why.meaning(), why.nextStep());
    }
    return events;
  }

  private static int ask(
      Link link, int region, long regionSize, String subject, @Nullable ServerEventFds[] answer) {
    var request = link.begin(Command.DEVICE_GET_REGION_IO_FDS);
    try {
      var message = request.message(RegionIoFds.STRUCT);
      RegionIoFds.ARGSZ.set(message, ROOM);
      RegionIoFds.INDEX.set(message, region);
      int result =
          Calls.call(
              link, request, RegionIoFds.BYTES, 0, RegionIoFds.BYTES, Header.SIZE + (long) ROOM);
      if (result < 0) {
        return result;
      }
      var reply = request.reply();
      int count = RegionIoFds.COUNT.get(reply);
      long bytes = request.replySize() - (long) RegionIoFds.BYTES;
      int entry = entrySize(count, bytes);
      if (RegionIoFds.INDEX.get(reply) != region || entry < 0) {
        return Calls.senseless(
            link,
            request,
            "region %d and %s parts in %,d bytes"
                .formatted(RegionIoFds.INDEX.get(reply), Integer.toUnsignedString(count), bytes));
      }
      var events = new ServerEventFds(link.kernel(), subject, taken(request));
      @Nullable String wrong;
      try {
        wrong = events.read(reply, count, entry, regionSize);
      } catch (VfioException e) {
        events.close();
        throw e;
      }
      if (wrong != null) {
        events.close();
        return Calls.senseless(link, request, wrong);
      }
      answer[0] = events;
      return 0;
    } finally {
      link.end(request);
    }
  }

  /** The size of each entry, which the reply tells by its length; -1 if it makes no sense. */
  private static int entrySize(int count, long bytes) {
    if (count == 0) {
      return bytes == 0 ? SubRegion.BYTES : -1;
    }
    boolean isKnown =
        count > 0
            && (bytes == (long) count * SubRegion.BYTES
                || bytes == (long) count * SubRegion.SHADOW_BYTES);
    return isKnown ? (int) (bytes / count) : -1;
  }

  private static int[] taken(Request request) {
    var fds = new int[request.receivedCount()];
    for (int i = 0; i < fds.length; i++) {
      fds[i] = request.take(i);
    }
    return fds;
  }

  /**
   * Reads the entries; those of a kind that is no eventfd are left out.
   *
   * @return what is wrong with them; null if nothing is
   * @throws VfioException if the kernel refuses to use them
   */
  private @Nullable String read(MemorySegment reply, int count, int entry, long regionSize) {
    for (int i = 0; i < count; i++) {
      int type = SubRegion.TYPE.get(reply, SubRegion.at(i, entry));
      boolean hasShadow = type == SubRegion.IOEVENTFD_SHADOW && entry == SubRegion.SHADOW_BYTES;
      if (type != SubRegion.IOEVENTFD && !hasShadow) {
        continue;
      }
      long offset = SubRegion.OFFSET.get(reply, SubRegion.at(i, entry));
      long byteSize = SubRegion.SIZE.get(reply, SubRegion.at(i, entry));
      int fd = fd(SubRegion.FD_INDEX.get(reply, SubRegion.at(i, entry)));
      if (fd == NO_FD
          || offset < 0
          || byteSize < 0
          || byteSize > Long.BYTES
          || offset > regionSize - byteSize) {
        return "a part of %d bytes at 0x%x".formatted(byteSize, offset);
      }
      int flags = kernel.eventFdFlags(fd);
      if (flags == Errno.EINVAL.result()) {
        return "a descriptor for the part at 0x%x that is no eventfd".formatted(offset);
      }
      if (flags < 0) {
        throw failure("open", flags);
      }
      @Nullable MemorySegment shadow = null;
      if (hasShadow) {
        shadow =
            shadow(
                fd(SubRegion.SHADOW_FD_INDEX.get(reply, SubRegion.at(i, SubRegion.SHADOW_BYTES))),
                SubRegion.SHADOW_OFFSET.get(reply, SubRegion.at(i, SubRegion.SHADOW_BYTES)),
                byteSize == Long.BYTES ? Long.BYTES : Integer.BYTES);
        if (shadow == null) {
          return "a shadow that is nowhere";
        }
      }
      boolean matches =
          (SubRegion.FLAGS.get(reply, SubRegion.at(i, entry)) & SubRegion.IS_MATCHED) != 0;
      all.add(
          new ServerEventFd(
              this,
              offset,
              byteSize,
              fd,
              (flags & Kernel.EFD_NONBLOCK) == 0,
              matches
                  ? OptionalLong.of(SubRegion.datamatch(entry).get(reply, SubRegion.at(i, entry)))
                  : OptionalLong.empty(),
              shadow));
    }
    return null;
  }

  /** The kernel's refusal, which need not be the server's fault. */
  private VfioException failure(String call, long result) {
    var errno = Errno.ofResult(result);
    var meaning =
        Explanation.shortage(errno)
            .orElse(new Explanation("This process cannot use what the server gave.", ""));
    return meaning.failure(call, subject, errno);
  }

  private int fd(int index) {
    return index >= 0 && index < fds.length ? fds[index] : NO_FD;
  }

  private @Nullable MemorySegment shadow(int file, long offset, int width) {
    long page = kernel.pageSize();
    if (file == NO_FD || offset < 0 || offset % width != 0 || offset > Long.MAX_VALUE - page) {
      return null;
    }
    long address =
        kernel.mmap(
            page, Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, file, offset & -page);
    if (address < 0) {
      throw failure("mmap", address);
    }
    mappings.add(new Mapping(address, page));
    return kernel.memory(address, page, lifetime).asSlice(offset & (page - 1), width);
  }

  @Override
  public List<RegionEvent> all() {
    return List.copyOf(all);
  }

  synchronized void requireOpen() {
    if (closed) {
      throw new IllegalStateException(this + ": closed");
    }
  }

  synchronized void enter() {
    requireOpen();
    users++;
  }

  synchronized void leave() {
    if (--users == 0 && closed) {
      notifyAll();
    }
  }

  @Override
  public void close() {
    boolean interrupted = false;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      while (users > 0) {
        try {
          wait(STUCK_MILLIS);
        } catch (InterruptedException _) {
          interrupted = true;
        }
        freeThoseWhoWait();
      }
    }
    lifetime.close();
    mappings.forEach(mapping -> kernel.munmap(mapping.address, mapping.byteSize));
    for (int fd : fds) {
      kernel.close(fd);
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * The server shares the eventfds. It can fill one up and have it wait, and with it whoever
   * signals it: until somebody takes what is in it.
   */
  private void freeThoseWhoWait() {
    try (var arena = Arena.ofConfined()) {
      var count = arena.allocate(Long.BYTES, Long.BYTES);
      for (int i = 0; i < all.size() && users > 0; i++) {
        kernel.readNow(all.get(i).eventFd(), count);
      }
    }
  }

  @Override
  public String toString() {
    return subject;
  }
}
