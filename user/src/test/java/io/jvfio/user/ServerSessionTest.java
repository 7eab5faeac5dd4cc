// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.MigrationState;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.sim.FaultInjector;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.FeatureMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MigrationData;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.VersionMessage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a session asks of its client, and what is left of it afterwards. */
@Timeout(120)
class ServerSessionTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final int READ_WRITE = 3;

  @TempDir Path directory;

  private final ScriptedModel model = new ScriptedModel();
  private final Heard heard = new Heard();
  private @Nullable Served served;

  @AfterEach
  void close() {
    if (served != null) {
      served.close();
    }
    heard.close();
  }

  private Served serve(UnaryOperator<VfioUserServerOptions> options) {
    served = new Served(model, directory, options);
    return served;
  }

  private Path path() {
    return directory.resolve("other.sock");
  }

  private VfioUserServer serve(Kernel kernel, DeviceModel other) {
    return VfioUserServer.serve(
        kernel, other, VfioUserServerOptions.at(path()).withListener(heard));
  }

  /** Sends a version, and is sent away. */
  private static void assertRefused(Served of, int size, int flags, String json, int... fds)
      throws Exception {
    try (var client = new RawClient(of.path)) {
      var bytes = json.getBytes(StandardCharsets.UTF_8);
      MemorySegment.copy(
          bytes, 0, client.out, ValueLayout.JAVA_BYTE, VersionMessage.BYTES, bytes.length);
      Header.write(client.out, 1, Command.VERSION.number(), size, flags, 0);
      assertThat(client.socket.send(client.out, size, fds, fds.length)).isZero();
      assertThat(client.receive()).isEqualTo(Header.SIZE);
      assertThat(Header.error(client.in())).isEqualTo(Errno.EINVAL.number());
      client.assertSentAway();
    }
  }

  @Test
  void beginsWithACommandForAVersionAndNothingElse() throws Exception {
    var of = serve(options -> options);
    var json = "{}\0";
    int size = VersionMessage.BYTES + json.length();
    assertRefused(of, size, Header.REPLY, json);
    assertRefused(of, VersionMessage.BYTES - 1, 0, json);
    assertRefused(of, size, 0, "{} ");
    int fd = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    assertRefused(of, size, 0, json, fd);
    KERNEL.close(fd);
    of.client().close();
  }

  /** What the server says of itself to a client of those capabilities. */
  private static String answer(Served of, String capabilities, int descriptors) throws Exception {
    try (var client = new RawClient(of.path)) {
      assertThat(client.version("{\"capabilities\":{" + capabilities + "}}")).isZero();
      assertThat(client.socket.fdCount()).isEqualTo(descriptors);
      return client.in().getString(VersionMessage.BYTES);
    }
  }

  @Test
  void offersWhatTheClientKnowsAndTheServerHas() throws Exception {
    var twin = "\"twin_socket\":{\"supported\":true}";
    try (var of = serve(options -> options)) {
      assertThat(answer(of, "\"max_msg_fds\":8," + twin, 1)).contains("twin_socket", "fd_index");
      of.awaitLeft(1);
      assertThat(answer(of, "\"max_msg_fds\":0," + twin, 0)).doesNotContain("twin_socket");
      of.awaitLeft(2);
      assertThat(answer(of, "\"max_msg_fds\":8", 0))
          .doesNotContain("twin_socket", "write_multiple");
      of.awaitLeft(3);
      assertThat(answer(of, "\"write_multiple\":true", 0)).contains("\"write_multiple\":true");
    }
    try (var of =
        new Served(new ScriptedModel(), directory, VfioUserServerOptions::withoutTwinSocket)) {
      assertThat(answer(of, "\"max_msg_fds\":8," + twin, 0)).doesNotContain("twin_socket");
    }
  }

  private static void setState(RawClient client, int state) {
    client.out.asSlice(Header.SIZE, FeatureMessage.BYTES + 8 - Header.SIZE).fill((byte) 0);
    FeatureMessage.ARGSZ.set(client.out, FeatureMessage.BYTES + 8 - Header.SIZE);
    FeatureMessage.FLAGS.set(
        client.out, Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE);
    client.out.set(ValueLayout.JAVA_INT, FeatureMessage.BYTES, state);
    assertThat(client.call(Command.DEVICE_FEATURE, FeatureMessage.BYTES + 8)).isZero();
  }

  private static int readState(RawClient client, int count) {
    MigrationData.ARGSZ.set(client.out, MigrationData.BYTES - Header.SIZE + count);
    MigrationData.SIZE.set(client.out, count);
    return client.call(Command.MIG_DATA_READ, MigrationData.BYTES);
  }

  @Test
  void sendsNoMoreStateThanTheClientTakes() throws Exception {
    try (var _ = serve(KERNEL, new VictimModel());
        var client = new RawClient(path())) {
      assertThat(client.version("{\"capabilities\":{\"max_data_xfer_size\":1024}}")).isZero();
      setState(client, Vfio.VFIO_DEVICE_STATE_STOP);
      setState(client, Vfio.VFIO_DEVICE_STATE_STOP_COPY);
      assertThat(readState(client, 1025)).isEqualTo(Errno.EINVAL.number());
      assertThat(readState(client, 1024)).isZero();
    }
  }

  /** Nobody knows what state an error has left it in. */
  @Test
  void aDeviceThatIsKeptIsResetAfterAnErrorInACommand() throws Exception {
    var resets = new AtomicInteger();
    model.onReset = resets::incrementAndGet;
    var of = serve(VfioUserServerOptions::withRetainedState);
    of.client().close();
    of.awaitLeft(1);
    assertThat(resets).hasValue(0);
    model.onWrite =
        _ -> {
          throw new InternalError("in a write");
        };
    try (var client = of.client()) {
      send(client, 1, 0);
      client.assertSentAway();
    }
    of.awaitLeft(2);
    assertThat(resets).hasValue(1);
  }

  /** Writes a register, and wants no answer. */
  private static void send(RawClient client, int value, int id, int... fds) {
    RegionAccess.REGION.set(client.out, 0);
    RegionAccess.OFFSET.set(client.out, 0);
    RegionAccess.COUNT.set(client.out, 4);
    client.out.set(ValueLayout.JAVA_INT, RegionAccess.BYTES, value);
    int size = RegionAccess.BYTES + 4;
    Header.write(client.out, id, Command.REGION_WRITE.number(), size, Header.NO_REPLY, 0);
    assertThat(client.socket.send(client.out, size, fds, fds.length)).isZero();
  }

  @Test
  void whatItOpenedForAClientIsClosedWhenThatGoes() throws Exception {
    try (var _ = serve(KERNEL, new VictimModel())) {
      VfioUser.open(path()).close();
      heard.await(each -> each.startsWith("It closed"), "the first has gone");
      long before = OpenDescriptors.count();
      for (int i = 0; i < 3; i++) {
        heard.forget();
        try (var device = VfioUser.open(path());
            var events = device.ioEventFds(0)) {
          assertThat(events.all()).isNotEmpty();
        }
        heard.await(each -> each.startsWith("It closed"), "another one has gone");
      }
      Served.await(() -> OpenDescriptors.count() == before);
    }
  }

  /** Has the polling thread ask the client for memory, once. */
  private void ask(RawClient client) {
    var isAsked = new AtomicBoolean();
    model.onPoll =
        () -> {
          if (!isAsked.getAndSet(true)) {
            read();
          }
          return false;
        };
    model.requestPoll();
    assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES);
  }

  private void read() {
    try {
      model.dma().read(0x1000, MemorySegment.ofArray(new byte[8]));
    } catch (DmaFaultException e) {
      // What this is about.
    }
  }

  private static void answer(RawClient client) {
    int size = DmaAccessMessage.BYTES + 8;
    Header.writeReply(client.out, Header.id(client.in()), Command.DMA_READ.number(), size);
    DmaAccessMessage.ADDRESS.set(client.out, 0x1000);
    DmaAccessMessage.COUNT.set(client.out, 8);
    assertThat(client.socket.send(client.out, size)).isZero();
  }

  @Test
  void whatCameWithCommandsThatWereKeptIsClosedWhenTheClientGoes() throws Exception {
    var of = serve(options -> options);
    of.client().close();
    of.awaitLeft(1);
    long before = OpenDescriptors.count();
    try (var client = of.master()) {
      assertThat(client.map(0x1000, 0x1000, READ_WRITE)).isZero();
      ask(client);
      int fd = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
      send(client, 1, 7, fd);
      KERNEL.close(fd);
    }
    of.awaitLeft(2);
    Served.await(() -> OpenDescriptors.count() == before);
  }

  @Test
  void carriesOutNothingThatWasKeptOnceItHasEnded() throws Exception {
    var of = serve(options -> options.withPatience(Duration.ofMillis(300)));
    var written = new CopyOnWriteArrayList<Long>();
    model.onWrite =
        value -> {
          written.add(value);
          read(); // of which the client knows nothing more
        };
    try (var client = of.master()) {
      assertThat(client.map(0x1000, 0x1000, READ_WRITE)).isZero();
      ask(client);
      int asked = Header.id(client.in());
      send(client, 1, 7);
      send(client, 2, 8);
      assertThat(Header.id(client.in())).isEqualTo(asked);
      answer(client);
      assertThat(of.awaitLeft(1)).contains("does not answer DMA_READ");
    }
    assertThat(written).isEqualTo(List.of(1L));
  }

  @Test
  void aClientIsNotCutOffForWhatTheEndOfTheServerKeepsItFrom() throws Exception {
    var of = serve(options -> options);
    model.onWrite = _ -> read();
    try (var client = of.master()) {
      assertThat(client.map(0x1000, 0x1000, READ_WRITE)).isZero();
      send(client, 1, 7);
      assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES);
      of.stop();
    }
    assertThat(of.left).containsExactly("The server was closed.");
    assertThat(heard.all()).noneMatch(each -> each.contains("cut off"));
  }

  /** In KiB; that of the process, with what it has not touched. */
  private static long virtualMemory() throws IOException {
    try (var lines = Files.lines(Path.of("/proc/self/status"))) {
      var line = lines.filter(each -> each.startsWith("VmSize:")).findFirst().orElseThrow();
      return Long.parseLong(line.replaceAll("\\D", ""));
    }
  }

  @Test
  void itsMemoryIsFreed() throws Exception {
    int transfer = 64 << 20;
    var of = serve(options -> options.withLimits(8, transfer, 16));
    long before = 0;
    int clients = 16;
    for (int i = 1; i <= clients; i++) {
      of.client().close();
      of.awaitLeft(i);
      before = i == 2 ? virtualMemory() : before;
    }
    assertThat((virtualMemory() - before) << 10).isLessThan(clients / 2L * transfer);
  }

  @Test
  void aDeviceThatGoesOnIsPolled() throws Exception {
    try (var _ = serve(KERNEL, new VictimModel());
        var device = VfioUser.open(path());
        var registers = device.region(0).registers();
        var vectors = device.interrupts().enableMsix(4)) {
      device.enableBusMaster();
      device.features().migration().enter(MigrationState.STOP);
      registers.write32(24, 2); // work for later, which signals
      assertThat(vectors.vector(2).await(Duration.ofMillis(50))).isZero();
      device.features().migration().enter(MigrationState.RUNNING);
      assertThat(vectors.vector(2).await(Duration.ofSeconds(20))).isPositive();
    }
  }

  private static long unwatched(FaultInjector kernel) {
    return kernel.calls().stream().filter(call -> call.operation().contains("epoll_ctl")).count();
  }

  /** A device whose registers nobody hears of is of no use to its client. */
  @Test
  void aClientIsCutOffIfItsSignalsCannotBeWaitedForAgain() throws Exception {
    var kernel = new FaultInjector(KERNEL);
    try (var _ = serve(kernel, new VictimModel());
        var device = VfioUser.open(path());
        var events = device.ioEventFds(0)) {
      device.features().migration().enter(MigrationState.STOP);
      long calls = unwatched(kernel);
      events.all().getFirst().write(1);
      Served.await(() -> unwatched(kernel) > calls);
      kernel.failWhen(call -> call.operation().contains("epoll_ctl"), Errno.ENOSPC);
      try {
        device.features().migration().enter(MigrationState.RUNNING);
      } catch (RuntimeException e) {
        // The client may hear of it here.
      }
      heard.await(each -> each.contains("cannot be waited for"), "the operator is told");
      kernel.failNone();
    }
  }
}
