// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.peer;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Field;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageFramer;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * One end of a socket for those who send what they like and look at what comes: no rule of the
 * protocol is kept here but where a message ends. Nothing waits longer than the patience given.
 *
 * <p>Descriptors that come, and those that are made here, are closed with it. One thread at a time.
 */
public final class WirePeer implements AutoCloseable {
  /** How long a signal, or an answer that should not come, is waited for. */
  public static final Duration MOMENT = Duration.ofMillis(200);

  private static final int PIECE = 64 << 10;
  private static final int MAX_IDS = 1 << 16;
  private static final ScheduledThreadPoolExecutor TIMER = timer();

  private final UnixSocket socket;
  private final Kernel kernel;
  private final Duration patience;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment piece = arena.allocate(PIECE, Long.BYTES);
  private final MessageFramer framer = new MessageFramer();
  private final List<Message> arrived = new ArrayList<>();
  private final int[] fds = new int[UnixSocket.MAX_DESCRIPTORS];
  private final List<Integer> owned = new ArrayList<>();
  private int nextId = 1;

  private static ScheduledThreadPoolExecutor timer() {
    var timer =
        new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("jvfio-wire-timer").daemon().factory());
    timer.setRemoveOnCancelPolicy(true);
    return timer;
  }

  /** Takes a connected socket over. */
  public WirePeer(UnixSocket socket, Duration patience) {
    this.socket = socket;
    this.kernel = socket.kernel();
    this.patience = patience;
  }

  /**
   * A message that came.
   *
   * @param bytes all of it
   * @param fds descriptors that came with it; they stay the peer's
   */
  @SuppressWarnings("ArrayRecordComponent") // looked at once, and not compared
  public record Message(byte[] bytes, List<Integer> fds) {
    /** Copies the list. */
    public Message {
      fds = List.copyOf(fds);
    }

    private ByteBuffer whole() {
      return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    }

    /** A field of the message. */
    public int get(Field.U32 field) {
      return get(field, 0);
    }

    /** A field of a struct that begins at a place in the message. */
    public int get(Field.U32 field, int at) {
      return (int) field.get(whole(), at);
    }

    /** A field of the message. */
    public long get(Field.U64 field) {
      return get(field, 0);
    }

    /** A field of a struct that begins at a place in the message. */
    public long get(Field.U64 field, int at) {
      return field.get(whole(), at);
    }

    /** A field of the message, as an unsigned number. */
    public int get(Field.U16 field) {
      return get(field, 0);
    }

    /** A field of a struct that begins at a place in the message, as an unsigned number. */
    public int get(Field.U16 field, int at) {
      return (int) field.get(whole(), at);
    }

    /** What is behind a place in the message. */
    public byte[] from(int at) {
      return Arrays.copyOfRange(bytes, at, bytes.length);
    }

    public int id() {
      return get(Header.ID);
    }

    public int command() {
      return get(Header.NUMBER);
    }

    public int flags() {
      return get(Header.FLAGS);
    }

    public int errno() {
      return get(Header.ERRNO);
    }

    public boolean isReply() {
      return (flags() & Header.TYPE_MASK) == Header.REPLY;
    }

    public boolean isError() {
      return (flags() & Header.ERROR) != 0;
    }

    public int payloadSize() {
      return bytes.length - Header.SIZE;
    }

    /** What it says of the command: an errno by its name, or a payload. */
    public String outcome() {
      return isError()
          ? errno() == 0 ? "an error without errno" : Errno.of(errno()).symbol()
          : payloadSize() == 0 ? "success" : "success with " + MessageText.bytes(payloadSize());
    }
  }

  /** Sends bytes, and descriptors with the first of them. */
  public void send(byte[] bytes, int... descriptors) {
    try (var message = Arena.ofConfined()) {
      var memory = message.allocate(Math.max(1, bytes.length), Long.BYTES);
      MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, 0, bytes.length);
      int count = descriptors.length;
      for (long at = 0; at < bytes.length; count = 0) {
        long sent;
        try (var _ = new Limit()) {
          sent = socket.send(memory, at, bytes.length - at, descriptors, count);
        }
        if (sent < 0) {
          throw gone(sent);
        }
        at += sent;
      }
    }
  }

  private static PeerException gone(long result) {
    var errno = Errno.ofResult(result);
    return errno.equals(Errno.EPIPE) || errno.equals(Errno.ECONNRESET)
        ? new PeerException(true, "closed the connection")
        : new PeerException(true, "ended the connection with " + errno);
  }

  /** Sends a command; its id is answered. */
  public int command(int command, Payload payload, int... descriptors) {
    int id = nextId;
    nextId = (nextId + 1) % MAX_IDS;
    send(payload.message(id, command, Header.COMMAND), descriptors);
    return id;
  }

  /**
   * Waits for the next message.
   *
   * @throws PeerException if none comes
   */
  public Message receive() {
    long end = System.nanoTime() + patience.toNanos();
    while (arrived.isEmpty()) {
      long left = Math.max(0, (end - System.nanoTime()) / 1_000_000);
      int ready = kernel.awaitReadable(socket.fd(), (int) left);
      if (ready < 0 && ready != Errno.EINTR.result()) {
        throw gone(ready);
      }
      if (ready > 0) {
        take();
      } else if (System.nanoTime() - end >= 0) {
        throw new PeerException(
            false, "did not answer within %s".formatted(MessageText.duration(patience.toNanos())));
      }
    }
    return arrived.removeFirst();
  }

  /** The socket's descriptor, to wait for. */
  public int fd() {
    return socket.fd();
  }

  /**
   * The next message, if there is one now.
   *
   * @throws PeerException if none will come any more
   */
  public Optional<Message> poll() {
    if (arrived.isEmpty()) {
      take();
    }
    return arrived.isEmpty() ? Optional.empty() : Optional.of(arrived.removeFirst());
  }

  /** A descriptor that came, which is the caller's from now on. */
  public int release(int fd) {
    owned.remove(Integer.valueOf(fd));
    return fd;
  }

  /** Closes descriptors that came and are not wanted any more. */
  public void discard(List<Integer> fds) {
    for (Integer fd : fds) {
      if (owned.remove((Object) fd)) {
        kernel.close(fd);
      }
    }
  }

  private void take() {
    long result = socket.receive(piece, 0, PIECE, fds, 0, false);
    if (result == Errno.EAGAIN.result()) {
      return;
    }
    if (result < 0) {
      throw gone(result);
    }
    if (result == 0) {
      var rest = framer.rest();
      throw new PeerException(
          true,
          rest.isEmpty()
              ? "closed the connection"
              : "closed the connection in the middle of a message");
    }
    // Descriptors travel through the framer by their numbers.
    var came = new ArrayList<MessageDescriptor>();
    for (int i = 0; i < socket.received(); i++) {
      owned.add(fds[i]);
      came.add(
          new MessageDescriptor(
              MessageDescriptor.Kind.OTHER, Integer.toString(fds[i]), OptionalLong.empty()));
    }
    for (var framed : framer.accept(piece, 0, (int) result, came)) {
      arrived.add(
          new Message(
              framed.bytes(),
              framed.descriptors().stream()
                  .map(descriptor -> Integer.valueOf(descriptor.name()))
                  .toList()));
    }
    if (framer.isLost()) {
      throw new PeerException(false, "sent a message whose length no message has");
    }
  }

  /** Whether something comes within a time. */
  public boolean hears(Duration time) {
    return !arrived.isEmpty() || kernel.awaitReadable(socket.fd(), (int) time.toMillis()) > 0;
  }

  /**
   * Waits for the reply to a command. Commands of the other side that come in between are refused.
   *
   * @throws PeerException if it does not come, or another comes
   */
  public Message reply(int id) {
    while (true) {
      var message = receive();
      if (message.isReply()) {
        if (message.id() != id) {
          throw new PeerException(
              false, "answered #%04x where it was asked #%04x".formatted(message.id(), id));
        }
        return message;
      }
      refuse(message);
    }
  }

  /** A device may reach for memory at any time; here it finds none. */
  private void refuse(Message command) {
    if ((command.flags() & Header.NO_REPLY) == 0) {
      send(Payload.error(command.id(), command.command(), Errno.EINVAL.number()));
    }
  }

  /** Sends a command and waits for its reply. */
  public Message call(int command, Payload payload, int... descriptors) {
    return reply(command(command, payload, descriptors));
  }

  /** Sends a command and waits for its reply. */
  public Message call(Command command, Payload payload, int... descriptors) {
    return call(command.number(), payload, descriptors);
  }

  /** A new eventfd, whose reads do not wait. */
  public int eventFd() {
    return own("eventfd", kernel.eventFd(0, Kernel.EFD_NONBLOCK));
  }

  /** A new file in memory. */
  public int memory(long byteSize) {
    return own("memfd_create", kernel.memoryFile("jvfio-wire", 0, byteSize));
  }

  private int own(String operation, int fd) {
    if (fd < 0) {
      throw new IllegalStateException(operation + " failed: " + Errno.ofResult(fd));
    }
    owned.add(fd);
    return fd;
  }

  /**
   * How often an eventfd was signalled since it was looked at, waiting for a signal up to a time.
   */
  public long signals(int eventFd, Duration time) {
    if (kernel.awaitReadable(eventFd, (int) time.toMillis()) <= 0) {
      return 0;
    }
    try (var arena = Arena.ofConfined()) {
      var count = arena.allocate(Long.BYTES, Long.BYTES);
      return kernel.read(eventFd, count) == Long.BYTES ? count.get(ValueLayout.JAVA_LONG, 0) : 0;
    }
  }

  /** Ends a send that takes longer than the patience, by ending the connection. */
  private final class Limit implements AutoCloseable {
    private final ScheduledFuture<?> end =
        TIMER.schedule(this::shutdown, patience.toMillis(), TimeUnit.MILLISECONDS);

    private boolean isOver;

    /** The socket may be closed once this is over, and its number another's. */
    private synchronized void shutdown() {
      if (!isOver) {
        socket.shutdown();
      }
    }

    @Override
    public void close() {
      synchronized (this) {
        isOver = true;
      }
      end.cancel(false);
    }
  }

  /** Idempotent. */
  @Override
  public void close() {
    if (!arena.scope().isAlive()) {
      return;
    }
    socket.close();
    arena.close();
    owned.forEach(kernel::close);
    owned.clear();
  }

  /**
   * Connects, and tries again for a while where nobody listens.
   *
   * @throws ErrnoException EAGAIN where somebody listens, but takes nobody for as long
   */
  public static UnixSocket connect(Kernel kernel, String path, Duration patience)
      throws ErrnoException {
    long end = System.nanoTime() + patience.toNanos();
    while (true) {
      long left = end - System.nanoTime();
      try {
        return connectOnce(kernel, path, Duration.ofNanos(left));
      } catch (ErrnoException e) {
        boolean mayCome = e.errno().equals(Errno.ENOENT) || e.errno().equals(Errno.ECONNREFUSED);
        if (!mayCome || left <= 0) {
          throw e;
        }
        pause();
      }
    }
  }

  /**
   * Connects, or finds out that nobody listens.
   *
   * @throws ErrnoException EAGAIN where somebody listens, but takes nobody for as long
   */
  public static UnixSocket connectOnce(Kernel kernel, String path, Duration patience)
      throws ErrnoException {
    var socket = UnixSocket.connect(kernel, path, Math.max(1, patience.toMillis()));
    socket.limitWaits(0, 0);
    return socket;
  }

  private static void pause() {
    try {
      Thread.sleep(20);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
