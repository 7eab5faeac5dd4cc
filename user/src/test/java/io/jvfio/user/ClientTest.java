// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.jvfio.BufferOptions;
import io.jvfio.DmaAccess;
import io.jvfio.IommuType;
import io.jvfio.MapOptions;
import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A device over a socket, whose other end does what the test says. */
class ClientTest extends ScriptedServerTest {
  private static final VfioUserOptions OPTIONS = VfioUserOptions.defaults();

  private void serve(Capabilities capabilities) {
    server.close();
    server = ScriptedServer.at(path, capabilities);
  }

  private static Capabilities capabilities(int fds, long transfer, long maps, boolean twin) {
    return new Capabilities(fds, transfer, maps, 4096, twin, OptionalInt.of(0), true);
  }

  @Test
  void opensADeviceAsTheKernelWould() {
    server.config.set(ValueLayout.JAVA_SHORT, 4, (short) 7);
    try (var device = VfioUser.open(path)) {
      assertThat(device.name()).isEqualTo("unix:" + path);
      assertThat(device.regions()).hasSize(9);
      assertThat(device.config().read16(0)).isEqualTo(0x5678);
      assertThat(device.dmaSpace().type()).isEqualTo(IommuType.VFIO_USER);
      assertThat(device.config().read16(4)).as("bus mastering is off").isEqualTo(3);
      assertThat(server.told).contains("reset");
      assertThat(device.interrupts().indexes().get(2).count()).isEqualTo(20);
    }
  }

  /** As QEMU's server, which looks up who answers at the address of a BAR. */
  private boolean answersDecodedAccessesOnly(ScriptedServer.Exchange exchange) {
    if (exchange.is(Command.DEVICE_RESET)) {
      server.config.asSlice(4, 2).fill((byte) 0);
      server.config.asSlice(0x10, 24).fill((byte) 0);
      server.config.set(ValueLayout.JAVA_INT, 0x10, 4);
      return false;
    }
    boolean isDecoded =
        (server.config.get(ValueLayout.JAVA_SHORT, 4) & 2) != 0
            && server.config.get(ValueLayout.JAVA_LONG_UNALIGNED, 0x10) >>> 4 != 0;
    return exchange.is(Command.REGION_READ)
        && RegionAccess.REGION.get(exchange.message) == 0
        && !isDecoded
        && exchange.fail(Errno.EINVAL.number());
  }

  @Test
  void givesBarsAddressesAndTurnsDecodingOnAsTheKernelDoes() {
    server.script = this::answersDecodedAccessesOnly;
    try (var device = VfioUser.open(path)) {
      assertThat(device.region(0).registers().read32(0)).isZero();
      assertThat(device.config().read32(0x10) & 0xf).as("64 bits wide").isEqualTo(4);
      long address =
          Integer.toUnsignedLong(device.config().read32(0x10) & ~0xf)
              | (long) device.config().read32(0x14) << 32;
      assertThat(address).isPositive();
      assertThat(address % ScriptedServer.BAR_BYTES).isZero();
      device.reset();
      assertThat(device.region(0).registers().read32(0)).isZero();
      assertThat(device.config().read16(4)).as("memory, no bus mastering").isEqualTo(2);
    }
  }

  @Test
  void leavesAddressesThatBarsHaveAsTheyAre() {
    server.config.set(ValueLayout.JAVA_INT, 0x10, 0x1000_0000);
    try (var device = VfioUser.open(path)) {
      assertThat(device.config().read32(0x10)).isEqualTo(0x1000_0000);
      assertThat(device.config().read16(4)).isEqualTo(2);
    }
  }

  @Test
  void unmasksTheVectorsThatAreUsedInTheTableOfMsixAfterAResetToo() {
    int table = 0x1000;
    server.config.set(ValueLayout.JAVA_SHORT, 6, (short) 0x10);
    server.config.set(ValueLayout.JAVA_BYTE, 0x34, (byte) 0x40);
    server.config.set(ValueLayout.JAVA_INT, 0x40, 0x11);
    server.config.set(ValueLayout.JAVA_INT, 0x44, table);
    for (int i = 0; i < ScriptedServer.VECTORS; i++) {
      server.bar.set(ValueLayout.JAVA_INT, table + 16 * i + 12, 1);
    }
    try (var device = VfioUser.open(path)) {
      device.interrupts().enableMsix(2);
      assertThat(server.bar.get(ValueLayout.JAVA_INT, table + 12)).isZero();
      device.enableBusMaster();
      assertThat(server.config.get(ValueLayout.JAVA_SHORT, 0x42)).isEqualTo((short) 0x8000);
      for (int i = 0; i < ScriptedServer.VECTORS; i++) {
        server.bar.set(ValueLayout.JAVA_INT, table + 16 * i + 12, 1);
      }
      server.config.set(ValueLayout.JAVA_SHORT, 0x42, (short) 0);
      server.config.set(ValueLayout.JAVA_SHORT, 4, (short) 0);
      device.reset();
      assertThat(server.config.get(ValueLayout.JAVA_SHORT, 0x42)).isEqualTo((short) 0x8000);
      assertThat(server.config.get(ValueLayout.JAVA_SHORT, 4) & 4).as("bus master").isEqualTo(4);
      assertThat(server.bar.get(ValueLayout.JAVA_INT, table + 12)).isZero();
      assertThat(server.bar.get(ValueLayout.JAVA_INT, table + 16 + 12)).isZero();
      assertThat(server.bar.get(ValueLayout.JAVA_INT, table + 32 + 12)).isEqualTo(1);
    }
  }

  @Test
  void readsAndWritesRegistersOfEveryWidth() {
    try (var device = VfioUser.open(path)) {
      var registers = device.region(0).registers();
      registers.write8(1, (byte) 0x81);
      registers.write16(2, (short) 0x8283);
      registers.write32(4, 0x8485_8687);
      registers.write64(8, 0x8889_8a8b_8c8d_8e8fL);
      assertThat(registers.read8(1)).isEqualTo((byte) 0x81);
      assertThat(registers.read16(2)).isEqualTo((short) 0x8283);
      assertThat(registers.read32(4)).isEqualTo(0x8485_8687);
      assertThat(registers.read64(8)).isEqualTo(0x8889_8a8b_8c8d_8e8fL);
      assertThat(server.bar.get(ValueLayout.JAVA_INT, 4)).isEqualTo(0x8485_8687);
    }
  }

  @Test
  void splitsTransfersByWhatThePeerTakes() {
    serve(capabilities(8, 1000, 100, false));
    try (var device = VfioUser.open(path);
        var arena = Arena.ofConfined()) {
      var data = arena.allocate(2500);
      for (int i = 0; i < 2500; i++) {
        data.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 7));
      }
      server.told.clear();
      device.region(0).write(16, data);
      assertThat(server.told)
          .containsExactly("write 1000 bytes", "write 1000 bytes", "write 500 bytes");
      assertThat(server.bar.asSlice(16, 2500).mismatch(data)).isEqualTo(-1);
      server.told.clear();
      var back = arena.allocate(2500);
      device.region(0).read(16, back);
      assertThat(server.told)
          .containsExactly("read 1000 bytes", "read 1000 bytes", "read 500 bytes");
      assertThat(back.mismatch(data)).isEqualTo(-1);
    }
  }

  @Test
  void splitsTransfersByWhatItTakesItself() {
    try (var device = VfioUser.open(path, OPTIONS.withMaxDataTransfer(4096));
        var arena = Arena.ofConfined()) {
      server.told.clear();
      device.region(0).read(0, arena.allocate(10_000));
      assertThat(server.told)
          .containsExactly("read 4096 bytes", "read 4096 bytes", "read 1808 bytes");
    }
  }

  @Test
  void movesMegabytes() {
    try (var device = VfioUser.open(path);
        var arena = Arena.ofConfined()) {
      var data = arena.allocate(3 << 20);
      for (long i = 0; i < data.byteSize(); i += 8) {
        data.set(ValueLayout.JAVA_LONG, i, i * 0x9e37_79b9_7f4a_7c15L);
      }
      device.region(0).write(0, data);
      var back = arena.allocate(3 << 20);
      device.region(0).read(0, back);
      assertThat(back.mismatch(data)).isEqualTo(-1);
    }
  }

  @Test
  void tellsWhatAServerRefuses() {
    try (var device = VfioUser.open(path)) {
      server.script =
          exchange -> exchange.is(Command.REGION_READ) && exchange.fail(Errno.EINVAL.number());
      var registers = device.region(0).registers();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.read32(0))
          .withMessageContaining("EINVAL")
          .withMessageContaining("The server takes no such request");
      server.script = _ -> false;
      assertThat(registers.read32(0)).isZero();
    }
  }

  @Test
  void takesAnErrorWithoutANumberForOne() {
    try (var device = VfioUser.open(path)) {
      server.script = exchange -> exchange.is(Command.DEVICE_RESET) && exchange.fail(0);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(device::reset)
          .withMessageContaining("EIO");
      server.script = _ -> false;
    }
  }

  @Test
  void sendsEventfdsByAsManyAsOneMessageMayHave() {
    try (var device = VfioUser.open(path)) {
      server.told.clear();
      var vectors = device.interrupts().enableMsix(20);
      assertThat(server.told)
          .startsWith(
              "irqs 2: 8 from 0, 8 fds", "irqs 2: 8 from 8, 8 fds", "irqs 2: 4 from 16, 4 fds");
      server.signal(17);
      assertThat(vectors.vector(17).await(Duration.ofSeconds(30))).isEqualTo(1);
      server.told.clear();
      vectors.close();
      assertThat(server.told).startsWith("irqs 2: 0 from 0, 0 fds");
    }
  }

  @Test
  void undoesInterruptsThatWereRefusedInPart() {
    try (var device = VfioUser.open(path)) {
      server.script =
          exchange ->
              exchange.is(Command.DEVICE_SET_IRQS)
                  && exchange.socket.fdCount() == 4
                  && exchange.fail(Errno.ENOSPC.number());
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.interrupts().enableMsix(20))
          .withMessageContaining("ENOSPC");
      assertThat(server.told.getLast()).isEqualTo("irqs 2: 0 from 0, 0 fds");
      device.interrupts().enableMsix(2);
    }
  }

  @Test
  void turnsMsixOnInConfigurationSpaceAsTheKernelDoes() {
    server.config.set(ValueLayout.JAVA_SHORT, 6, (short) 0x10);
    server.config.set(ValueLayout.JAVA_BYTE, 0x34, (byte) 0x40);
    server.config.set(ValueLayout.JAVA_SHORT, 0x40, (short) 0x5001);
    server.config.set(ValueLayout.JAVA_SHORT, 0x50, (short) 0x0011);
    server.config.set(ValueLayout.JAVA_SHORT, 0x52, (short) 0x4013);
    try (var device = VfioUser.open(path)) {
      var vectors = device.interrupts().enableMsix(1);
      assertThat(device.config().read16(0x52)).isEqualTo(0x8013);
      vectors.close();
      assertThat(device.config().read16(0x52)).isEqualTo(0x13);
    }
  }

  @Test
  void refusesMapsThatTheServerHasNoRoomFor() {
    serve(capabilities(8, 1 << 20, 2, false));
    try (var device = VfioUser.open(path)) {
      device.dmaSpace().allocate(4096);
      device.dmaSpace().allocate(4096);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.dmaSpace().allocate(4096))
          .withMessageContaining("max_dma_maps");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void answersTheServersCommandsAtAnyTime(boolean twin) throws Exception {
    serve(capabilities(8, 1 << 20, 100, twin));
    try (var device = VfioUser.open(path);
        var arena = Arena.ofShared()) {
      var memory = arena.allocate(8192, 4096);
      memory.set(ValueLayout.JAVA_LONG, 4000, 0x1122_3344_5566_7788L);
      var mapping = device.dmaSpace().map(memory);
      for (int round = 0; round < 20; round++) {
        var read = server.dma(Command.DMA_READ, mapping.iova() + 4000, 8, new byte[0]);
        assertThat(Header.isError(read)).isFalse();
        assertThat(read.get(ValueLayout.JAVA_LONG, DmaAccessMessage.BYTES))
            .isEqualTo(0x1122_3344_5566_7788L);
        var write = server.dma(Command.DMA_WRITE, mapping.iova() + round, 1, new byte[] {5});
        assertThat(Header.isError(write)).isFalse();
        assertThat(memory.get(ValueLayout.JAVA_BYTE, round)).isEqualTo((byte) 5);
        device.config().read16(0); // a caller has the right to read now and then
      }
      mapping.close();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void answersTheServersCommandsWhileItWaitsForAReply(boolean twin) {
    serve(capabilities(8, 1 << 20, 100, twin));
    try (var device = VfioUser.open(path);
        var arena = Arena.ofConfined()) {
      var memory = arena.allocate(4096, 4096);
      var mapping = device.dmaSpace().map(memory);
      server.script =
          exchange -> {
            if (!exchange.is(Command.REGION_WRITE)) {
              return false;
            }
            var reply = exchange.reply(RegionAccess.BYTES);
            var data = new byte[] {1, 2, 3, 4};
            if (twin) {
              server.dma(Command.DMA_WRITE, mapping.iova() + 8, 4, data);
            } else {
              server.send(
                  ScriptedServer.dmaMessage(Command.DMA_WRITE, mapping.iova() + 8, 4, data));
              assertThat(exchange.socket.receive(true)).isEqualTo(DmaAccessMessage.BYTES);
            }
            return exchange.send(reply);
          };
      var registers = device.region(0).registers();
      for (int i = 0; i < 10; i++) {
        memory.fill((byte) 0);
        registers.write32(0, 1);
        assertThat(memory.get(ValueLayout.JAVA_INT, 8)).isEqualTo(0x0403_0201);
      }
      server.script = _ -> false;
      mapping.close();
    }
  }

  @Test
  void keepsTheServerToWhatIsMapped() throws Exception {
    try (var device = VfioUser.open(path);
        var arena = Arena.ofShared()) {
      var space = device.dmaSpace();
      var memory = arena.allocate(4096, 4096);
      var readable = space.map(memory, MapOptions.at(0x10000).withAccess(DmaAccess.READ));
      var writable =
          space.map(arena.allocate(4096, 4096), MapOptions.at(0x11000).withAccess(DmaAccess.WRITE));
      assertThat(error(Command.DMA_READ, 0x10ffc, 4, 0)).isZero();
      assertThat(error(Command.DMA_READ, 0x10ffc, 8, 0)).isEqualTo(Errno.EACCES.number());
      assertThat(error(Command.DMA_WRITE, 0x10ffc, 4, 4)).isEqualTo(Errno.EACCES.number());
      assertThat(error(Command.DMA_WRITE, 0x11000, 4, 4)).isZero();
      assertThat(error(Command.DMA_WRITE, 0x11ffc, 8, 8)).isEqualTo(Errno.EFAULT.number());
      assertThat(error(Command.DMA_READ, 0xffff, 1, 0)).isEqualTo(Errno.EFAULT.number());
      assertThat(error(Command.DMA_READ, -1, 8, 0)).isEqualTo(Errno.EFAULT.number());
      assertThat(error(Command.DMA_READ, 0x10000, -1, 0)).isEqualTo(Errno.EINVAL.number());
      assertThat(error(Command.DMA_READ, 0x10000, 2 << 20, 0)).isEqualTo(Errno.EINVAL.number());
      assertThat(error(Command.DMA_READ, 0x10000, 4, 4)).isEqualTo(Errno.EINVAL.number());
      assertThat(error(Command.DMA_WRITE, 0x11000, 5, 4)).isEqualTo(Errno.EINVAL.number());
      assertThat(error(Command.DEVICE_RESET, 0x11000, 5, 4)).isEqualTo(Errno.EOPNOTSUPP.number());
      readable.close();
      assertThat(error(Command.DMA_READ, 0x10000, 4, 0)).isEqualTo(Errno.EFAULT.number());
      writable.close();
    }
  }

  private int error(Command command, long address, long count, int data) throws Exception {
    var answer = server.dma(command, address, count, new byte[data]);
    return Header.isError(answer) ? Header.error(answer) : 0;
  }

  @Test
  void reachesAcrossMapsThatLieTogether() throws Exception {
    try (var device = VfioUser.open(path)) {
      var space = device.dmaSpace();
      var low = space.allocate(4096, BufferOptions.anonymous().mapped(MapOptions.at(0x20000)));
      var high = space.allocate(4096, BufferOptions.anonymous().mapped(MapOptions.at(0x21000)));
      assertThat(error(Command.DMA_WRITE, 0x20ffe, 4, 4)).isZero();
      var answer = server.dma(Command.DMA_WRITE, 0x20ffe, 4, new byte[] {1, 2, 3, 4});
      assertThat(Header.isError(answer)).isFalse();
      assertThat(low.segment().get(ValueLayout.JAVA_SHORT, 4094)).isEqualTo((short) 0x0201);
      assertThat(high.segment().get(ValueLayout.JAVA_SHORT, 0)).isEqualTo((short) 0x0403);
    }
  }

  @Test
  void survivesMemoryThatIsFreedTooEarly() throws Exception {
    try (var device = VfioUser.open(path)) {
      var arena = Arena.ofShared();
      device.dmaSpace().map(arena.allocate(4096, 4096), MapOptions.at(0x20000));
      arena.close();
      assertThat(error(Command.DMA_READ, 0x20000, 4, 0)).isEqualTo(Errno.EFAULT.number());
    }
  }

  @Test
  void hasManyRequestsUnderWayAtOnce() throws Exception {
    int threads = 8;
    try (var device = VfioUser.open(path);
        var executor = Executors.newFixedThreadPool(threads)) {
      var results = new ArrayList<Future<?>>();
      for (int t = 0; t < threads; t++) {
        long base = t * 4096L;
        int seed = t * 1000;
        results.add(
            executor.submit(
                () -> {
                  var registers = device.region(0).registers();
                  for (int i = 0; i < 500; i++) {
                    registers.write32(base + i % 1000 * 4L, seed + i);
                    assertThat(registers.read32(base + i % 1000 * 4L)).isEqualTo(seed + i);
                  }
                }));
      }
      for (var result : results) {
        result.get(60, TimeUnit.SECONDS);
      }
    }
  }

  @Test
  void matchesRepliesByIdWhateverTheirOrder() throws Exception {
    var held = new ArrayList<MemorySegment>();
    try (var device = VfioUser.open(path);
        var executor = Executors.newFixedThreadPool(4)) {
      server.script =
          exchange -> {
            if (!exchange.is(Command.REGION_READ)) {
              return false;
            }
            var reply = exchange.reply(32 + 4);
            reply.set(ValueLayout.JAVA_INT, 32, (int) RegionAccess.OFFSET.get(exchange.message));
            held.add(reply);
            if (held.size() == 4) {
              held.reversed().forEach(exchange::send);
            }
            return true;
          };
      var results = new ArrayList<Future<Integer>>();
      for (int t = 0; t < 4; t++) {
        long offset = 8L * t;
        results.add(executor.submit(() -> device.region(0).registers().read32(offset)));
      }
      for (int t = 0; t < 4; t++) {
        assertThat(results.get(t).get(30, TimeUnit.SECONDS)).isEqualTo(8 * t);
      }
      server.script = _ -> false;
    }
  }

  @Test
  void givesAServerUpThatDoesNotAnswer() {
    var device = VfioUser.open(path, OPTIONS.withRequestTimeout(Duration.ofMillis(300)));
    server.script = exchange -> exchange.is(Command.REGION_READ);
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.region(0).registers().read32(0))
        .withMessageContaining("ETIMEDOUT")
        .withMessageContaining("did not answer REGION_READ within 300 ms");
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.config().read16(0))
        .withMessageContaining("did not answer REGION_READ");
    device.close();
  }

  @Test
  void givesAServerUpThatTalksWithoutAnswering() {
    var device = VfioUser.open(path, OPTIONS.withRequestTimeout(Duration.ofMillis(500)));
    server.script =
        exchange -> {
          if (!exchange.is(Command.REGION_READ)) {
            return false;
          }
          var noise = ScriptedServer.dmaMessage(Command.DMA_READ, 0, 4, new byte[0]);
          Header.write(noise, 1, Command.DMA_READ.number(), 32, Header.NO_REPLY, 0);
          while (exchange.socket.send(noise, 32) == 0) {
            Thread.onSpinWait();
          }
          return true;
        };
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.region(0).registers().read32(0))
        .withMessageContaining("ETIMEDOUT");
    device.close();
  }

  @Test
  void closesUnderRequestsThatAreUnderWay() throws Exception {
    var device = VfioUser.open(path, OPTIONS.withRequestTimeout(Duration.ofSeconds(2)));
    var registers = device.region(0).registers();
    var begun = new CountDownLatch(3);
    server.script =
        exchange -> {
          if (exchange.is(Command.REGION_READ) && RegionAccess.REGION.get(exchange.message) == 0) {
            begun.countDown();
            return true;
          }
          return false;
        };
    try (var executor = Executors.newFixedThreadPool(3)) {
      var results = new ArrayList<Future<Integer>>();
      for (int i = 0; i < 3; i++) {
        results.add(executor.submit(() -> device.region(0).registers().read32(0)));
      }
      begun.await();
      device.close();
      device.close();
      for (var result : results) {
        assertThatThrownBy(() -> result.get(30, TimeUnit.SECONDS))
            .isInstanceOf(ExecutionException.class)
            .cause()
            .isInstanceOfAny(VfioException.class, IllegalStateException.class);
      }
    }
    assertThatIllegalStateException().isThrownBy(() -> registers.read32(0));
    assertThatIllegalStateException().isThrownBy(device::reset);
  }

  @Test
  void closesQuietlyWhenTheServerHasGone() {
    var device = VfioUser.open(path);
    device.enableBusMaster();
    device.interrupts().enableMsix(4);
    device.dmaSpace().allocate(4096);
    server.close();
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.config().read16(0))
        .withMessageContaining("The server has closed the connection, or has ended.");
    device.close();
  }

  @Test
  void postsWritesOnlyWhenAskedTo() {
    try (var device = VfioUser.open(path, OPTIONS.withPostedWrites(true))) {
      server.told.clear();
      var registers = device.region(0).registers();
      registers.write32(8, 42);
      assertThat(registers.read32(8)).isEqualTo(42);
      assertThat(server.told).containsExactly("write 4 bytes, no reply", "read 4 bytes");
      server.told.clear();
      device.config().write16(0x10, 1);
      assertThat(server.told).containsExactly("config 2 bytes");
    }
  }

  @Test
  void writesManyRegistersByOneMessageWhereTheServerTakesIt() {
    try (var device = VfioUser.open(path);
        var arena = Arena.ofConfined()) {
      var source = arena.allocate(4096, 8);
      for (long i = 0; i < 4096; i += 8) {
        source.set(ValueLayout.JAVA_LONG, i, i * i);
      }
      server.told.clear();
      device.region(0).registers().copyFrom(64, source, 8);
      assertThat(server.told).containsExactly("200 writes", "200 writes", "112 writes");
      assertThat(server.bar.asSlice(64, 4096).mismatch(source)).isEqualTo(-1);
    }
    serve(new Capabilities(8, 1 << 20, 100, 4096, false, OptionalInt.empty(), false));
    try (var device = VfioUser.open(path);
        var arena = Arena.ofConfined()) {
      server.told.clear();
      device.region(0).registers().copyFrom(64, arena.allocate(8, 8), 4);
      assertThat(server.told).containsExactly("write 4 bytes", "write 4 bytes");
    }
  }

  @Test
  void mapsRegionsOverTheServersFile() {
    var shared = server.mapBar();
    try (var device = VfioUser.open(path)) {
      assertThat(device.region(0).info().mappable()).isTrue();
      server.told.clear();
      var registers = device.region(0).registers();
      registers.write32(16, 0x1234);
      assertThat(shared.get(ValueLayout.JAVA_INT, 16)).isEqualTo(0x1234);
      assertThat(server.told).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 200})
  void allocatesNothingForARoundTrip(int spinMicros) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    var options = OPTIONS.withBusyPolling(Duration.ofNanos(spinMicros * 1000L));
    try (var device = VfioUser.open(path, options)) {
      server.script = new QuietRegisters();
      var registers = device.region(0).registers();
      long least = Long.MAX_VALUE;
      // How long compiling takes depends on what else the machine does.
      for (int batch = 0; batch < 5_000 && least > 0; batch++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 200; i++) {
          registers.write32(8, registers.read32(8) + 1);
        }
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
      server.script = _ -> false;
    }
  }

  /** Registers without a word on what was done to them. */
  private static final class QuietRegisters implements ScriptedServer.Script {
    private final MemorySegment reply = Arena.ofAuto().allocate(64, 8);

    @Override
    public boolean answers(ScriptedServer.Exchange exchange) {
      int size = exchange.is(Command.REGION_READ) ? 36 : 32;
      if (size == 32 && !exchange.is(Command.REGION_WRITE)) {
        return false;
      }
      MemorySegment.copy(exchange.message, 0, reply, 0, 32);
      Header.writeReply(reply, Header.id(reply), Header.command(reply), size);
      exchange.socket.send(reply, size);
      return true;
    }
  }
}
