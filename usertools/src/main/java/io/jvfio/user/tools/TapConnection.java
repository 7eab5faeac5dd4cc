// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageFramer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A client and the server that it was connected to. A thread for each direction of each socket
 * passes on what comes as it comes, in whatever pieces, so that the peers meet each other and not
 * the tap; messages are found on the side.
 *
 * <p>What is to be told is queued before the last byte of a message is passed on: a reply cannot be
 * there before its command. The one thing that is changed is the twin socket of VERSION's reply,
 * which becomes one to the tap.
 */
final class TapConnection {
  private static final int PIECE = 64 << 10;

  private final int number;
  private final long start;
  private final TapQueue queue;
  private final Consumer<TapConnection> whenOver;
  private final List<UnixSocket> sockets = new CopyOnWriteArrayList<>();
  private final List<Thread> threads = new CopyOnWriteArrayList<>();
  private final AtomicInteger running = new AtomicInteger();

  /** Keeps a socket from being shut down after it was closed, when its number is another's. */
  private final Object closing = new Object();

  private boolean isClosed;
  private @Nullable String reason;

  TapConnection(int number, long start, TapQueue queue, Consumer<TapConnection> whenOver) {
    this.number = number;
    this.start = start;
    this.queue = queue;
    this.whenOver = whenOver;
  }

  int number() {
    return number;
  }

  /** Takes the sockets over and begins to pass on. */
  void start(UnixSocket client, UnixSocket server) {
    connect(client, server, false);
  }

  private void connect(UnixSocket client, UnixSocket server, boolean isTwin) {
    running.addAndGet(2);
    synchronized (closing) {
      sockets.add(client);
      sockets.add(server);
      if (reason != null) {
        client.shutdown();
        server.shutdown();
      }
    }
    var pumps =
        List.of(
            new Pump(client, server, MessageDirection.TO_SERVER, isTwin),
            new Pump(server, client, MessageDirection.TO_CLIENT, isTwin));
    for (var pump : pumps) {
      threads.add(
          Thread.ofPlatform()
              .name("jvfio-tap-" + number + (isTwin ? "-twin-" : "-") + pump.direction.id())
              .daemon()
              .start(pump));
    }
  }

  /** Ends it for a reason, as a clause; the first one counts. */
  void shutdown(String why) {
    synchronized (closing) {
      if (reason == null) {
        reason = why;
      }
      if (!isClosed) {
        sockets.forEach(UnixSocket::shutdown);
      }
    }
  }

  private void shutdown(UnixSocket first, UnixSocket second) {
    synchronized (closing) {
      if (!isClosed) {
        first.shutdown();
        second.shutdown();
      }
    }
  }

  /** Waits until its threads have ended, those of a twin socket too. */
  void join() {
    boolean isInterrupted = false;
    for (int i = 0; i < threads.size(); i++) {
      var thread = threads.get(i);
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          isInterrupted = true;
        }
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void pumpEnded() {
    if (running.decrementAndGet() > 0) {
      return;
    }
    String why;
    synchronized (closing) {
      isClosed = true;
      sockets.forEach(UnixSocket::close);
      why = Objects.requireNonNull(reason, "a pump ends for a reason");
    }
    long nanos = System.nanoTime() - start;
    queue.add(told -> told.disconnected(number, nanos, why), 0);
    whenOver.accept(this);
  }

  /** One direction of one socket. */
  private final class Pump implements Runnable {
    private final UnixSocket from;
    private final UnixSocket to;
    private final MessageDirection direction;
    private final boolean isTwin;
    private final MessageFramer framer = new MessageFramer();
    private final int[] fds = new int[UnixSocket.MAX_DESCRIPTORS];
    private int fdCount;

    /** Whether the first message, in which there may be a twin socket, has yet to come. */
    private boolean isFirst;

    Pump(UnixSocket from, UnixSocket to, MessageDirection direction, boolean isTwin) {
      this.from = from;
      this.to = to;
      this.direction = direction;
      this.isTwin = isTwin;
      this.isFirst = direction == MessageDirection.TO_CLIENT && !isTwin;
    }

    @Override
    public void run() {
      try (var arena = Arena.ofConfined()) {
        var why = pump(arena.allocate(PIECE, Long.BYTES));
        tell(framer.rest());
        end(why);
      } finally {
        end("the tap failed");
        closeFds();
        pumpEnded();
      }
    }

    /** Who closes the twin socket still has the other one. */
    private void end(String why) {
      if (isTwin) {
        shutdown(from, to);
      } else {
        TapConnection.this.shutdown(why);
      }
    }

    private String pump(MemorySegment piece) {
      int held = 0;
      while (true) {
        long result = from.receive(piece, held, PIECE - held, fds, fdCount, true);
        if (result <= 0) {
          return sender() + (result == 0 ? " closed it" : " ended with " + Errno.ofResult(result));
        }
        int end = held + (int) result;
        var came = descriptors(fdCount, from.received());
        fdCount += from.received();
        var messages = framer.accept(piece, held, end, came);
        int split = framer.lastBeginning() > 0 ? held + framer.lastBeginning() : 0;
        tell(messages);
        if (isFirst && messages.isEmpty() && end < PIECE && !framer.isLost()) {
          held = end;
          continue;
        }
        held = 0;
        int twin =
            isFirst && !messages.isEmpty() ? TwinSocket.index(messages.getFirst().bytes()) : -1;
        isFirst = false;
        int failed =
            twin >= 0 && twin < fdCount
                ? sendTwin(piece, end, split, twin)
                : send(piece, end, split);
        closeFds();
        if (failed < 0) {
          return receiver() + " is gone (" + Errno.ofResult(failed) + ")";
        }
      }
    }

    private String sender() {
      return direction == MessageDirection.TO_SERVER ? "the client" : "the server";
    }

    private String receiver() {
      return direction == MessageDirection.TO_SERVER ? "the server" : "the client";
    }

    private List<MessageDescriptor> descriptors(int first, int count) {
      if (count == 0) {
        return List.of();
      }
      var descriptors = new ArrayList<MessageDescriptor>(count);
      for (int i = first; i < first + count; i++) {
        descriptors.add(MessageDescriptor.ofOpen(fds[i]));
      }
      return descriptors;
    }

    private void tell(List<MessageFramer.Framed> messages) {
      for (var message : messages) {
        var tapped =
            new TapMessage(
                number,
                System.nanoTime() - start,
                direction,
                isTwin,
                message.bytes(),
                message.descriptors());
        queue.add(told -> told.message(tapped), message.bytes().length);
      }
    }

    /**
     * Passes on, with descriptors beside the message that they belong to: some receivers look for
     * them only beside its first byte.
     */
    private int send(MemorySegment piece, int end, int split) {
      int begin = 0;
      if (fdCount > 0 && split > 0) {
        int failed = send(piece, 0, split, 0);
        if (failed < 0) {
          return failed;
        }
        begin = split;
      }
      return send(piece, begin, end, fdCount);
    }

    private int send(MemorySegment piece, int begin, int end, int descriptors) {
      int count = descriptors;
      for (int at = begin; at < end; count = 0) {
        long sent = to.send(piece, at, end - at, fds, count);
        if (sent < 0) {
          return (int) sent;
        }
        at += (int) sent;
      }
      return 0;
    }

    /**
     * Passes on a message that hands the client a twin socket, with another in its place, and
     * passes on between the two from then on.
     */
    private int sendTwin(MemorySegment piece, int end, int split, int index) {
      UnixSocket.Pair pair;
      try {
        pair = UnixSocket.pair(from.kernel());
      } catch (ErrnoException e) {
        return e.errno().result();
      }
      connect(pair.second(), UnixSocket.adopt(from.kernel(), fds[index]), true);
      try (var clients = pair.first()) {
        fds[index] = clients.fd();
        return send(piece, end, split);
      } finally {
        fds[index] = -1; // both are their sockets' own
      }
    }

    private void closeFds() {
      for (int i = 0; i < fdCount; i++) {
        if (fds[i] >= 0) {
          from.kernel().close(fds[i]);
        }
      }
      fdCount = 0;
    }
  }
}
