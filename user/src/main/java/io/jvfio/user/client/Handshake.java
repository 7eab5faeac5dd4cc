// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.spi.Explanation;
import io.jvfio.user.VfioUserOptions;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.MalformedMessageException;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.VersionMessage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;

/** How a connection begins: a socket, a version, and what each side can do. */
public final class Handshake {
  /** How many descriptors a server may send with one message. */
  private static final int MAX_FDS = 64;

  private static final long MAX_MAPS = 65_535;
  private static final int WAIT_SLICE_MILLIS = 250;

  private Handshake() {}

  /** Connects to the socket at a path. */
  public static UnixSocket connect(Kernel kernel, String path, long limitNanos)
      throws LinkException {
    try {
      return UnixSocket.connect(kernel, path, millis(limitNanos));
    } catch (ErrnoException e) {
      throw refused(path, e.errno());
    }
  }

  private static long millis(long nanos) {
    return Math.max(1, nanos / 1_000_000);
  }

  private static LinkException refused(String path, Errno errno) {
    if (errno.equals(Errno.ENOENT)) {
      return LinkException.connect(
          errno,
          "There is no such socket.",
          "Start the server, such as with 'jvfio serve nvme --socket " + path + "'.");
    }
    if (errno.equals(Errno.ECONNREFUSED)) {
      return LinkException.connect(
          errno,
          "Nobody listens at the socket any more: its server has ended.",
          "Start the server again.");
    }
    if (errno.equals(Errno.EACCES)) {
      return LinkException.connect(
          errno,
          "This user may not connect to the socket.",
          "Run as its owner, or have the owner let this user in with chmod.");
    }
    if (errno.equals(Errno.EAGAIN)) {
      return LinkException.connect(
          errno,
          "The server accepts no connection: it serves another client, or hangs.",
          "End the other client, or look into the server's log.");
    }
    var meaning =
        Explanation.shortage(errno)
            .orElse(
                new Explanation(
                    "The kernel refused.", "Check that the path is that of a UNIX stream socket."));
    return LinkException.connect(errno, meaning.meaning(), meaning.nextStep());
  }

  /** Makes a link of a connected socket. */
  static Link link(UnixSocket socket, DmaMaps memory, VfioUserOptions options)
      throws LinkException {
    limitWaits(socket, options);
    int longest = DmaAccessMessage.BYTES + options.maxDataTransfer();
    return new Link(new MessageSocket(socket, longest, MAX_FDS), memory, options);
  }

  private static void limitWaits(UnixSocket socket, VfioUserOptions options) throws LinkException {
    try {
      socket.limitWaits(WAIT_SLICE_MILLIS, millis(options.requestTimeout().toNanos()));
    } catch (ErrnoException e) {
      throw LinkException.unusable(
          e.errno().equals(Errno.ENOTSOCK)
              ? "What the server gave is no socket (" + e.getMessage() + ")."
              : "A socket cannot be given a time limit (" + e.getMessage() + ").");
    }
  }

  /** Agrees on a version, and on a socket for the server's commands. */
  static Peer negotiate(Link link, String name, VfioUserOptions options) throws LinkException {
    var own =
        new Capabilities(
            MAX_FDS,
            options.maxDataTransfer(),
            MAX_MAPS,
            link.kernel().pageSize(),
            options.twinSocket(),
            OptionalInt.empty(),
            true);
    var text = own.toJson().getBytes(StandardCharsets.UTF_8);
    var request = link.begin(Command.VERSION);
    try {
      long size = VersionMessage.BYTES + text.length + 1L;
      var message = request.message(size);
      VersionMessage.MAJOR.set(message, (short) VersionMessage.KNOWN_MAJOR);
      VersionMessage.MINOR.set(message, (short) VersionMessage.KNOWN_MINOR);
      MemorySegment.copy(
          text, 0, message, ValueLayout.JAVA_BYTE, VersionMessage.BYTES, text.length);
      message.set(ValueLayout.JAVA_BYTE, size - 1, (byte) 0);
      int result =
          Calls.call(
              link,
              request,
              size,
              0,
              VersionMessage.BYTES,
              VersionMessage.BYTES + Capabilities.MAX_BYTES);
      if (Calls.isLost(result)) {
        throw lostEarly(link);
      }
      if (result == Errno.EBUSY.result() || result == Errno.EAGAIN.result()) {
        // Also for a moment after a connection was lost, until the server has noticed.
        throw LinkException.connect(
            Errno.ofResult(result),
            "The server is busy: it serves another client.",
            "End the other client.");
      }
      if (result < 0) {
        throw LinkException.refused(request, Errno.ofResult(result));
      }
      return agree(link, request, name, options);
    } finally {
      link.end(request);
    }
  }

  /** A server that does not like a version, or has a client already, may just hang up. */
  private static LinkException lostEarly(Link link) {
    var failure = LinkException.of(link);
    var errno = failure.failure().errno();
    boolean isServers = errno.equals(Errno.ECONNRESET) || errno.equals(Errno.ETIMEDOUT);
    return failure.isFinal() || !isServers
        ? failure
        : LinkException.connect(
            errno,
            "The server did not agree on a version: it has hung up or does not answer, as one does that serves another"
                + " client or speaks another version.",
            "Look into the server's log.");
  }

  private static Peer agree(Link link, Request request, String name, VfioUserOptions options)
      throws LinkException {
    var reply = request.reply();
    int major = Short.toUnsignedInt(VersionMessage.MAJOR.get(reply));
    int minor = Short.toUnsignedInt(VersionMessage.MINOR.get(reply));
    if (major != VersionMessage.KNOWN_MAJOR || minor > VersionMessage.KNOWN_MINOR) {
      throw senseless(link, request, "version %d.%d".formatted(major, minor));
    }
    Capabilities capabilities;
    try {
      capabilities = capabilities(reply, request.replySize());
    } catch (MalformedMessageException e) {
      throw senseless(link, request, e.what());
    }
    if (capabilities.maxDataTransfer() < Long.BYTES) {
      throw senseless(link, request, "a max_data_xfer_size of " + capabilities.maxDataTransfer());
    }
    link.peerTransfer(capabilities.maxDataTransfer());
    if (capabilities.twinSocket()) {
      link.twin(twin(link, request, capabilities, options), name);
    }
    return Peer.of(minor, capabilities, options);
  }

  private static Capabilities capabilities(MemorySegment reply, int size)
      throws MalformedMessageException {
    int end = size;
    if (end > VersionMessage.BYTES && reply.get(ValueLayout.JAVA_BYTE, end - 1) == 0) {
      end--;
    }
    return end == VersionMessage.BYTES
        ? Capabilities.DEFAULTS
        : Capabilities.parse(
            reply
                .asSlice(VersionMessage.BYTES, end - VersionMessage.BYTES)
                .toArray(ValueLayout.JAVA_BYTE));
  }

  private static MessageSocket twin(
      Link link, Request request, Capabilities capabilities, VfioUserOptions options)
      throws LinkException {
    int index = capabilities.twinSocketFd().orElse(-1);
    if (!options.twinSocket() || index < 0 || index >= request.receivedCount()) {
      throw senseless(
          link,
          request,
          options.twinSocket()
              ? "a twin socket at descriptor %d of %d".formatted(index, request.receivedCount())
              : "a twin socket that was not asked for");
    }
    var socket = UnixSocket.adopt(link.kernel(), request.take(index));
    limitWaits(socket, options);
    return new MessageSocket(socket, DmaAccessMessage.BYTES + options.maxDataTransfer(), 0);
  }

  private static LinkException senseless(Link link, Request request, String what) {
    Calls.senseless(link, request, what);
    return LinkException.of(link);
  }
}
