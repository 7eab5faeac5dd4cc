// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.DeviceFeature;
import io.jvfio.DmaRange;
import io.jvfio.MigrationState;
import io.jvfio.MigrationStream;
import io.jvfio.PciDevice;
import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;

/** A program that uses a device behind a socket, and lives with whatever its server does. */
final class ClientUser {
  private static final Duration PATIENCE = Duration.ofMillis(100);

  private final SplittableRandom random;
  private final Fates fates;

  ClientUser(long seed, Fates fates) {
    random = new SplittableRandom(seed);
    this.fates = fates;
  }

  private VfioUserOptions options() {
    var options =
        VfioUserOptions.defaults()
            .withRequestTimeout(PATIENCE)
            .withTwinSocket(random.nextBoolean())
            .withPostedWrites(random.nextInt(4) == 0)
            .withMaxDataTransfer(random.nextBoolean() ? 4096 : 1 << 20);
    if (random.nextInt(8) == 0) {
      options = options.withBusyPolling(Duration.ofNanos(20_000));
    }
    return random.nextInt(16) == 0 ? options.withReconnect(Duration.ofMillis(100)) : options;
  }

  /** Opens a device, uses it, closes it. */
  void use(Path path) {
    try (var arena = Arena.ofShared();
        var device = VfioUser.open(path, options())) {
      int count = 1 + random.nextInt(120);
      for (int i = 0; i < count; i++) {
        try {
          operate(device, arena);
        } catch (VfioException e) {
          // Some errors are of one command, others are of the connection.
          if (random.nextInt(3) == 0) {
            throw e;
          }
        }
      }
      fates.connection("client had enough");
    } catch (VfioException e) {
      fates.connection("client gave up: " + e.errno().map(Errno::symbol).orElse("a reply"));
    }
  }

  private void operate(VfioUserDevice device, Arena arena) {
    switch (random.nextInt(20)) {
      case 0, 1, 2 -> readOrWrite(device, arena);
      case 3, 4 -> registers(device);
      case 5 -> map(device);
      case 6 -> device.config().read32(random.nextInt(16) * 4);
      case 7, 8 -> memory(device, arena);
      case 9 -> buffer(device);
      case 10, 11 -> interrupts(device);
      case 12 -> device.reset();
      case 13 -> device.interrupts().indexes();
      case 14 -> events(device);
      case 15 -> migrate(device);
      case 16 -> log(device);
      case 17 -> device.enableBusMaster();
      case 18 -> PciDevice.of(device).capabilities();
      default -> device.features().supported();
    }
  }

  private void readOrWrite(VfioUserDevice device, Arena arena) {
    var region = device.regions().get(random.nextInt(device.regions().size()));
    long size = region.info().byteSize();
    if (size < 8) {
      return;
    }
    long offset = random.nextLong(Math.min(size, 1 << 20));
    long count = random.nextLong(1, Math.min(size - offset, 10_000) + 1);
    var memory = arena.allocate(count);
    if (random.nextBoolean()) {
      region.read(offset, memory);
    } else {
      region.write(offset, memory);
    }
  }

  private void registers(VfioUserDevice device) {
    var region = device.regions().getFirst();
    if (region.info().byteSize() < 64) {
      return;
    }
    try (var registers = region.registers()) {
      long at = 8L * random.nextInt(8);
      registers.write32(at, registers.read32(at) + 1);
      registers.write64(at, registers.read64(at) + 1);
      registers.write8(at + 1, registers.read8(at + 3));
    }
  }

  private void map(VfioUserDevice device) {
    for (var area : device.regions().getFirst().mappableAreas()) {
      try (var registers = device.regions().getFirst().map(area)) {
        registers.read32(0);
      }
    }
  }

  private void memory(VfioUserDevice device, Arena arena) {
    MemorySegment memory = arena.allocate(4096L << random.nextInt(4), 4096);
    var mapping = device.dmaSpace().map(memory);
    device.config().read16(0);
    if (random.nextInt(4) != 0) {
      mapping.close();
    }
  }

  private void buffer(VfioUserDevice device) {
    var buffer = device.dmaSpace().allocate(4096L << random.nextInt(4));
    device.config().read16(0);
    if (random.nextInt(4) != 0) {
      buffer.close();
    }
  }

  private void interrupts(VfioUserDevice device) {
    var indexes = device.interrupts().indexes();
    int vectorsThere = Math.min(indexes.size() > 2 ? indexes.get(2).count() : 0, 4);
    if (vectorsThere > 0 && random.nextBoolean()) {
      try (var vectors = device.interrupts().enableMsix(1 + random.nextInt(vectorsThere))) {
        vectors.vector(0).await(Duration.ofNanos(50_000));
      }
    } else if (!indexes.isEmpty() && indexes.getFirst().count() > 0) {
      try (var line = device.interrupts().enableIntx()) {
        line.await(Duration.ofNanos(50_000));
      }
    }
  }

  private void events(VfioUserDevice device) {
    try (var events = device.ioEventFds(0)) {
      events.all().forEach(each -> each.write(each.match().orElse(1)));
    }
  }

  private void migrate(VfioUserDevice device) {
    if (device.features().has(DeviceFeature.MIGRATION)) {
      var migration = device.features().migration();
      var states = MigrationState.values();
      migration.state();
      migration.enter(states[random.nextInt(1, states.length)]).ifPresent(ClientUser::drain);
    }
  }

  private static void drain(MigrationStream stream) {
    stream.close();
  }

  private void log(VfioUserDevice device) {
    if (device.features().has(DeviceFeature.DMA_LOGGING_START)) {
      try (var _ = device.features().startDmaLogging(4096, List.of(new DmaRange(0, 1 << 20)))) {
        device.config().read16(0);
      }
    }
  }
}
