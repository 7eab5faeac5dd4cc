// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.linux.UnixSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Whole messages over a UNIX socket: finds where one ends and the next begins, and to which of them
 * descriptors belong.
 *
 * <p>Results are as the kernel's: zero or more, or a negated errno. Nothing is allocated for a
 * message. One thread may send while another receives; two threads must not send, or receive, at
 * once.
 *
 * <p>A receive takes a little more than it needs where that is there, since most messages are short
 * and a system call costs more than they do. A peer that sends each message by a call of its own,
 * as all do, has its descriptors with the message that they belong to: the kernel ends a receive
 * behind the bytes that brought descriptors.
 */
public final class MessageSocket implements AutoCloseable {
  /**
   * How much is taken ahead: some pages of data come by one system call. It bounds what has to be
   * moved when the next message is wanted.
   */
  private static final int READ_AHEAD = 16 << 10;

  private final UnixSocket socket;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment buffer;
  private final int maxMessage;
  private final int patienceMillis;

  /** The descriptors that came, of which those before {@link #fdCount} are still ours. */
  private final int[] fds;

  private int fdCount;

  /** Where in the buffer the message begins to which the descriptors belong. */
  private int fdOwner;

  /** Where in the buffer what was received ends; the message being received begins at 0. */
  private int end;

  /** Size of the message that was received last, which begins at 0; 0 if there is none. */
  private int size;

  /** Whether the message being received has to be here in time, and when that is over. */
  private boolean isTimed;

  private long deadline;

  /** Takes over a socket whose peer may take its time. */
  public MessageSocket(UnixSocket socket, int maxMessage, int maxFds) {
    this(socket, maxMessage, maxFds, -1);
  }

  /**
   * Takes over a socket.
   *
   * @param maxMessage the longest message that is received, in bytes, with its header
   * @param maxFds how many descriptors are received with one message
   * @param patienceMillis how long a message may take once it has begun, from its first byte to its
   *     last, in either direction; -1 for as long as the socket lets a call wait
   */
  public MessageSocket(UnixSocket socket, int maxMessage, int maxFds, int patienceMillis) {
    this.socket = socket;
    this.patienceMillis = patienceMillis;
    this.maxMessage = maxMessage;
    this.buffer = NativeMemory.allocate((long) maxMessage + READ_AHEAD, Long.BYTES, arena);
    this.fds = new int[maxFds];
    Arrays.fill(fds, -1);
  }

  /** The kernel that makes the system calls of the socket. */
  public Kernel kernel() {
    return socket.kernel();
  }

  /** The socket's descriptor, to wait for. */
  public int fd() {
    return socket.fd();
  }

  /**
   * Whether the next message, or a part of it, is here already, so that waiting for the descriptor
   * may be in vain.
   */
  public boolean hasMore() {
    return end > size;
  }

  /** Whether the next message is here as a whole, or is seen to be none: nothing is waited for. */
  public boolean hasWhole() {
    int here = end - size;
    if (here < Header.SIZE) {
      return false;
    }
    long told = Header.size(buffer, size);
    return told < Header.SIZE || told > maxMessage || told <= here;
  }

  /**
   * Receives the next message, and closes the descriptors of the one before that nobody took.
   *
   * @param wait whether to wait for its first byte; once a message has begun its rest is waited for
   * @return its size in bytes; 0 at the end; EAGAIN if it was not to be waited for; EPROTO for a
   *     length that no message has, ECONNRESET for an end in the middle of one, EMSGSIZE for more
   *     descriptors than there may be, ETIMEDOUT if the rest does not come, or what the kernel
   *     answers: nothing more can be received then
   */
  public int receive(boolean wait) {
    next();
    return receiveNext(wait);
  }

  /**
   * Waits for the next message, of which patience counts from now on and not from its first byte.
   *
   * @return as {@link #receive}; ETIMEDOUT also if nothing comes at all
   */
  public int receiveInTime() {
    next();
    begin();
    return receiveNext(true);
  }

  private void begin() {
    isTimed = true;
    deadline = System.nanoTime() + patienceMillis * 1_000_000L;
  }

  private int receiveNext(boolean wait) {
    int needed = Header.SIZE;
    boolean isLong = false;
    while (true) {
      if (end >= Header.SIZE && !isLong) {
        long told = Header.size(buffer);
        if (told < Header.SIZE || told > maxMessage) {
          return Errno.EPROTO.result();
        }
        needed = (int) told;
        isLong = true;
      }
      if (end >= needed && isLong) {
        size = needed;
        return needed;
      }
      // Behind a message with descriptors may be one with others, which must not be mixed.
      int most = fdCount > 0 ? needed : Math.max(needed, READ_AHEAD);
      int result = fill(most - end, wait || end > 0);
      if (result <= 0) {
        return result == 0 && end > 0 ? Errno.ECONNRESET.result() : result;
      }
    }
  }

  /** Makes room: what lies behind the last message is the beginning of the next. */
  private void next() {
    isTimed = false;
    if (size == 0) {
      return;
    }
    if (fdOwner == 0) {
      closeFds();
    } else {
      fdOwner -= size;
    }
    if (end > size) {
      MemorySegment.copy(buffer, size, buffer, 0, end - size);
    }
    end -= size;
    size = 0;
  }

  private int fill(int most, boolean wait) {
    if (patienceMillis >= 0 && (end > 0 || isTimed)) {
      if (!isTimed) {
        begin();
      }
      int ready = awaitUntil(deadline, false);
      if (ready < 0) {
        return ready;
      }
    }
    int begin = end;
    int before = fdCount;
    // Behind those of the message at hand there is room for those that it lacks.
    long result = socket.receive(buffer, begin, most, fds, before, wait);
    if (result > 0) {
      end += (int) result;
      int came = socket.received();
      if (came > 0) {
        fdCount = before + came;
        fdOwner = lastBeginning();
      }
    }
    return (int) result;
  }

  /** Waits for bytes, or for room for some: 0, or a negated errno. */
  private int awaitUntil(long end, boolean isForRoom) {
    long left = (end - System.nanoTime() + 999_999) / 1_000_000;
    if (left <= 0) {
      return Errno.ETIMEDOUT.result(); // even if there is a byte: it comes one by one
    }
    var kernel = socket.kernel();
    int ready =
        isForRoom
            ? kernel.awaitWritable(socket.fd(), (int) left)
            : kernel.awaitReadable(socket.fd(), (int) left);
    return ready == 0 ? Errno.ETIMEDOUT.result() : Math.min(ready, 0);
  }

  /** Where the last message begins of which anything is here. */
  private int lastBeginning() {
    int at = 0;
    while (end - at >= Header.SIZE) {
      long told = Header.size(buffer, at);
      if (told < Header.SIZE || told >= end - at) {
        break;
      }
      at += (int) told;
    }
    return at;
  }

  /** The message that was received last: from 0 to the size that was answered. */
  public MemorySegment message() {
    return buffer;
  }

  /** How many descriptors came with it. */
  public int fdCount() {
    return size > 0 && fdOwner == 0 ? fdCount : 0;
  }

  /** A descriptor that came with it; it is closed with the next receive, unless it was taken. */
  public int fd(int index) {
    return fds[index];
  }

  /**
   * A descriptor that came with it, which is the caller's from now on; -1 if it was taken before.
   */
  public int takeFd(int index) {
    int fd = fds[index];
    fds[index] = -1;
    return fd;
  }

  private void closeFds() {
    for (int i = 0; i < fdCount; i++) {
      if (fds[i] >= 0) {
        socket.kernel().close(fds[i]);
        fds[i] = -1;
      }
    }
    fdCount = 0;
  }

  /** Sends a message without descriptors. */
  public int send(MemorySegment message, int byteSize) {
    return send(message, byteSize, fds, 0);
  }

  /**
   * Sends a message; the descriptors stay the caller's.
   *
   * @return 0, or a negated errno: EPIPE if the peer is gone, EAGAIN if it does not take all of it
   *     in time
   */
  public int send(MemorySegment message, int byteSize, int[] descriptors, int count) {
    boolean isTimeless = patienceMillis < 0;
    boolean hasBegun = false;
    long until = 0;
    int sent = 0;
    while (sent < byteSize) {
      long result =
          socket.send(
              message, sent, byteSize - sent, descriptors, sent == 0 ? count : 0, isTimeless);
      if (result >= 0) {
        sent += (int) result;
      } else if (result != Errno.EAGAIN.result() || isTimeless) {
        return (int) result;
      } else {
        if (!hasBegun) {
          hasBegun = true;
          until = System.nanoTime() + patienceMillis * 1_000_000L;
        }
        int room = awaitUntil(until, true);
        if (room < 0) {
          return room == Errno.ETIMEDOUT.result() ? Errno.EAGAIN.result() : room;
        }
      }
    }
    return 0;
  }

  /** Ends all traffic, and every wait of other threads for it. */
  public void shutdown() {
    socket.shutdown();
  }

  /** Closes it, and the descriptors that nobody took. No thread may be sending or receiving. */
  @Override
  public void close() {
    socket.close();
    closeFds();
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  @Override
  public String toString() {
    return socket.toString();
  }
}
