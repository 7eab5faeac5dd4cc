// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.DeviceFeature;
import io.jvfio.DmaRange;
import io.jvfio.MigrationSink;
import io.jvfio.MigrationSource;
import io.jvfio.MigrationState;
import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.OpenDescriptors;
import io.jvfio.user.ScriptedServer;
import io.jvfio.user.ScriptedServer.Exchange;
import io.jvfio.user.VfioUser;
import io.jvfio.user.VfioUserDevice;
import io.jvfio.user.VfioUserOptions;
import io.jvfio.user.wire.FeatureMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MigrationData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Features of a device over a socket: migration by messages, logs of writes without pointers. */
@Timeout(120)
class ClientFeaturesTest {
  private static final long HEAD = FeatureMessage.BYTES;
  private static final int TRANSFER = 1 << 20;

  @TempDir Path directory;

  private ScriptedServer server;
  private VfioUserDevice device;
  private long descriptors;
  private final Migrating program = new Migrating();

  @BeforeEach
  void open() {
    descriptors = OpenDescriptors.count();
    var path = directory.resolve("s");
    server = ScriptedServer.at(path);
    server.script = program;
    device = VfioUser.open(path, VfioUserOptions.defaults().withReconnect(Duration.ofSeconds(60)));
  }

  @AfterEach
  void nothingStaysOpen() {
    device.close();
    server.close();
    assertThat(OpenDescriptors.count()).isEqualTo(descriptors);
  }

  /** A server whose device can be migrated, and keeps a log. */
  private static final class Migrating implements ScriptedServer.Script {
    volatile int state = Vfio.VFIO_DEVICE_STATE_RUNNING;
    byte[] data = new byte[0];
    int read;
    final ByteArrayOutputStream written = new ByteArrayOutputStream();
    final List<String> told = new ArrayList<>();
    volatile boolean hangsUp;

    @Override
    public boolean answers(Exchange exchange) {
      return switch (exchange.command()) {
        case DEVICE_FEATURE -> feature(exchange);
        case MIG_DATA_READ -> {
          int asked = MigrationData.SIZE.get(exchange.message);
          int count = Math.min(asked, data.length - read);
          var reply = exchange.reply(MigrationData.BYTES + (long) count);
          MigrationData.ARGSZ.set(reply, count + 8);
          MigrationData.SIZE.set(reply, count);
          MemorySegment.copy(data, read, reply, ValueLayout.JAVA_BYTE, MigrationData.BYTES, count);
          read += count;
          yield exchange.send(reply);
        }
        case MIG_DATA_WRITE -> {
          int count = MigrationData.SIZE.get(exchange.message);
          written.writeBytes(
              exchange.message.asSlice(MigrationData.BYTES, count).toArray(ValueLayout.JAVA_BYTE));
          yield hangsUp ? exchange.hangUp() : exchange.succeed();
        }
        default -> false;
      };
    }

    private boolean feature(Exchange exchange) {
      var message = exchange.message;
      int flags = message.get(Layouts.U32, Header.SIZE + 4);
      int feature = flags & Vfio.VFIO_DEVICE_FEATURE_MASK;
      boolean isSet = (flags & Vfio.VFIO_DEVICE_FEATURE_SET) != 0;
      if ((flags & Vfio.VFIO_DEVICE_FEATURE_PROBE) != 0) {
        boolean isKnown = feature == 1 || feature == 2 || (feature >= 6 && feature <= 8);
        return isKnown ? exchange.send(exchange.reply(HEAD)) : exchange.fail(22);
      }
      return switch (feature) {
        case Vfio.VFIO_DEVICE_FEATURE_MIGRATION -> {
          var reply = exchange.reply(HEAD + 8);
          reply.set(Layouts.U64, HEAD, 5);
          yield exchange.send(reply);
        }
        case Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE -> {
          if (isSet) {
            state = message.get(Layouts.U32, HEAD);
          }
          var reply = exchange.reply(HEAD + 8);
          reply.set(Layouts.U32, HEAD, state);
          yield exchange.send(reply);
        }
        case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START -> {
          int count = message.get(Layouts.U32, HEAD + 8);
          for (int i = 0; i < count; i++) {
            told.add(
                "watch 0x%x..%d"
                    .formatted(
                        message.get(Layouts.U64, HEAD + 16 + i * 16L),
                        message.get(Layouts.U64, HEAD + 24 + i * 16L)));
          }
          var reply = exchange.reply(exchange.size);
          reply.set(Layouts.U64, HEAD, 8192);
          yield exchange.send(reply);
        }
        case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT -> {
          long iova = message.get(Layouts.U64, HEAD);
          long length = message.get(Layouts.U64, HEAD + 8);
          long page = message.get(Layouts.U64, HEAD + 16);
          long words = Math.ceilDiv(Math.ceilDiv(length, page), 64);
          told.add("report 0x%x, %d words".formatted(iova, words));
          var reply = exchange.reply(HEAD + 24 + words * 8);
          reply.set(Layouts.U64, HEAD + 24, iova == 0 ? 0b101 : 1);
          yield exchange.send(reply);
        }
        case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP -> {
          told.add("stop");
          yield exchange.send(exchange.reply(HEAD));
        }
        default -> exchange.fail(Errno.EINVAL.number());
      };
    }
  }

  @Test
  void tellsWhichFeaturesTheServerHas() {
    assertThat(device.features().supported())
        .containsExactlyInAnyOrder(
            DeviceFeature.MIGRATION,
            DeviceFeature.MIGRATION_STATE,
            DeviceFeature.DMA_LOGGING_START,
            DeviceFeature.DMA_LOGGING_STOP,
            DeviceFeature.DMA_LOGGING_REPORT);
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.features().enterLowPower())
        .withMessageContaining("The server has no such feature.");
  }

  private static byte[] randomBytes(int count) {
    var bytes = new byte[count];
    new Random(5).nextBytes(bytes);
    return bytes;
  }

  @Test
  void readsTheStateOfADeviceThatRunsAndStops() throws IOException {
    program.data = randomBytes(3 * TRANSFER + 17);
    var migration = device.features().migration();
    assertThat(migration.copiesWhileRunning()).isTrue();
    assertThat(migration.state()).isEqualTo(MigrationState.RUNNING);
    var source = (MigrationSource) migration.enter(MigrationState.PRE_COPY).orElseThrow();
    var read = ByteBuffer.allocate(program.data.length);
    while (source.read(read) > 0) {
      Thread.onSpinWait();
    }
    assertThat(read.array()).isEqualTo(program.data);
    assertThat(source.read(ByteBuffer.allocate(10))).as("for now").isZero();
    assertThat(migration.enter(MigrationState.STOP_COPY)).as("the same stream goes on").isEmpty();
    assertThat(source.read(ByteBuffer.allocate(10))).as("the end").isEqualTo(-1);
    migration.enter(MigrationState.STOP);
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> source.read(ByteBuffer.allocate(10)))
        .withMessageContaining("ENODEV");
    source.close();
  }

  @Test
  void writesTheStateOfADevice() throws IOException {
    var data = randomBytes(2 * TRANSFER + 5);
    var migration = device.features().migration();
    try (var sink = (MigrationSink) migration.enter(MigrationState.RESUMING).orElseThrow()) {
      sink.write(ByteBuffer.wrap(data));
      assertThat(migration.enter(MigrationState.RUNNING)).isEmpty();
    }
    assertThat(program.written.toByteArray()).isEqualTo(data);
    assertThat(program.state).isEqualTo(Vfio.VFIO_DEVICE_STATE_RUNNING);
  }

  @Test
  void endsAStreamWithItsConnection() {
    var migration = device.features().migration();
    var sink = (MigrationSink) migration.enter(MigrationState.RESUMING).orElseThrow();
    program.hangsUp = true;
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> sink.write(ByteBuffer.wrap(new byte[5])))
        .withMessageContaining("not known whether it was done");
    program.hangsUp = false;
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> sink.write(ByteBuffer.wrap(new byte[5])))
        .withMessageContaining("ENODEV");
    sink.close();
  }

  @Test
  void readsALogInAsManyMessagesAsItTakes() {
    long page = 8192;
    long pages = 10_000_000; // more bits than a message has
    var range = new DmaRange(0, pages * page);
    try (var log = device.features().startDmaLogging(4096, List.of(range));
        var arena = Arena.ofConfined()) {
      assertThat(log.pageSize()).isEqualTo(page);
      var bitmap = arena.allocate(Math.ceilDiv(pages, 64) * 8, 8);
      log.read(range, bitmap);
      long wordsInFirst = (TRANSFER - 24) / 8;
      assertThat(program.told)
          .containsExactly(
              "watch 0x0..%d".formatted(pages * page),
              "report 0x0, %d words".formatted(wordsInFirst),
              "report 0x%x, %d words"
                  .formatted(wordsInFirst * 64 * page, Math.ceilDiv(pages, 64) - wordsInFirst));
      assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0b101);
      assertThat(bitmap.get(ValueLayout.JAVA_LONG, wordsInFirst * 8)).isEqualTo(1);
      assertThat(Arrays.stream(bitmap.toArray(ValueLayout.JAVA_LONG)).filter(w -> w != 0).count())
          .isEqualTo(2);
    }
    assertThat(program.told.getLast()).isEqualTo("stop");
  }
}
