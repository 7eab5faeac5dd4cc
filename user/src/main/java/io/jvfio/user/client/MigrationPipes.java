// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Descriptors that stand for the data of a migration. The kernel gives a file to read or write;
 * behind a socket they are messages, so a number that is nobody else's stands for the file.
 */
final class MigrationPipes {
  private final Kernel kernel;
  private final ClientConnection connection;

  /** The one that there can be at a time, with its state; replaced as a whole. */
  private volatile @Nullable Pipe pipe;

  MigrationPipes(Kernel kernel, ClientConnection connection) {
    this.kernel = kernel;
    this.connection = connection;
  }

  /** The data of one stay in a state. */
  final class Pipe {
    private final int fd;
    private final Link link;
    private volatile int state;

    Pipe(int fd, Link link, int state) {
      this.fd = fd;
      this.link = link;
      this.state = state;
    }

    long read(MemorySegment target) {
      var on = connection.live();
      if (on == null || !on.link().equals(link) || !saves(state)) {
        return Errno.ENODEV.result();
      }
      long count = Math.min(target.byteSize(), on.peer().transfer());
      int result = Calls.readMigration(link, target.asSlice(0, count));
      if (Calls.isLost(result)) {
        return connection.unknownResult();
      }
      // A device that runs may have more later.
      return result == 0 && state != Vfio.VFIO_DEVICE_STATE_STOP_COPY
          ? Errno.ENOMSG.result()
          : result;
    }

    long write(MemorySegment source) {
      var on = connection.live();
      if (on == null || !on.link().equals(link) || state != Vfio.VFIO_DEVICE_STATE_RESUMING) {
        return Errno.ENODEV.result();
      }
      long count = Math.min(source.byteSize(), on.peer().transfer());
      int result = Calls.writeMigration(link, source.asSlice(0, count));
      return Calls.isLost(result) ? connection.unknownResult() : result;
    }
  }

  private static boolean saves(int state) {
    return state == Vfio.VFIO_DEVICE_STATE_STOP_COPY
        || state == Vfio.VFIO_DEVICE_STATE_PRE_COPY
        || state == Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P;
  }

  /**
   * The device has changed its state.
   *
   * @return a descriptor for the data of the new one, which is the caller's; -1 if there are none,
   *     or those of the state before go on; or a negated errno of another kind
   */
  int enter(Link link, int before, int after) {
    var present = pipe;
    boolean goesOn =
        (saves(after) && saves(before))
            || (after == before && after == Vfio.VFIO_DEVICE_STATE_RESUMING);
    if (goesOn && present != null && present.link.equals(link)) {
      present.state = after;
      return -1;
    }
    if (present != null) {
      present.state = after; // of no use any more
    }
    if (!saves(after) && after != Vfio.VFIO_DEVICE_STATE_RESUMING) {
      return -1;
    }
    int fd = kernel.eventFd(0, 0);
    if (fd >= 0) {
      pipe = new Pipe(fd, link, after);
    }
    return fd;
  }

  boolean isPipe(int fd) {
    return pipe(fd) != null;
  }

  @Nullable Pipe pipe(int fd) {
    var present = pipe;
    return present != null && present.fd == fd ? present : null;
  }

  /** The descriptor is about to be closed. */
  void forget(int fd) {
    if (isPipe(fd)) {
      pipe = null;
    }
  }
}
