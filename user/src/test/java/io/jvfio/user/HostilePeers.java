package io.jvfio.user;

import io.jvfio.linux.ErrnoException;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.EduModel;
import io.jvfio.model.GpioModel;
import io.jvfio.model.NvmeModel;
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
  private static final int BATCH = 25_000;

  private final long seed;
  private final Path directory;
  private final Fates fates = new Fates();
  private final Trouble trouble = new Trouble();

  /** When something has moved last. */
  private final AtomicLong moved = new AtomicLong(System.nanoTime());

  private volatile boolean isClosed;

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
        System.err.println("nothing moves any more, " + trouble.where());
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

  Fates fates() {
    return fates;
  }

  private static long mix(long seed, long number) {
    return seed * 0x9e37_79b9_7f4a_7c15L + number * 0xbf58_476d_1ce4_e5b9L;
  }

  /**
   * Attacks a server with connections from {@code first} on until {@code messages} more were sent.
   *
   * @return the number of the next connection
   */
  long attackServer(long first, long messages) throws ErrnoException {
    var target = TARGETS.get((int) (first % TARGETS.size()));
    var path = directory.resolve("server");
    var options = VfioUserServerOptions.at(path).withPatience(PATIENCE);
    if (target.polls) {
      options = options.withPolling();
    }
    if (!target.twin) {
      options = options.withoutTwinSocket();
    }
    long number = first;
    long end = fates.total() + messages;
    try (var _ = VfioUserServer.serve(target.model.get(), options)) {
      while (fates.total() < end) {
        trouble.during("connection %d of seed %d, to %s".formatted(number, seed, target.name));
        try (var client = new HostileClient(mix(seed, number), fates)) {
          client.run(path);
        }
        number++;
        moved.set(System.nanoTime());
      }
      assertServes(path);
    }
    return number;
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

  /**
   * Attacks until so many messages were sent.
   *
   * @throws AssertionError if anything is not as it should be
   */
  void run(long messages) throws ErrnoException {
    long start = System.nanoTime();
    long told = start;
    long connection = 0;
    for (int warm = 0; warm < TARGETS.size(); warm++) {
      connection = attackServer(connection - connection % TARGETS.size() + warm, 2000);
    }
    var base = Resources.now();
    for (int batch = 0; fates.total() < messages; batch++) {
      connection =
          attackServer(
              connection - connection % TARGETS.size() + TARGETS.size() + batch % TARGETS.size(),
              Math.min(BATCH, messages - fates.total()));
      Resources.awaitBase(base);
      if (System.nanoTime() - told > 30_000_000_000L) {
        told = System.nanoTime();
        System.err.printf(
            "%,d messages, %,d a second%n",
            fates.total(), fates.total() * 1_000_000_000L / (told - start));
      }
      if (!trouble.isEmpty()) {
        break;
      }
    }
    System.out.printf(
        "seed %d: %,d messages in %.0f s, %,d a second%n%s",
        seed,
        fates.total(),
        (System.nanoTime() - start) / 1e9,
        fates.total() * 1_000_000_000L / (System.nanoTime() - start),
        fates.table());
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
    for (int i = 0; i + 1 < args.length; i += 2) {
      switch (args[i]) {
        case "--seed" -> seed = Long.parseLong(args[i + 1]);
        case "--messages" -> messages = Long.parseLong(args[i + 1]);
        default -> {
          System.err.println("wrong option: " + args[i]);
          System.exit(2);
        }
      }
    }
    var directory = Files.createTempDirectory("jvfio");
    try (var peers = new HostilePeers(seed, directory)) {
      System.out.println("seed " + seed);
      peers.run(messages);
    } finally {
      Files.deleteIfExists(directory.resolve("server"));
      Files.deleteIfExists(directory);
    }
  }
}
