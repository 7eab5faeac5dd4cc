// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageFramer;
import io.jvfio.user.wire.MessageSocket;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A good server with a bad one in front of it, which changes what is said. One client at a time,
 * and one message: a command goes to the good server, its reply comes back changed.
 */
public final class LyingServer implements AutoCloseable {
  private static final int MAX_MESSAGE = 4 << 20;
  private static final int MILLIS = 20_000;

  private final Path path;
  private final Path good;
  private final Lie lie;
  private final Thread thread;
  private volatile UnixSocket listener;
  private volatile boolean isClosed;

  /** What is made of an exchange. */
  public interface Lie {
    /** Whether the server ends with each client, and is started again. */
    default boolean endsWithClients() {
      return false;
    }

    /** What the good server gets, of the same length. */
    default byte[] hear(byte[] command) {
      return command;
    }

    /**
     * What the client gets.
     *
     * @param command what it sent
     * @param reply what the good server answered; empty if nothing was to be
     * @return messages to send; null to hang up
     */
    @Nullable List<byte[]> tell(byte[] command, byte[] reply);
  }

  /** The server ends, with its socket. */
  public static final class End extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** How long it is gone; less than 0 for good. */
    final long millis;

    public End(long millis) {
      super(null, null, false, false);
      this.millis = millis;
    }
  }

  public LyingServer(Path path, Path good, Lie lie) throws ErrnoException {
    this.path = path;
    this.good = good;
    this.lie = lie;
    this.listener = UnixSocket.listen(LinuxKernel.instance(), path.toString(), 0600);
    this.thread = Thread.ofPlatform().name("lying server").start(this::run);
  }

  /** Numbers of a message, for lies. */
  public static int command(byte[] message) {
    return Byte.toUnsignedInt(message[2]) | Byte.toUnsignedInt(message[3]) << 8;
  }

  public static boolean isError(byte[] message) {
    return message.length > 0 && (message[8] & Header.ERROR) != 0;
  }

  private void run() {
    while (!isClosed) {
      try (var client = listener.accept()) {
        serve(client);
        if (lie.endsWithClients()) {
          throw new End(20);
        }
      } catch (ErrnoException e) {
        return;
      } catch (End end) {
        if (!restart(end.millis)) {
          return;
        }
      }
    }
  }

  private boolean restart(long millis) {
    try {
      listener.close();
      Files.delete(path);
      if (millis < 0) {
        return false;
      }
      Thread.sleep(millis);
      listener = UnixSocket.listen(LinuxKernel.instance(), path.toString(), 0600);
      return true;
    } catch (IOException | InterruptedException e) {
      return false;
    }
  }

  private void serve(UnixSocket client) throws ErrnoException {
    try (var server =
            new MessageSocket(
                UnixSocket.connect(LinuxKernel.instance(), good.toString()),
                MAX_MESSAGE,
                16,
                MILLIS);
        var arena = Arena.ofConfined()) {
      var framer = new MessageFramer();
      var piece = arena.allocate(1 << 16, 8);
      var fds = new int[16];
      while (true) {
        long size = client.receive(piece, 0, piece.byteSize(), fds, 0, true);
        if (size <= 0) {
          return;
        }
        int came = client.received();
        var messages = framer.accept(piece, 0, (int) size, List.of());
        try {
          for (var message : messages) {
            boolean isLast = message.equals(messages.getLast());
            if (!exchange(client, server, message.bytes(), fds, isLast ? came : 0, arena)) {
              return;
            }
          }
        } finally {
          for (int i = 0; i < came; i++) {
            LinuxKernel.instance().close(fds[i]);
          }
        }
      }
    }
  }

  private boolean exchange(
      UnixSocket client, MessageSocket server, byte[] command, int[] fds, int count, Arena arena) {
    var memory =
        arena.allocate(command.length, 8).copyFrom(MemorySegment.ofArray(lie.hear(command)));
    server.send(memory, command.length, fds, count);
    byte[] reply = {};
    int answered = 0;
    if ((command[8] & Header.NO_REPLY) == 0) {
      int size = server.receive(true);
      if (size <= 0) {
        return false;
      }
      answered = server.fdCount();
      reply = server.message().asSlice(0, size).toArray(ValueLayout.JAVA_BYTE);
    }
    var lies = lie.tell(command, reply);
    if (lies == null) {
      return false;
    }
    for (var each : lies) {
      var told = arena.allocate(Math.max(1, each.length), 8);
      MemorySegment.copy(each, 0, told, ValueLayout.JAVA_BYTE, 0, each.length);
      var answer = new int[answered];
      for (int i = 0; i < answered; i++) {
        answer[i] = server.fd(i);
      }
      if (client.send(told, 0, each.length, answer, answered) < 0) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void close() {
    isClosed = true;
    listener.shutdown();
    try {
      thread.join(MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    listener.close();
  }
}
