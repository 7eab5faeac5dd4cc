package io.jvfio.user;

import io.jvfio.linux.UnixSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Where and how a {@link VfioUserServer} serves. Immutable; each {@code with} method returns a
 * changed copy.
 *
 * @param socket the path to listen at; empty where a descriptor is given
 * @param listeningFd a descriptor of a socket that listens already; the server takes it over
 * @param mode who may connect, as {@code chmod(2)} has it; the process's umask does not count
 * @param replacesLive whether the path is taken from a server that still listens at it
 * @param isPolling whether one thread looks for work all the time, and never waits in the kernel
 * @param twinSocket whether clients that can get a socket of their own for the server's commands
 * @param retainsState whether the device is left as it is when its client goes; see {@link
 *     #withRetainedState}
 * @param maxMessageFds how many descriptors are taken with one message, 1 to 253
 * @param maxDataTransfer how many bytes of data one message may carry, 4 KiB to 64 MiB
 * @param maxDmaMaps how many DMA maps a client may have at a time
 * @param patience how long a client may take for what it has begun: its first message, the rest of
 *     a message, the answer to a command
 * @param listener who hears of clients
 */
public record VfioUserServerOptions(
    Optional<Path> socket,
    OptionalInt listeningFd,
    int mode,
    boolean replacesLive,
    boolean isPolling,
    boolean twinSocket,
    boolean retainsState,
    int maxMessageFds,
    int maxDataTransfer,
    int maxDmaMaps,
    Duration patience,
    VfioUserServerListener listener) {
  /** QEMU takes no server that offers more. */
  private static final int MAX_FDS = 16;

  private static final int SMALLEST_TRANSFER = 4 << 10;
  private static final int LARGEST_TRANSFER = 64 << 20;

  /**
   * Checked options.
   *
   * @throws IllegalArgumentException if a number is out of its range, or there is not exactly one
   *     of path and descriptor
   */
  public VfioUserServerOptions {
    Objects.requireNonNull(listener);
    if (socket.isPresent() == listeningFd.isPresent()) {
      throw new IllegalArgumentException("a server listens at a path, or at a descriptor");
    }
    if ((mode & ~0777) != 0) {
      throw new IllegalArgumentException(
          "a mode has the bits 0777, not 0" + Integer.toOctalString(mode));
    }
    if (maxMessageFds < 1 || maxMessageFds > UnixSocket.MAX_DESCRIPTORS) {
      throw new IllegalArgumentException(
          "a message has up to 1 to %d descriptors, not %d"
              .formatted(UnixSocket.MAX_DESCRIPTORS, maxMessageFds));
    }
    if (maxDataTransfer < SMALLEST_TRANSFER || maxDataTransfer > LARGEST_TRANSFER) {
      throw new IllegalArgumentException(
          "a message carries up to 4 KiB to 64 MiB, not %,d bytes".formatted(maxDataTransfer));
    }
    if (maxDmaMaps < 1) {
      throw new IllegalArgumentException("a client needs a DMA map, and gets " + maxDmaMaps);
    }
    if (patience.isNegative() || patience.isZero()) {
      throw new IllegalArgumentException("no client is as fast as " + patience);
    }
  }

  /** At a path, with mode 0600, waiting in the kernel. */
  public static VfioUserServerOptions at(Path socket) {
    return of(Optional.of(socket), OptionalInt.empty());
  }

  /** At a socket that listens already, such as an inherited one. */
  public static VfioUserServerOptions atDescriptor(int listeningFd) {
    return of(Optional.empty(), OptionalInt.of(listeningFd));
  }

  private static VfioUserServerOptions of(Optional<Path> socket, OptionalInt listeningFd) {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        0600,
        false,
        false,
        true,
        false,
        MAX_FDS,
        1 << 20,
        65_535,
        Duration.ofSeconds(10),
        new VfioUserServerListener() {});
  }

  /** With other permissions of the socket. */
  public VfioUserServerOptions withMode(int permissions) {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        permissions,
        replacesLive,
        isPolling,
        twinSocket,
        retainsState,
        maxMessageFds,
        maxDataTransfer,
        maxDmaMaps,
        patience,
        listener);
  }

  /** Taking the path even from a server that still listens at it. */
  public VfioUserServerOptions withReplacement() {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        mode,
        true,
        isPolling,
        twinSocket,
        retainsState,
        maxMessageFds,
        maxDataTransfer,
        maxDmaMaps,
        patience,
        listener);
  }

  /** With a thread that looks for work all the time while there is a client: fast, and busy. */
  public VfioUserServerOptions withPolling() {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        mode,
        replacesLive,
        true,
        twinSocket,
        retainsState,
        maxMessageFds,
        maxDataTransfer,
        maxDmaMaps,
        patience,
        listener);
  }

  /** Without a socket of their own for the server's commands. */
  public VfioUserServerOptions withoutTwinSocket() {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        mode,
        replacesLive,
        isPolling,
        false,
        retainsState,
        maxMessageFds,
        maxDataTransfer,
        maxDmaMaps,
        patience,
        listener);
  }

  /**
   * With a device that is not reset when its client goes, as the specification has it. Then whoever
   * connects next must reset the device before it maps memory: a device with queues of the old
   * client's would take the new client's memory for theirs. Without this the server sees to it.
   */
  public VfioUserServerOptions withRetainedState() {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        mode,
        replacesLive,
        isPolling,
        twinSocket,
        true,
        maxMessageFds,
        maxDataTransfer,
        maxDmaMaps,
        patience,
        listener);
  }

  /** With other limits, which clients are told; QEMU 11 takes up to 16 descriptors and 64 MiB. */
  public VfioUserServerOptions withLimits(int fds, int transferBytes, int dmaMaps) {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        mode,
        replacesLive,
        isPolling,
        twinSocket,
        retainsState,
        fds,
        transferBytes,
        dmaMaps,
        patience,
        listener);
  }

  /** With more or less patience. */
  public VfioUserServerOptions withPatience(Duration limit) {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        mode,
        replacesLive,
        isPolling,
        twinSocket,
        retainsState,
        maxMessageFds,
        maxDataTransfer,
        maxDmaMaps,
        limit,
        listener);
  }

  /** With somebody who hears of clients. */
  public VfioUserServerOptions withListener(VfioUserServerListener whoHears) {
    return new VfioUserServerOptions(
        socket,
        listeningFd,
        mode,
        replacesLive,
        isPolling,
        twinSocket,
        retainsState,
        maxMessageFds,
        maxDataTransfer,
        maxDmaMaps,
        patience,
        whoHears);
  }
}
