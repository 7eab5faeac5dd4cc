// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.gpio.GpioModel;
import io.jvfio.testkit.LatchModel;
import io.jvfio.user.VfioUserServer;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 120, unit = TimeUnit.SECONDS)
class UserReplayTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final int BOTH = DmaMapMessage.READABLE | DmaMapMessage.WRITABLE;
  private static final long FILE = 0x10_0000;
  private static final long MESSAGES = 0x20_0000;

  private final Path directory;
  private final Path server;
  private final Path tapped;
  private final Path file;

  UserReplayTest(@TempDir Path directory) {
    this.directory = directory;
    this.server = directory.resolve("server");
    this.tapped = directory.resolve("tap");
    this.file = directory.resolve("recording");
  }

  /** A client that does a little of everything. */
  private static final class Session implements AutoCloseable {
    private final WirePeer main;
    private final @Nullable WirePeer twin;

    /** What the server wrote by messages. */
    private final List<Long> written = new ArrayList<>();

    Session(Path path, boolean wantsTwin) throws Exception {
      main =
          new WirePeer(
              WirePeer.connect(LinuxKernel.instance(), path.toString(), PATIENCE), PATIENCE);
      var json =
          "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":%s}}}"
              .formatted(wantsTwin);
      var reply =
          main.call(
              Command.VERSION,
              Payload.version(0, 1, (json + "\0").getBytes(StandardCharsets.UTF_8)));
      twin =
          wantsTwin
              ? new WirePeer(
                  UnixSocket.adopt(LinuxKernel.instance(), main.release(reply.fds().getFirst())),
                  PATIENCE)
              : null;
    }

    void succeeds(Command command, Payload payload, int... fds) {
      assertThat(main.call(command, payload, fds).isError()).as(command.name()).isFalse();
    }

    void set(long offset, long value) {
      succeeds(Command.REGION_WRITE, Payload.access(offset, 0, 8).bytes(u64(value)));
    }

    private static byte[] u64(long value) {
      return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(value).array();
    }

    /** The device writes its value to memory that it reaches by messages only. */
    void store() {
      int id =
          main.command(
              Command.REGION_WRITE.number(), Payload.access(LatchModel.STORE, 0, 8).bytes(u64(1)));
      var asked = twin == null ? main : twin;
      var command = asked.receive();
      assertThat(command.command()).isEqualTo(Command.DMA_WRITE.number());
      var data = ByteBuffer.wrap(command.from(DmaAccessMessage.BYTES));
      written.add(data.order(ByteOrder.nativeOrder()).getLong());
      asked.send(
          Payload.of(DmaAccessMessage.STRUCT)
              .with(DmaAccessMessage.ADDRESS, command.get(DmaAccessMessage.ADDRESS))
              .with(DmaAccessMessage.COUNT, 8)
              .message(command.id(), command.command(), Header.REPLY));
      assertThat(main.reply(id).isError()).isFalse();
    }

    void run() {
      succeeds(Command.DEVICE_GET_INFO, Payload.deviceInfo(16));
      for (int i = 0; i < 9; i++) {
        succeeds(Command.DEVICE_GET_REGION_INFO, Payload.regionInfo(4096, i));
      }
      succeeds(Command.DMA_MAP, Payload.map(BOTH, 0, FILE, 8192), main.memory(8192));
      succeeds(Command.DMA_MAP, Payload.map(BOTH, 0, MESSAGES, 8192));
      int event = main.eventFd();
      succeeds(Command.DEVICE_SET_IRQS, Payload.setIrqs(0x24, 0, 0, 1), event);
      succeeds(Command.DEVICE_SET_IRQS, Payload.setIrqs(0x21, 0, 0, 1));
      // Bus mastering on.
      succeeds(Command.REGION_WRITE, Payload.access(4, 7, 2).bytes((byte) 6, (byte) 0));
      set(LatchModel.VALUE, 0x1122334455667788L);
      set(LatchModel.IOVA, MESSAGES + 64);
      store();
      store();
      assertThat(main.call(Command.REGION_READ, Payload.access(0, 5, 8)).errno()).isNotZero();
      succeeds(Command.REGION_READ, Payload.access(LatchModel.VALUE, 0, 8));
      succeeds(Command.DMA_UNMAP, Payload.unmap(0, FILE, 8192));
    }

    @Override
    public void close() {
      main.close();
      if (twin != null) {
        twin.close();
      }
    }
  }

  /** Records a session with a device. */
  private void record(boolean wantsTwin, int times) throws Exception {
    try (var model = new LatchModel();
        var _ = VfioUserServer.serve(model, server);
        var writer = RecordingWriter.create(file);
        var tap = UserTap.listen(tapped, server, writer)) {
      for (int i = 0; i < times; i++) {
        try (var session = new Session(tapped, wantsTwin)) {
          session.run();
          assertThat(session.written).containsExactly(0x1122334455667788L, 0x1122334455667788L);
        }
      }
      tap.await(times);
    }
  }

  private ReplayReport replayTo(DeviceModel model, boolean ignoresData) throws IOException {
    try (model;
        var _ = VfioUserServer.serve(model, server);
        var recording = UserRecording.open(file);
        var replay = new UserReplay(recording, PATIENCE, ignoresData)) {
      return replay.asClient(server);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void findsNoDifferenceInTheServerThatWasRecorded(boolean hasTwin) throws Exception {
    record(hasTwin, 2);
    var report = replayTo(new LatchModel(), false);
    assertThat(report.differences()).isEmpty();
    assertThat(report.isSame()).isTrue();
    assertThat(report.connections()).isEqualTo(2);
    assertThat(report.compared()).isEqualTo(2 * (23 + 2));
    assertThat(report.sent()).isEqualTo(2 * (23 + 2));
  }

  @Test
  void tellsDataFromWhatTheServerDecides() throws Exception {
    record(false, 1);
    editData();
    var report = replayTo(new LatchModel(), false);
    assertThat(report.differences())
        .isNotEmpty()
        .allSatisfy(
            difference -> {
              assertThat(difference.kind()).isEqualTo(ReplayDifference.Kind.DATA);
              assertThat(difference.field()).isEqualTo("data");
              assertThat(difference.came()).isEqualTo("[88 77 66 55 44 33 22 11]");
            });
    assertThat(replayTo(new LatchModel(), true).isSame()).isTrue();
  }

  /** Other bytes in all data that the server has sent. */
  private void editData() throws IOException {
    List<UserRecording.Entry> entries;
    try (var recording = UserRecording.open(file)) {
      entries = UserRecordingTest.entries(recording);
    }
    var bytes = Files.readAllBytes(file);
    for (var entry : entries) {
      int at = (int) entry.position();
      boolean hasData =
          entry.kind() == UserRecording.Kind.MESSAGE
              && entry.direction() == MessageDirection.TO_CLIENT
              && entry.byteSize() == 40
              && ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).getShort(at + 2)
                  == Command.REGION_READ.number();
      if (hasData) {
        bytes[at + 32]++;
      }
    }
    Files.write(file, bytes);
  }

  @Test
  void tellsWhatAnotherServerDoesOtherwise() throws Exception {
    record(false, 1);
    var report = replayTo(new GpioModel(), false);
    assertThat(report.isSame()).isFalse();
    assertThat(report.differences())
        .anySatisfy(
            difference -> {
              assertThat(difference.command()).isEqualTo("DEVICE_GET_REGION_INFO");
              assertThat(difference.field()).isEqualTo("size");
              assertThat(difference.recorded()).isEqualTo("4 KiB");
              assertThat(difference.kind()).isEqualTo(ReplayDifference.Kind.FIELD);
            })
        .anySatisfy(
            difference -> {
              assertThat(difference.command()).isEqualTo("DMA_WRITE");
              assertThat(difference.kind()).isEqualTo(ReplayDifference.Kind.MISSING);
            })
        .anySatisfy(
            difference -> {
              assertThat(difference.field()).isEqualTo("error");
              assertThat(difference.recorded()).isEqualTo("none");
              assertThat(difference.came()).isEqualTo("EINVAL");
            });
  }

  @Test
  void tellsThatTheServerHungUpOrSaysNothing() throws Exception {
    record(false, 1);
    try (var model = new LatchModel();
        var _ = VfioUserServer.serve(model, server);
        var _ =
            new LyingServer(
                directory.resolve("liar"),
                server,
                (command, reply) ->
                    LyingServer.command(command) == Command.DMA_MAP.number()
                        ? null
                        : List.of(reply));
        var recording = UserRecording.open(file);
        var replay = new UserReplay(recording, PATIENCE, false)) {
      var report = replay.asClient(directory.resolve("liar"));
      assertThat(report.differences())
          .singleElement()
          .satisfies(
              difference -> {
                assertThat(difference.kind()).isEqualTo(ReplayDifference.Kind.MISSING);
                assertThat(difference.came()).isEqualTo("the server closed the connection");
                assertThat(difference.command()).isEqualTo("DMA_MAP");
              });
    }
  }

  @Test
  void saysThatThereIsNoServer() throws Exception {
    record(false, 1);
    try (var recording = UserRecording.open(file);
        var replay = new UserReplay(recording, Duration.ofMillis(50), false)) {
      assertThatThrownBy(() -> replay.asClient(directory.resolve("nobody")))
          .isInstanceOfSatisfying(
              VfioException.class, e -> assertThat(e.errno()).contains(Errno.ENOENT));
    }
  }

  private ReplayReport playServer(ClientOf client) throws Exception {
    var path = directory.resolve("played");
    try (var recording = UserRecording.open(file);
        var replay = new UserReplay(recording, PATIENCE, false)) {
      var played = new FutureTask<>(() -> replay.asServer(path));
      Thread.ofPlatform().start(played);
      client.meet(path);
      var report = played.get(60, TimeUnit.SECONDS);
      assertThat(path).doesNotExist();
      return report;
    }
  }

  /** A client of the server that is played. */
  private interface ClientOf {
    void meet(Path path) throws Exception;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void playsTheServerToAClientThatDoesTheSame(boolean hasTwin) throws Exception {
    record(hasTwin, 1);
    var report =
        playServer(
            path -> {
              try (var session = new Session(path, hasTwin)) {
                session.run();
                assertThat(session.written)
                    .containsExactly(0x1122334455667788L, 0x1122334455667788L);
              }
            });
    assertThat(report.differences()).isEmpty();
    assertThat(report.compared()).isEqualTo(23 + 2);
  }

  @Test
  void tellsWhatAnotherClientDoesOtherwise() throws Exception {
    record(false, 1);
    var report =
        playServer(
            path -> {
              try (var session = new Session(path, false)) {
                // What was recorded, in another order.
                session.succeeds(Command.DEVICE_GET_REGION_INFO, Payload.regionInfo(4096, 7));
                session.succeeds(Command.DEVICE_GET_INFO, Payload.deviceInfo(16));
                // One of the kind that was recorded, and one that was not.
                session.succeeds(Command.DMA_MAP, Payload.map(BOTH, 0, 0x5000, 4096));
                assertThat(session.main.call(Command.DEVICE_RESET, Payload.empty()).errno())
                    .isEqualTo(Errno.EOPNOTSUPP.number());
              }
            });
    assertThat(report.differences())
        .anySatisfy(
            difference -> {
              assertThat(difference.field()).isEqualTo("address");
              assertThat(difference.came()).isEqualTo("0x5000");
            })
        .anySatisfy(
            difference -> {
              assertThat(difference.kind()).isEqualTo(ReplayDifference.Kind.UNEXPECTED);
              assertThat(difference.command()).isEqualTo("DEVICE_RESET");
            })
        .anySatisfy(
            difference -> {
              assertThat(difference.kind()).isEqualTo(ReplayDifference.Kind.MISSING);
              assertThat(difference.recorded()).endsWith("more commands");
            })
        .noneSatisfy(
            difference -> {
              assertThat(difference.command()).isEqualTo("DEVICE_GET_REGION_INFO");
              assertThat(difference.kind()).isEqualTo(ReplayDifference.Kind.FIELD);
            });
  }

  @Test
  @SuppressWarnings("try") // closing it early, by another thread, is what is tried
  void endsWhenItIsClosedWhileItWaitsForAClient() throws Exception {
    record(false, 1);
    var path = directory.resolve("played");
    try (var recording = UserRecording.open(file);
        var replay = new UserReplay(recording, PATIENCE, false)) {
      var played = new FutureTask<>(() -> replay.asServer(path));
      var thread = Thread.ofPlatform().start(played);
      while (!Files.exists(path) && thread.isAlive()) {
        Thread.sleep(5);
      }
      replay.close();
      assertThat(played.get(60, TimeUnit.SECONDS).connections()).isZero();
    }
  }

  @Test
  void refusesARecordingOfTheOtherByteOrder() throws Exception {
    record(false, 1);
    var bytes = Files.readAllBytes(file);
    var mark = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    mark.putInt(12, Integer.reverseBytes(mark.getInt(12)));
    Files.write(file, bytes);
    try (var recording = UserRecording.open(file);
        var replay = new UserReplay(recording, PATIENCE, false)) {
      assertThatThrownBy(() -> replay.asClient(server)).hasMessageContaining("other byte order");
    }
  }
}
