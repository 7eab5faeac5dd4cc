// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.MappableArea;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.MappableRegisters;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionInfoMessage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Doorbells that a client has as memory, where the server polls: for initiators as SPDK's that know
 * no other way, for this project's driver, and what a client can and cannot do with such a page.
 */
@Timeout(180)
class MappedDoorbellsTest {
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int IDENTIFY = 6;
  private static final int EVENT_REQUEST = 0x0c;
  private static final int WHOLE = 64;

  @TempDir Path directory;

  private final Heard heard = new Heard();
  private Path path = Path.of("");
  private @Nullable VfioUserServer server;

  private VfioUserServer serve(DeviceModel model, boolean polls) {
    path = directory.resolve("cntrl");
    var options = VfioUserServerOptions.at(path).withListener(heard);
    var started = VfioUserServer.serve(model, polls ? options.withPolling() : options);
    server = started;
    return started;
  }

  private static NvmeModel model() {
    return NvmeModel.inMemory("S", 1 << 20);
  }

  @AfterEach
  void end() {
    if (server != null) {
      server.close();
    }
    heard.close();
  }

  @Test
  void anInitiatorThatOnlyStoresIsServed() {
    serve(model(), true);
    try (var initiator = new StoringInitiator(path)) {
      assertThat(initiator.admin.run(IDENTIFY, 0, initiator.dataIova(), 1, 0, 0)).isZero();
      assertThat(initiator.data.get(ValueLayout.JAVA_BYTE, 4)).isEqualTo((byte) 'S');
      var first = initiator.create(1);
      var second = initiator.create(2);
      for (int round = 0; round < 100; round++) {
        initiator.data.set(ValueLayout.JAVA_INT, 0, round);
        first.transfer(WRITE, round);
        initiator.data.fill((byte) 0);
        second.transfer(READ, round);
        assertThat(initiator.data.get(ValueLayout.JAVA_INT, 0)).isEqualTo(round);
      }
      initiator.delete(second);
      initiator.create(2).transfer(READ, 0);
    }
  }

  @Test
  void aServerThatWaitsOffersNoneAndSaysWhatToDo() throws InterruptedException {
    serve(model(), false);
    try (var client = RawClient.agreed(path)) {
      assertThat(regionInfo(client, 4096)).isZero();
      assertThat(RegionInfoMessage.FLAGS.get(client.in())).isEqualTo(3);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
    heard.await(why -> why.contains("--poll"), "what an initiator as SPDK's needs");
    assertThatThrownBy(() -> new StoringInitiator(path))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static int regionInfo(RawClient client, int argsz) {
    client.out.asSlice(0, RegionInfoMessage.BYTES).fill((byte) 0);
    RegionInfoMessage.ARGSZ.set(client.out, argsz);
    return client.call(Command.DEVICE_GET_REGION_INFO, RegionInfoMessage.BYTES);
  }

  @Test
  void theRegionTellsOfThePageAndGivesItsFile() throws Exception {
    serve(model(), true);
    try (var client = RawClient.agreed(path)) {
      assertThat(regionInfo(client, 32)).isZero();
      var in = client.in();
      assertThat(RegionInfoMessage.ARGSZ.get(in)).as("what it takes").isEqualTo(WHOLE);
      assertThat(RegionInfoMessage.FLAGS.get(in))
          .as("no capability that is not there")
          .isEqualTo(3);
      assertThat(client.socket.fdCount()).isZero();

      assertThat(regionInfo(client, WHOLE)).isZero();
      assertThat(RegionInfoMessage.FLAGS.get(in)).isEqualTo(3 | 4 | 8);
      assertThat(RegionInfoMessage.CAP_OFFSET.get(in)).isEqualTo(32);
      assertThat(RegionInfoMessage.OFFSET.get(in)).isZero();
      assertThat(in.get(ValueLayout.JAVA_INT, Header.SIZE + 32)).as("sparse").isEqualTo(0x1_0001);
      assertThat(in.get(ValueLayout.JAVA_INT, Header.SIZE + 40)).as("areas").isOne();
      assertThat(in.get(ValueLayout.JAVA_LONG, Header.SIZE + 48)).isEqualTo(0x1000);
      assertThat(in.get(ValueLayout.JAVA_LONG, Header.SIZE + 56)).isEqualTo(0x1000);
      assertThat(client.socket.fdCount()).isOne();
    }
  }

  /** A look at the socket is a system call, and in the way of whoever has a faster way. */
  @ParameterizedTest
  @CsvSource({WHOLE + ", 1024", "32, 8"})
  void theSocketOfWhoHasRegistersIsLookedAtSeldom(int room, int rounds) throws Exception {
    var polls = new AtomicInteger();
    var isCounted = new AtomicBoolean();
    var seen = new CompletableFuture<Integer>();
    var model =
        new ScriptedModel() {
          @Override
          public Optional<MappableRegisters> mappableRegisters() {
            return Optional.of(new MappableRegisters(0, 0, 4096));
          }

          @Override
          public boolean poll() {
            polls.incrementAndGet();
            return false;
          }
        };
    var counting =
        new ForwardingKernel(LinuxKernel.instance()) {
          @Override
          public long receiveMessage(
              int fd, MemorySegment message, boolean waits, boolean isLimited) {
            int since = polls.getAndSet(0);
            if (isCounted.get() && since > 1) { // not every time, as after a message
              seen.complete(since);
            }
            return super.receiveMessage(fd, message, waits, isLimited);
          }
        };
    path = directory.resolve("cntrl");
    server =
        VfioUserServer.serve(
            counting, model, VfioUserServerOptions.at(path).withListener(heard).withPolling());
    try (var client = RawClient.agreed(path)) {
      assertThat(regionInfo(client, room)).isZero();
      isCounted.set(true);
      assertThat(seen.get(30, TimeUnit.SECONDS)).isEqualTo(rounds);
    }
  }

  /** Between {@code quiesce} and {@code resume} a model is called for nothing else. */
  @Test
  void theMemoryIsTakenBackBeforeTheModelIsQuiesced() throws Exception {
    var calls = new LinkedBlockingQueue<String>();
    var model =
        new ScriptedModel() {
          @Override
          public Optional<MappableRegisters> mappableRegisters() {
            return Optional.of(new MappableRegisters(0, 0, 4096));
          }

          @Override
          public void mapRegisters(MemorySegment memory) {
            calls.add("map");
          }

          @Override
          public void unmapRegisters() {
            calls.add("unmap");
          }

          @Override
          public void resume() {
            calls.add("resume");
          }
        };
    model.onQuiesce = () -> calls.add("quiesce");
    serve(model, true);
    try (var client = RawClient.agreed(path)) {
      assertThat(regionInfo(client, WHOLE)).isZero();
    }
    for (var call : List.of("map", "unmap", "quiesce", "resume")) {
      assertThat(calls.poll(10, TimeUnit.SECONDS)).isEqualTo(call);
    }
  }

  @Test
  void aClientThatTakesNoDescriptorsGetsNone() throws Exception {
    serve(model(), true);
    try (var client = new RawClient(path)) {
      assertThat(client.version("{\"capabilities\":{\"max_msg_fds\":0}}")).isZero();
      assertThat(regionInfo(client, 4096)).isZero();
      assertThat(RegionInfoMessage.FLAGS.get(client.in())).isEqualTo(3);
      assertThat(client.socket.fdCount()).isZero();
    }
  }

  /** What an access of the server's would meet with otherwise, in the middle of its polling. */
  @Test
  void nobodyMakesTheFileShorterOrLonger() throws Exception {
    serve(model(), true);
    try (var client = RawClient.agreed(path)) {
      assertThat(regionInfo(client, WHOLE)).isZero();
      int fd = client.socket.takeFd(0);
      try (var file = FileChannel.open(Path.of("/proc/self/fd/" + fd), StandardOpenOption.WRITE)) {
        assertThat(file.size()).isEqualTo(0x2000);
        assertThatThrownBy(() -> file.truncate(0x1000)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> file.write(ByteBuffer.allocate(1), 0x2000))
            .isInstanceOf(IOException.class);
      } finally {
        LinuxKernel.instance().close(fd);
      }
    }
  }

  /** Each client has a page of its own: who keeps the old one rings nobody's doorbells with it. */
  @Test
  void whatAFormerClientStoresIsNobodysDoorbell() throws Exception {
    serve(model(), true);
    var kernel = LinuxKernel.instance();
    long address = pageOfAClientThatLeaves();
    try (var initiator = new StoringInitiator(path);
        var arena = Arena.ofShared()) {
      var page = NativeMemory.at(address, 0x1000, arena);
      initiator.admin.put(EVENT_REQUEST, 0, 0, 0, 0, 0);
      initiator.admin.ring();
      var queue = initiator.create(1);
      for (int i = 0; i < 1000; i++) {
        page.fill((byte) i);
        queue.transfer(READ, 0);
      }
      assertThat(initiator.status()).isOne();
    } finally {
      kernel.munmap(address, 0x1000);
    }
  }

  private long pageOfAClientThatLeaves() throws Exception {
    try (var client = RawClient.agreed(path)) {
      assertThat(regionInfo(client, WHOLE)).isZero();
      int fd = client.socket.takeFd(0);
      var kernel = LinuxKernel.instance();
      long address =
          kernel.mmap(0x1000, Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, fd, 0x1000);
      kernel.close(fd);
      assertThat(address).isPositive();
      return address;
    }
  }

  /** Any value at any time: what comes of it is an event, or commands that were never put there. */
  @Test
  void anyValueAtAnyTimeHarmsNobodyElse() {
    serve(model(), true);
    try (var hostile = new StoringInitiator(path)) {
      hostile.create(1);
      hostile.create(2);
      var random = new SplittableRandom(7);
      for (int i = 0; i < 200_000; i++) {
        hostile.doorbells.write32(4L * random.nextInt(8), random.nextInt() >> random.nextInt(32));
      }
    }
    try (var next = new StoringInitiator(path)) {
      next.create(1).transfer(READ, 0);
    }
  }

  @Test
  void aBadValueIsAnEvent() {
    serve(model(), true);
    try (var initiator = new StoringInitiator(path)) {
      var queue = initiator.create(1);
      initiator.admin.put(EVENT_REQUEST, 0, 0, 0, 0, 0);
      initiator.admin.ring();
      initiator.doorbells.write32(8, 0x4711);
      assertThat(initiator.admin.take()).isEqualTo(0x0001_0100);
      queue.transfer(READ, 0);
    }
  }

  @ParameterizedTest
  @CsvSource({"false", "true"})
  void theDriverStoresTooAndSendsNothingForACommand(boolean shadow) {
    var polling = serve(model(), true);
    var options = NvmeOptions.defaults().withShadowDoorbells(shadow);
    long before;
    try (var device = VfioUser.open(path)) {
      assertThat(device.region(0).mappableAreas())
          .containsExactly(new MappableArea(0x1000, 0x1000));
      try (var controller = NvmeController.open(device, options);
          var buffer = device.dmaSpace().allocate(4096)) {
        var namespace = controller.namespace(1);
        for (int i = 0; i < 5000; i++) {
          namespace.read(i % 64, 1, buffer, 0);
        }
      }
      before = polling.messages();
    }
    polling.close();
    assertThat(before).isZero();
    // The registers to begin and end with, the checks on a controller that is slow.
    assertThat(polling.messages()).isLessThan(1000);
  }
}
