// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Kernel;
import io.jvfio.user.wire.MessageSocket;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A message to be carried out: the one in a socket's buffer, or one that was kept, with its
 * descriptors. What nobody takes of these is closed by whoever has them.
 */
final class Incoming {
  private final Kernel kernel;
  private final @Nullable MessageSocket socket;
  private final int[] keptFds;
  private final MemorySegment message;
  private int size;

  private Incoming(
      Kernel kernel,
      @Nullable MessageSocket socket,
      MemorySegment message,
      int size,
      int[] keptFds) {
    this.kernel = kernel;
    this.socket = socket;
    this.message = message;
    this.size = size;
    this.keptFds = keptFds;
  }

  /** Whatever a socket has received last: {@link #received} tells of each message. */
  static Incoming of(MessageSocket socket) {
    return new Incoming(socket.kernel(), socket, socket.message(), 0, new int[0]);
  }

  /** A message has come. */
  void received(int byteSize) {
    size = byteSize;
  }

  /** A copy, which has the descriptors. */
  Incoming keep(MemorySegment copy) {
    MemorySegment.copy(message, 0, copy, 0, size);
    var fds = new int[fdCount()];
    for (int i = 0; i < fds.length; i++) {
      fds[i] = takeFd(i);
    }
    return new Incoming(kernel, null, copy, size, fds);
  }

  MemorySegment message() {
    return message;
  }

  int size() {
    return size;
  }

  int fdCount() {
    return socket == null ? keptFds.length : socket.fdCount();
  }

  /** A descriptor, which stays with the message; -1 if it was taken before. */
  int fd(int index) {
    return socket != null ? socket.fd(index) : keptFds[index];
  }

  /** Closes the descriptors of a message that was kept which nobody took. */
  void closeFds() {
    for (int i = 0; i < keptFds.length; i++) {
      int fd = takeFd(i);
      if (fd >= 0) {
        kernel.close(fd);
      }
    }
  }

  /** A descriptor, which is the caller's from now on; -1 if it was taken before. */
  int takeFd(int index) {
    if (socket != null) {
      return socket.takeFd(index);
    }
    int fd = keptFds[index];
    keptFds[index] = -1;
    return fd;
  }
}
