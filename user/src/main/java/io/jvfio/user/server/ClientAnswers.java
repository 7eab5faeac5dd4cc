// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.NativeMemory;
import io.jvfio.user.VfioUserServerOptions;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Commands of the server to its client, which are all for memory, and the client's answers. They go
 * by the twin socket where there is one. Otherwise the answers come among the client's commands:
 * who waits for one on the session's thread receives itself, and keeps commands for later; who
 * waits on another thread is given it by the session's.
 *
 * <p>There is one question at a time. A thread of the device's own, which has not its lock, can ask
 * by the twin socket only: the session's thread may be waiting for that thread, and could then give
 * it no answer. A client that does not answer, or not as it must, is cut off, and every later
 * question fails at once.
 */
final class ClientAnswers implements ClientMemory.DmaMessages, AutoCloseable {
  private static final int MOST_KEPT = 256;
  private static final int MOST_MILLIS = Integer.MAX_VALUE;

  private final VfioUserServerOptions options;
  private final Consumer<String> cutOff;
  private final Thread session = Thread.currentThread();
  private final ReentrantLock asking = new ReentrantLock();
  private final BooleanSupplier hasDevice;
  private final Arena arena = Arena.ofShared();
  private final MessageSocket main;
  private final Incoming incoming;
  private final ArrayDeque<Incoming> kept = new ArrayDeque<>();
  private long keptBytes;

  private @Nullable MessageSocket twin;
  private @Nullable MemorySegment buffer;
  private int limit = Integer.MAX_VALUE;
  private int lastId;

  /** Another thread than the session's waits; guarded by this, and read without. */
  private volatile boolean isAwaited;

  /** What that thread gets: the size of a reply in {@link #buffer}, or a negated errno. */
  private int awaited;

  private volatile boolean isOver;

  /**
   * Answers of a client; by the thread of its session.
   *
   * @param incoming what the main socket has received last
   * @param hasDevice whether the thread that asks has the device's lock
   * @param cutOff ends the connection, for a reason
   */
  ClientAnswers(
      MessageSocket main,
      Incoming incoming,
      VfioUserServerOptions options,
      BooleanSupplier hasDevice,
      Consumer<String> cutOff) {
    this.main = main;
    this.incoming = incoming;
    this.options = options;
    this.hasDevice = hasDevice;
    this.cutOff = cutOff;
  }

  /** From now on by a socket that has nothing else. */
  void use(MessageSocket own) {
    twin = own;
  }

  /** The most bytes of data that the client takes with one message. */
  void limit(long bytes) {
    limit = (int) Math.min(bytes, options.maxDataTransfer());
  }

  /** No question is answered any more; who waits for one is told. */
  synchronized void end() {
    isOver = true;
    notifyAll();
  }

  @Override
  public int read(long iova, MemorySegment target, long offset, long byteSize) {
    asking.lock();
    try {
      for (long done = 0; done < byteSize; ) {
        int piece = piece(byteSize - done);
        int result = ask(Command.DMA_READ, iova + done, piece, DmaAccessMessage.BYTES);
        if (result < 0) {
          return result;
        }
        MemorySegment.copy(room(), DmaAccessMessage.BYTES, target, offset + done, piece);
        done += piece;
      }
      return 0;
    } finally {
      asking.unlock();
    }
  }

  @Override
  public int write(long iova, MemorySegment source, long offset, long byteSize) {
    asking.lock();
    try {
      for (long done = 0; done < byteSize; ) {
        int piece = piece(byteSize - done);
        MemorySegment.copy(source, offset + done, room(), DmaAccessMessage.BYTES, piece);
        int result = ask(Command.DMA_WRITE, iova + done, piece, DmaAccessMessage.BYTES + piece);
        if (result < 0) {
          return result;
        }
        done += piece;
      }
      return 0;
    } finally {
      asking.unlock();
    }
  }

  private int piece(long left) {
    return (int) Math.min(left, Math.max(1, limit));
  }

  private MemorySegment room() {
    var room = buffer;
    if (room == null) {
      room =
          NativeMemory.allocate(
              DmaAccessMessage.BYTES + (long) options.maxDataTransfer(), Long.BYTES, arena);
      buffer = room;
    }
    return room;
  }

  /** Sends a command and waits: 0 with the answer in the buffer, or a negated errno. */
  private int ask(Command command, long iova, int count, int size) {
    if (isOver || limit == 0) {
      return Errno.ENOTCONN.result();
    }
    var room = room();
    lastId = (lastId + 1) & 0xffff;
    Header.writeCommand(room, lastId, command, size);
    DmaAccessMessage.ADDRESS.set(room, iova);
    DmaAccessMessage.COUNT.set(room, count);
    int result = exchange(command, size);
    if (result < 0) {
      return result;
    }
    return check(command, iova, count, result);
  }

  private int exchange(Command command, int size) {
    var own = twin;
    if (own != null) {
      int sent = own.send(room(), size);
      return sent < 0 ? failed("it does not take " + command + why(sent)) : receive(own, command);
    }
    if (Thread.currentThread().equals(session)) {
      int sent = main.send(room(), size);
      return sent < 0 ? failed("it does not take " + command + why(sent)) : receive(main, command);
    }
    return hasDevice.getAsBoolean() ? exchangeElsewhere(command, size) : Errno.EOPNOTSUPP.result();
  }

  private int receive(MessageSocket from, Command command) {
    long end = System.nanoTime() + options.patience().toNanos();
    while (true) {
      // Commands that come instead of the answer take from its time.
      long left = (end - System.nanoTime()) / 1_000_000;
      int ready =
          left <= 0 || from.hasMore()
              ? 1
              : from.kernel().awaitReadable(from.fd(), (int) Math.min(left, MOST_MILLIS));
      if (left <= 0 || ready == 0) {
        return failed("it does not answer " + command);
      }
      int size = ready < 0 ? ready : from.receive(true);
      if (size <= 0) {
        return failed("it does not answer " + command + " any more" + why(size));
      }
      var message = from.message();
      if (Header.isReply(message)) {
        return copied(message, size);
      }
      incoming.received(size);
      if (!from.equals(main) || !Header.isCommand(message) || !keep()) {
        return failed("it sends something else than an answer to " + command);
      }
    }
  }

  /**
   * What the kernel says of a call that failed, in parentheses; empty for a client that has gone.
   */
  private static String why(int result) {
    return result < 0 ? " (" + Errno.ofResult(result) + ")" : "";
  }

  /** The session's thread is waiting for messages, and gives the answer to this one. */
  private synchronized int exchangeElsewhere(Command command, int size) {
    isAwaited = true;
    awaited = 0;
    try {
      int sent = main.send(room(), size);
      if (sent < 0) {
        return failed("it does not take " + command + why(sent));
      }
      long end = System.nanoTime() + options.patience().toNanos();
      while (awaited == 0 && !isOver) {
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return failed("it does not answer " + command);
        }
        wait(left);
      }
      return awaited == 0 ? Errno.ENOTCONN.result() : awaited;
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return failed("the thread that waits for " + command + " was interrupted");
    } finally {
      isAwaited = false;
    }
  }

  /** Whether another thread, which has the device's lock, waits for an answer. */
  boolean areAwaited() {
    return isAwaited;
  }

  /** A reply has come to the session's thread: whether somebody waits for one. */
  synchronized boolean take(int size) {
    if (!isAwaited || awaited != 0) {
      return false;
    }
    awaited = copied(incoming.message(), size);
    // From here on who has the device's lock goes on by itself, and what was kept can wait for it.
    isAwaited = false;
    notifyAll();
    return true;
  }

  private int copied(MemorySegment message, int size) {
    if (size > room().byteSize()) {
      return Errno.EPROTO.result();
    }
    MemorySegment.copy(message, 0, room(), 0, size);
    return size;
  }

  private int check(Command command, long iova, int count, int size) {
    var room = room();
    if (Header.id(room) != lastId || Header.command(room) != command.number()) {
      return failed("it answers what was not asked");
    }
    if (Header.isError(room)) {
      int errno = Header.error(room);
      return errno > 0 && errno < 4096 ? -errno : Errno.EIO.result();
    }
    boolean isRead = command == Command.DMA_READ;
    // The specification has a shorter count in the reply to a write; libvfio-user has not.
    if (size < DmaAccessMessage.BYTES - Integer.BYTES
        || DmaAccessMessage.ADDRESS.get(room) != iova) {
      return failed("its answer to " + command + " is malformed");
    }
    int answered = (int) DmaAccessMessage.COUNT.get(room);
    if (answered < 0
        || answered > count
        || (isRead ? size != DmaAccessMessage.BYTES + answered : size > DmaAccessMessage.BYTES)) {
      return failed("its answer to " + command + " is malformed");
    }
    // Less than was asked for is a fault of this access.
    return answered == count ? 0 : Errno.EFAULT.result();
  }

  private int failed(String reason) {
    if (!isOver) {
      isOver = true;
      cutOff.accept(reason);
    }
    return Errno.EIO.result();
  }

  /** Keeps what has just come, for later: false if there is too much of that. */
  boolean keep() {
    int size = incoming.size();
    if (kept.size() == MOST_KEPT || keptBytes + size > 2L * options.maxDataTransfer()) {
      return false;
    }
    keptBytes += size;
    kept.add(incoming.keep(Arena.ofAuto().allocate(size, Long.BYTES)));
    return true;
  }

  boolean hasKept() {
    return !kept.isEmpty();
  }

  /** The oldest that was kept, or null; what its descriptors become is the caller's affair. */
  @Nullable Incoming nextKept() {
    var next = kept.poll();
    if (next != null) {
      keptBytes -= next.size();
    }
    return next;
  }

  @Override
  public void close() {
    for (var left = nextKept(); left != null; left = nextKept()) {
      left.closeFds();
    }
    arena.close();
  }
}
