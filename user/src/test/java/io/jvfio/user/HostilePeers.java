// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.linux.ErrnoException;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.edu.EduModel;
import io.jvfio.model.gpio.GpioModel;
import io.jvfio.model.nvme.NvmeModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * Sends spoiled messages to servers, and answers clients with spoiled ones, by a seed. After every
 * batch nothing may be left over, and who behaves is served.
 */
public final class HostilePeers implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMillis(500);
  private static final long LIMIT_NANOS = 120_000_000_000L;
  private static final long REPORT_NANOS = 30_000_000_000L;
  private static final int WARM_UP = 2000;
  private static final int BATCH = 25_000;

  private final long seed;
  private final Path directory;
  private final Fates towardsServers = new Fates();
  private final Fates towardsClients = new Fates();
  private final Trouble trouble = new Trouble();

  /** When something has moved last. */
  private final AtomicLong moved = new AtomicLong(System.nanoTime());

  private volatile boolean isClosed;

  /** The number of the next connection. */
  private long connection;

  /** A device to be attacked. */
  private record Target(String name, Supplier<DeviceModel> model, boolean polls, boolean twin) {}

  private static final List<Target> TARGETS =
      List.of(
          new Target("everything", VictimModel::new, false, true),
          new Target("NVMe", () -> NvmeModel.inMemory("hostile", 1 << 20), false, false),
          new Target("everything, polled", VictimModel::new, true, false),
          new Target("EDU", EduModel::new, false, false),
          new Target("lines", GpioModel::new, false, true));

  HostilePeers(long seed, Path directory) {
    this.seed = seed;
    this.directory = directory;
    Thread.ofPlatform().name("watchdog").daemon().start(this::watch);
  }

  /** Tells where everybody is if nothing moves any more, and ends the process. */
  private void watch() {
    while (!isClosed) {
      try {
        Thread.sleep(1000);
      } catch (InterruptedException e) {
        return;
      }
      if (!isClosed && System.nanoTime() - moved.get() > LIMIT_NANOS) {
        System.err.println("nothing moves any more, during " + trouble.where());
        Thread.getAllStackTraces()
            .forEach(
                (thread, stack) -> {
                  System.err.println(thread);
                  for (var frame : stack) {
                    System.err.println("    at " + frame);
                  }
                });
        Runtime.getRuntime().halt(3);
      }
    }
  }

  @Override
  public void close() {
    isClosed = true;
    trouble.close();
  }

  private long total() {
    return towardsServers.total() + towardsClients.total();
  }

  private long seedOf(long number) {
    return seed * 0x9e37_79b9_7f4a_7c15L + number * 0xbf58_476d_1ce4_e5b9L;
  }

  /** Attacks a server until so many messages more were sent. */
  private void attackServer(Target target, long messages) throws ErrnoException {
    var path = directory.resolve("server");
    var options = VfioUserServerOptions.at(path).withPatience(PATIENCE);
    if (target.polls) {
      options = options.withPolling();
    }
    if (!target.twin) {
      options = options.withoutTwinSocket();
    }
    long end = towardsServers.total() + messages;
    try (var _ = VfioUserServer.serve(target.model.get(), options)) {
      while (towardsServers.total() < end && trouble.isEmpty()) {
        trouble.during("connection %d of seed %d, to %s".formatted(connection, seed, target.name));
        try (var client = new HostileClient(seedOf(connection), towardsServers)) {
          client.run(path);
        }
        connection++;
        moved.set(System.nanoTime());
      }
      assertServes(path);
    }
  }

  /** A client that behaves gets what it asks for, whoever was there before. */
  private static void assertServes(Path path) throws ErrnoException {
    long limit = System.nanoTime() + HostileClient.LIMIT_MILLIS * 1_000_000L;
    while (true) {
      try (var client = new RawClient(path)) {
        // The one before may be on its way out.
        if (client.version("{\"capabilities\":{\"max_msg_fds\":8}}") == 0) {
          if (client.value(RawClient.CONFIG, 0, 2) == 0) {
            throw new AssertionError("the device has lost its vendor");
          }
          return;
        }
      }
      if (System.nanoTime() > limit) {
        throw new AssertionError("the next client is not served");
      }
    }
  }

  /** Attacks clients until so many messages more were sent. */
  private void attackClients(long messages) throws ErrnoException {
    var path = directory.resolve("client");
    long first = connection;
    long end = towardsClients.total() + messages;
    try (var server = new HostileServer(path, number -> seedOf(first + number), towardsClients)) {
      while (towardsClients.total() < end && trouble.isEmpty()) {
        trouble.during("client %d of seed %d".formatted(connection, seed));
        try {
          new ClientUser(seedOf(connection), towardsClients).use(path);
        } catch (RuntimeException | Error e) {
          trouble.add("a client", e);
        }
        connection = Math.max(connection + 1, first + server.connections());
        moved.set(System.nanoTime());
        if (server.failure() != null) {
          trouble.add("the hostile server itself", server.failure());
        }
      }
    } finally {
      try {
        Files.deleteIfExists(path);
      } catch (IOException e) {
        trouble.add("the hostile server's socket", e);
      }
    }
  }

  /**
   * Attacks until so many messages were sent, and prints what became of them.
   *
   * @throws AssertionError if anything is not as it should be
   */
  void run(long messages) throws ErrnoException {
    long start = System.nanoTime();
    for (var target : TARGETS) {
      attackServer(target, WARM_UP);
    }
    attackClients(WARM_UP);
    var base = Resources.now();
    long told = start;
    for (int batch = 0; total() < messages && trouble.isEmpty(); batch++) {
      long left = Math.min(BATCH, messages - total());
      if (batch % 3 == 2) {
        attackClients(left);
      } else {
        attackServer(TARGETS.get((batch - batch / 3) % TARGETS.size()), left);
      }
      Resources.awaitBase(base);
      moved.set(System.nanoTime());
      if (System.nanoTime() - told > REPORT_NANOS) {
        told = System.nanoTime();
        System.err.printf(
            "%,d messages, %,d a second%n", total(), total() * 1_000_000_000L / (told - start));
      }
    }
    long nanos = System.nanoTime() - start;
    System.out.printf(
        "seed %d: %,d messages over %,d connections in %.0f s, %,d a second%n%nto servers%n%s%nto clients%n%s",
        seed,
        total(),
        connection,
        nanos / 1e9,
        total() * 1_000_000_000L / nanos,
        towardsServers.table(),
        towardsClients.table());
    if (!trouble.isEmpty()) {
      throw new AssertionError(trouble.describe());
    }
  }

  /**
   * {@code [--seed N] [--messages N]}.
   *
   * @param args the options
   */
  public static void main(String... args) throws IOException, ErrnoException {
    long seed = System.nanoTime();
    long messages = 10_000_000;
    for (int i = 0; i < args.length; i += 2) {
      try {
        switch (args[i]) {
          case "--seed" -> seed = Long.parseLong(args[i + 1]);
          case "--messages" -> messages = Long.parseLong(args[i + 1]);
          default -> throw new IllegalArgumentException();
        }
      } catch (RuntimeException e) {
        System.err.println("usage: fuzz [--seed N] [--messages N]");
        System.exit(2);
      }
    }
    System.out.println("seed " + seed);
    var directory = Files.createTempDirectory("jvfio");
    try (var peers = new HostilePeers(seed, directory)) {
      peers.run(messages);
    } finally {
      Files.deleteIfExists(directory.resolve("server"));
      Files.deleteIfExists(directory.resolve("client"));
      Files.deleteIfExists(directory);
    }
  }
}
