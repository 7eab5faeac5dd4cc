// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.linux.UnixSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.StringJoiner;
import java.util.function.Consumer;

/**
 * Where and how a {@link VfioUserServer} serves. Immutable; each {@code with} method returns a
 * changed copy.
 */
public final class VfioUserServerOptions {
  /** QEMU takes no server that offers more. */
  private static final int MAX_FDS = 16;

  private static final int SMALLEST_TRANSFER = 4 << 10;
  private static final int LARGEST_TRANSFER = 64 << 20;

  private final Settings settings;

  /** The one place that knows all settings, so that a copy can change any of them. */
  private static final class Settings implements Cloneable {
    Optional<Path> socket = Optional.empty();
    OptionalInt listeningFd = OptionalInt.empty();
    int mode = 0600;
    Optional<String> group = Optional.empty();
    boolean replacesLive;
    boolean isPolling;
    boolean twinSocket = true;
    boolean retainsState;
    int maxMessageFds = MAX_FDS;
    int maxDataTransfer = 1 << 20;
    int maxDmaMaps = 65_535;
    Duration patience = Duration.ofSeconds(10);
    VfioUserServerListener listener = new VfioUserServerListener() {};

    @Override
    public Settings clone() {
      try {
        return (Settings) super.clone();
      } catch (CloneNotSupportedException e) {
        throw new AssertionError(e);
      }
    }
  }

  private VfioUserServerOptions(Settings settings) {
    this.settings = settings;
  }

  private VfioUserServerOptions with(Consumer<Settings> change) {
    var changed = settings.clone();
    change.accept(changed);
    return new VfioUserServerOptions(changed);
  }

  /** At a path, with mode 0600, waiting in the kernel. */
  public static VfioUserServerOptions at(Path socket) {
    var settings = new Settings();
    settings.socket = Optional.of(socket);
    return new VfioUserServerOptions(settings);
  }

  /**
   * At a UNIX stream socket that listens already, such as an inherited one, which the server takes
   * over; it is not shut down, so that whoever else has it can go on. Whoever else accepts at it
   * gets EAGAIN where nobody comes for a millisecond: nobody is waited for whom another has.
   */
  public static VfioUserServerOptions atDescriptor(int listeningFd) {
    var settings = new Settings();
    settings.listeningFd = OptionalInt.of(listeningFd);
    return new VfioUserServerOptions(settings);
  }

  private static void require(boolean holds, String complaint) {
    if (!holds) {
      throw new IllegalArgumentException(complaint);
    }
  }

  /**
   * With other permissions of the socket; 0600 by default. The process's umask does not count.
   *
   * @param permissions as {@code chmod(2)} has them
   * @throws IllegalArgumentException if there are other bits than 0777
   */
  public VfioUserServerOptions withMode(int permissions) {
    require((permissions & ~0777) == 0, "a mode has the bits 0777, not 0%o".formatted(permissions));
    return with(changed -> changed.mode = permissions);
  }

  /**
   * With a group of the socket, to whose members {@link #withMode} may give access; that of the
   * process by default.
   *
   * @param nameOrNumber as {@code chgrp(1)} has it; the server's process must be a member, or
   *     privileged
   */
  public VfioUserServerOptions withGroup(String nameOrNumber) {
    return with(changed -> changed.group = Optional.of(nameOrNumber));
  }

  /** Taking the path even from a server that still listens at it. */
  public VfioUserServerOptions withReplacement() {
    return with(changed -> changed.replacesLive = true);
  }

  /** With a thread that looks for work all the time while there is a client: fast, and busy. */
  public VfioUserServerOptions withPolling() {
    return with(changed -> changed.isPolling = true);
  }

  /** Without a socket of their own for the server's commands. */
  public VfioUserServerOptions withoutTwinSocket() {
    return with(changed -> changed.twinSocket = false);
  }

  /**
   * With a device that is not reset when its client goes, as the specification has it. Then whoever
   * connects next must reset the device before it maps memory: a device with queues of the old
   * client's would take the new client's memory for theirs. Without this the server sees to it.
   */
  public VfioUserServerOptions withRetainedState() {
    return with(changed -> changed.retainsState = true);
  }

  /**
   * With other limits, which clients are told; QEMU 11 takes up to 16 descriptors and 64 MiB.
   *
   * @param fds how many descriptors are taken with one message, 1 to 253; 16 by default
   * @param transferBytes how many bytes of data one message may carry, 4 KiB to 64 MiB; 1 MiB by
   *     default
   * @param dmaMaps how many DMA maps a client may have at a time, at least 1; 65,535 by default
   * @throws IllegalArgumentException if a number is out of its range
   */
  public VfioUserServerOptions withLimits(int fds, int transferBytes, int dmaMaps) {
    require(
        fds >= 1 && fds <= UnixSocket.MAX_DESCRIPTORS,
        "a message has up to 1 to %d descriptors, not %d"
            .formatted(UnixSocket.MAX_DESCRIPTORS, fds));
    require(
        transferBytes >= SMALLEST_TRANSFER && transferBytes <= LARGEST_TRANSFER,
        "a message carries up to 4 KiB to 64 MiB, not %,d bytes".formatted(transferBytes));
    require(dmaMaps >= 1, "a client needs a DMA map, and gets %d".formatted(dmaMaps));
    return with(
        changed -> {
          changed.maxMessageFds = fds;
          changed.maxDataTransfer = transferBytes;
          changed.maxDmaMaps = dmaMaps;
        });
  }

  /**
   * With more or less patience; 10 seconds by default.
   *
   * @param limit how long a client may take for each thing: until it says something, for its first
   *     message as a whole, for any other from the first byte to the last, to take a reply, and for
   *     the answer to a command of the server's
   * @throws IllegalArgumentException if it is not positive
   */
  public VfioUserServerOptions withPatience(Duration limit) {
    require(limit.isPositive(), "no client is as fast as %s".formatted(limit));
    return with(changed -> changed.patience = limit);
  }

  /** With somebody who hears of clients. */
  public VfioUserServerOptions withListener(VfioUserServerListener whoHears) {
    return with(changed -> changed.listener = whoHears);
  }

  /** The path to listen at; empty where a descriptor is given. */
  public Optional<Path> socket() {
    return settings.socket;
  }

  /** A descriptor of a socket that listens already; empty where a path is given. */
  public OptionalInt listeningFd() {
    return settings.listeningFd;
  }

  /** Who may connect, as {@code chmod(2)} has it. */
  public int mode() {
    return settings.mode;
  }

  /** Whose the socket is besides its owner; empty for the process's own group. */
  public Optional<String> group() {
    return settings.group;
  }

  /** Whether the path is taken from a server that still listens at it. */
  public boolean replacesLive() {
    return settings.replacesLive;
  }

  /** Whether one thread looks for work all the time, and never waits in the kernel. */
  public boolean isPolling() {
    return settings.isPolling;
  }

  /** Whether clients that can get a socket of their own for the server's commands. */
  public boolean twinSocket() {
    return settings.twinSocket;
  }

  /** Whether the device is left as it is when its client goes. */
  public boolean retainsState() {
    return settings.retainsState;
  }

  /** How many descriptors are taken with one message. */
  public int maxMessageFds() {
    return settings.maxMessageFds;
  }

  /** How many bytes of data one message may carry. */
  public int maxDataTransfer() {
    return settings.maxDataTransfer;
  }

  /** How many DMA maps a client may have at a time. */
  public int maxDmaMaps() {
    return settings.maxDmaMaps;
  }

  /** How long a client may take for what it has begun. */
  public Duration patience() {
    return settings.patience;
  }

  /** Who hears of clients. */
  public VfioUserServerListener listener() {
    return settings.listener;
  }

  @Override
  public String toString() {
    var text = new StringJoiner(", ");
    text.add(
        socket().map(path -> "at " + path).orElse("at descriptor " + listeningFd().orElse(-1)));
    text.add("mode 0%o".formatted(mode()));
    group().ifPresent(name -> text.add("group " + name));
    text.add(
        "up to %d descriptors and %,d bytes a message"
            .formatted(maxMessageFds(), maxDataTransfer()));
    text.add("%,d DMA maps".formatted(maxDmaMaps())).add("patience " + patience());
    text.add(isPolling() ? "polls" : "waits");
    text.add(twinSocket() ? "twin socket" : "no twin socket");
    text.add(retainsState() ? "retains state" : "resets between clients");
    return text.add(replacesLive() ? "replaces a live server" : "replaces none").toString();
  }
}
