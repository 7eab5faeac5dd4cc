// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.RegionAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.OptionalInt;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The contract of docs/vfio-user.md for a connection that is lost. */
class ReconnectTest extends ScriptedServerTest {
  private static final VfioUserOptions OPTIONS =
      VfioUserOptions.defaults().withReconnect(Duration.ofSeconds(60));

  private void restart() {
    server.close();
    server = ScriptedServer.at(path);
  }

  /** Answers the first of these commands by hanging up. */
  private ScriptedServer.Script hangUpOn(Command command, int region) {
    var times = new AtomicInteger();
    return exchange ->
        exchange.is(command)
            && (region < 0 || RegionAccess.REGION.get(exchange.message) == region)
            && times.getAndIncrement() == 0
            && exchange.hangUp();
  }

  @Test
  void tellsANewServerAllThatTheOldOneKnew() {
    try (var device = VfioUser.open(path, OPTIONS)) {
      var vectors = device.interrupts().enableMsix(12);
      var errors = device.interrupts().deviceError();
      device.enableBusMaster();
      var buffer = device.dmaSpace().allocate(4096);
      var gone = device.dmaSpace().allocate(4096);
      gone.close();
      restart();
      assertThat(errors.await(Duration.ofSeconds(60))).isEqualTo(1);
      assertThat(device.reconnects()).isEqualTo(1);
      assertThat(server.told)
          .startsWith("read 4 bytes", "read 4 bytes", "read 4 bytes", "reset")
          .containsSubsequence(
              "reset",
              "map 0x%x file".formatted(buffer.iova()),
              "irqs 2: 8 from 0, 8 fds",
              "irqs 2: 4 from 8, 4 fds",
              "irqs 3: 1 from 0, 1 fds",
              "config 2 bytes");
      assertThat(server.told.stream().filter(one -> one.startsWith("map"))).hasSize(1);
      assertThat(server.config.get(ValueLayout.JAVA_SHORT, 4)).isEqualTo((short) 6);
      server.signal(11);
      assertThat(vectors.vector(11).await(Duration.ofSeconds(60))).isEqualTo(1);
      assertThat(device.region(0).registers().read32(0)).isZero();
    }
  }

  @Test
  void saysThatAnAccessMayHaveBeenDoneOrNot() {
    try (var device = VfioUser.open(path, OPTIONS)) {
      var registers = device.region(0).registers();
      server.script = hangUpOn(Command.REGION_WRITE, 0);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.write32(0, 7))
          .withMessageContaining("ECONNRESET")
          .withMessageContaining("not known whether it was done");
      registers.write32(0, 8);
      assertThat(registers.read32(0)).isEqualTo(8);
      server.script = hangUpOn(Command.REGION_READ, 0);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.read32(0))
          .withMessageContaining("not known whether it was done");
      assertThat(registers.read32(0)).isEqualTo(8);
      assertThat(device.reconnects()).isEqualTo(2);
    }
  }

  @Test
  void asksAgainWhatChangesNothing() {
    try (var device = VfioUser.open(path, OPTIONS)) {
      server.script = hangUpOn(Command.REGION_READ, ScriptedServer.CONFIG);
      assertThat(device.config().read16(0)).isEqualTo(0x5678);
      server.script = hangUpOn(Command.DEVICE_RESET, -1);
      device.reset();
      server.script = hangUpOn(Command.DEVICE_GET_REGION_IO_FDS, -1);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.ioEventFds(0))
          .withMessageContaining("EOPNOTSUPP");
      assertThat(device.reconnects()).isEqualTo(3);
    }
  }

  @Test
  void mapsUnmapsAndSetsInterruptsWhateverHappensMeanwhile() {
    try (var device = VfioUser.open(path, OPTIONS)) {
      server.script = hangUpOn(Command.DMA_MAP, -1);
      var buffer = device.dmaSpace().allocate(4096);
      assertThat(server.told).contains("map 0x%x file".formatted(buffer.iova()));
      server.script = hangUpOn(Command.DMA_UNMAP, -1);
      buffer.close();
      server.script = hangUpOn(Command.DEVICE_SET_IRQS, -1);
      var vectors = device.interrupts().enableMsix(2);
      server.signal(1);
      assertThat(vectors.vector(1).await(Duration.ofSeconds(60))).isEqualTo(1);
      server.script = hangUpOn(Command.DEVICE_SET_IRQS, -1);
      vectors.close();
      server.told.clear();
      server.hangUp();
      device.reset();
      assertThat(server.told).noneMatch(one -> one.startsWith("map") || one.startsWith("irqs"));
    }
  }

  @Test
  void putsTheNewServersFileInThePlaceOfMappedRegisters() {
    server.mapBar();
    try (var device = VfioUser.open(path, OPTIONS)) {
      var registers = device.region(0).registers();
      registers.write32(0, 1);
      server.close();
      server = ScriptedServer.at(path);
      var shared = server.mapBar();
      shared.set(ValueLayout.JAVA_INT, 0, 42);
      device.reset();
      assertThat(device.config().read16(0)).isEqualTo(0x5678);
      assertThat(registers.read32(0)).isEqualTo(42);
      registers.write32(4, 43);
      assertThat(shared.get(ValueLayout.JAVA_INT, 4)).isEqualTo(43);
    }
  }

  @Test
  void takesNoOtherDeviceForTheSame() {
    var device = VfioUser.open(path, OPTIONS);
    server.close();
    server = ScriptedServer.at(path);
    server.config.set(ValueLayout.JAVA_INT, 0, 0x4321_8765);
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> readUntilItFails(device))
        .withMessageContaining("Another device answers: it has other ids");
    assertThat(server.told).doesNotContain("reset");
    device.close();
  }

  private static void readUntilItFails(VfioUserDevice device) {
    for (int i = 0; i < 1_000_000; i++) {
      device.config().read16(0);
    }
  }

  @Test
  void takesNoServerThatKeepsFewerMaps() {
    var device = VfioUser.open(path, OPTIONS);
    for (int i = 0; i < 3; i++) {
      device.dmaSpace().allocate(4096);
    }
    server.close();
    server =
        ScriptedServer.at(
            path, new Capabilities(8, 1 << 20, 2, 4096, false, OptionalInt.empty(), false));
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> readUntilItFails(device))
        .withMessageContaining("keeps 2 maps (max_dma_maps), and the device has 3");
    device.close();
  }

  @Test
  void givesUpWhenTheTimeIsOver() {
    var device = VfioUser.open(path, OPTIONS.withReconnect(Duration.ofMillis(200)));
    device.dmaSpace().allocate(4096);
    server.close();
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> readUntilItFails(device))
        .withMessageContaining("no new one could be made: There is no such socket.");
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.region(0).registers().read32(0))
        .withMessageContaining("no new one could be made");
    device.close();
  }

  @Test
  void closesAtOnceWhileItTriesForANewConnection() throws Exception {
    var device = VfioUser.open(path, OPTIONS);
    device.enableBusMaster();
    device.interrupts().enableMsix(2);
    device.dmaSpace().allocate(4096);
    server.close();
    try (var executor = Executors.newSingleThreadExecutor()) {
      var waiting = executor.submit(() -> readUntilItFails(device));
      Thread.sleep(100); // so that it waits for a server, most probably
      long begin = System.nanoTime();
      device.close();
      assertThat(System.nanoTime() - begin).isLessThan(TimeUnit.SECONDS.toNanos(20));
      assertThatThrownBy(() -> waiting.get(30, TimeUnit.SECONDS))
          .isInstanceOf(ExecutionException.class)
          .cause()
          .isInstanceOfAny(VfioException.class, IllegalStateException.class);
    }
  }

  @Test
  void takesAServerThatHangsForOneThatIsLost() {
    try (var device = VfioUser.open(path, OPTIONS.withRequestTimeout(Duration.ofMillis(300)))) {
      var times = new AtomicInteger();
      server.script =
          exchange ->
              exchange.is(Command.REGION_READ)
                  && RegionAccess.REGION.get(exchange.message) == 0
                  && times.getAndIncrement() == 0;
      var registers = device.region(0).registers();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.read32(0))
          .withMessageContaining("not known whether it was done");
      assertThat(registers.read32(0)).isZero();
    }
  }

  @Test
  void endsForGoodWhenTheProtocolIsBroken() {
    var device = VfioUser.open(path, OPTIONS);
    server.script =
        exchange -> exchange.is(Command.REGION_READ) && exchange.send(exchange.reply(32 + 4096));
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.config().read16(0))
        .withMessageContaining("does not keep to the protocol");
    server.script = _ -> false;
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.config().read16(0))
        .withMessageContaining("does not keep to the protocol");
    device.close();
  }

  @Test
  void goesOnWithManyThreadsThroughManyLosses() throws Exception {
    int threads = 4;
    var lost = new AtomicInteger();
    try (var device = VfioUser.open(path, OPTIONS);
        var executor = Executors.newFixedThreadPool(threads + 1)) {
      var results = new ArrayList<Future<?>>();
      for (int t = 0; t < threads; t++) {
        int number = t;
        results.add(
            executor.submit(
                () -> {
                  try (var arena = Arena.ofConfined()) {
                    var registers = device.region(0).registers();
                    for (int i = 0; i < 3000; i++) {
                      try {
                        switch (i % 4) {
                          case 0 -> registers.write32(number * 64L, i);
                          case 1 -> registers.read32(number * 64L);
                          case 2 -> device.config().read32(0);
                          default -> {
                            if (i % 64 == 3) {
                              device.dmaSpace().allocate(4096).close();
                            } else {
                              device.region(0).read(0, arena.allocate(16));
                            }
                          }
                        }
                      } catch (VfioException e) {
                        assertThat(e.errno()).contains(Errno.ECONNRESET);
                        lost.incrementAndGet();
                      }
                    }
                    return null;
                  }
                }));
      }
      while (results.stream().anyMatch(result -> !result.isDone())) {
        Thread.sleep(20);
        server.hangUp();
      }
      for (var result : results) {
        result.get(60, TimeUnit.SECONDS);
      }
      assertThat(device.reconnects()).isPositive();
      assertThat(device.dmaSpace().layout().mappings()).isEmpty();
    }
  }
}
