// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.DmaRange;
import io.jvfio.Interrupt;
import io.jvfio.MigrationSource;
import io.jvfio.MigrationState;
import io.jvfio.VfioException;
import io.jvfio.linux.Registers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;

/** A program that uses all that a {@link VictimModel} has, and expects it to work. */
final class VictimUser {
  private static final Duration LIMIT = Duration.ofSeconds(20);

  private static final Duration MOMENT = Duration.ofMillis(100);

  private static final int ADDRESS = 0;
  private static final int READ = 16;
  private static final int WRITE = 20;
  private static final int LATER = 24;
  private static final int RAISE = 28;
  private static final int ACKNOWLEDGE = 32;
  private static final int SIGNAL = 36;

  private VictimUser() {}

  static void use(VfioUserDevice device) throws InterruptedException {
    device.enableBusMaster();
    try (var arena = Arena.ofShared();
        var buffer = device.dmaSpace().allocate(8192);
        var mapping = device.dmaSpace().map(arena.allocate(4096, 4096));
        var registers = device.region(0).registers()) {
      vectors(device, registers, buffer.iova());
      line(device, registers);
      // By the mapped file, and by asking the client.
      for (long iova : new long[] {buffer.iova(), mapping.iova()}) {
        registers.write64(ADDRESS, iova);
        registers.write32(READ, 0);
        registers.write32(WRITE, 0);
      }
      try (var log =
          device
              .features()
              .startDmaLogging(4096, List.of(new DmaRange(buffer.iova(), buffer.byteSize())))) {
        assertThat(log).isNotNull();
      }
      migrate(device);
      device.reset();
      assertThat(device.config().read16(0)).isEqualTo(0x1234);
    }
  }

  /** Looks at the state as it would be taken elsewhere. */
  private static void migrate(VfioUserDevice device) {
    var migration = device.features().migration();
    try (var stream = (MigrationSource) migration.enter(MigrationState.STOP_COPY).orElseThrow()) {
      assertThat(stream.read(ByteBuffer.allocateDirect(4096))).isPositive();
    } catch (IOException e) {
      throw e.getCause() instanceof VfioException cause ? cause : new UncheckedIOException(e);
    }
    migration.enter(MigrationState.STOP);
    migration.enter(MigrationState.RUNNING);
  }

  private static void vectors(VfioUserDevice device, Registers registers, long iova)
      throws InterruptedException {
    try (var vectors = device.interrupts().enableMsix(2);
        var events = device.ioEventFds(0)) {
      registers.write32(SIGNAL, 1);
      await(device, vectors.vector(1));
      registers.write64(ADDRESS, iova);
      registers.write32(LATER, 4);
      await(device, vectors.vector(0));
      for (var event : events.all()) {
        if (event.offset() == RAISE) {
          event.write(1);
          await(device, vectors.vector(0));
        }
      }
      registers.write32(ACKNOWLEDGE, -1);
    }
  }

  private static void line(VfioUserDevice device, Registers registers) throws InterruptedException {
    try (var line = device.interrupts().enableIntx()) {
      registers.write32(RAISE, 2);
      await(device, line);
      registers.write32(ACKNOWLEDGE, -1);
    }
  }

  /** Waits for a signal, which does not come any more where the connection has ended. */
  private static void await(VfioUserDevice device, Interrupt interrupt)
      throws InterruptedException {
    long start = System.nanoTime();
    while (interrupt.await(MOMENT) == 0) {
      device.config().read16(0);
      assertThat(System.nanoTime() - start)
          .as("waiting for %s", interrupt)
          .isLessThan(LIMIT.toNanos());
    }
  }
}
