// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_GET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIGRATION;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_PROBE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_SET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_ERROR;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_PRE_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_MIGRATION_STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.InterruptPort;
import io.jvfio.model.edu.EduModel;
import io.jvfio.testkit.LatchModel;
import io.jvfio.user.SharedFile;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MigrationData;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MigrationServerTest {
  private static final int MAX_TRANSFER = 4096;
  private static final int MAX_STATE = 20_000;
  private static final int INVALID = Errno.EINVAL.result();
  private static final int HEAD = Header.SIZE;
  private static final int DATA = HEAD + 8;

  private final Arena arena = Arena.ofShared();
  private final LatchModel model = new LatchModel();
  private final Server source = new Server(model);

  @AfterEach
  void close() {
    source.memory.close();
    arena.close();
  }

  /** What a session has of a device, without its socket. */
  private final class Server implements MigrationServer.Host {
    final List<String> events = new ArrayList<>();
    final ClientMemory memory;
    final MigrationServer migration;
    final MemorySegment reply = arena.allocate(HEAD + MAX_TRANSFER + 64, 8);

    Server(DeviceModel model) {
      memory =
          new ClientMemory(
              LinuxKernel.instance(),
              () -> !this.migration().isHalted(),
              new ClientMemory.DmaMessages() {
                @Override
                public int read(long iova, MemorySegment to, long offset, long byteSize) {
                  return 0;
                }

                @Override
                public int write(long iova, MemorySegment from, long offset, long byteSize) {
                  return 0;
                }
              },
              4);
      migration = new MigrationServer(model, memory.log(), this, MAX_TRANSFER, MAX_STATE);
      model.connect(
          memory,
          new InterruptPort() {
            @Override
            public void signal(int vector) {}

            @Override
            public void line(boolean asserted) {}
          });
    }

    private MigrationServer migration() {
      return migration;
    }

    @Override
    public void restored() {
      events.add("restored");
    }

    @Override
    public void resumed() {
      events.add("resumed");
    }

    int feature(int flags, int argsz, long... data) {
      int size = DATA + data.length * Long.BYTES;
      var message = arena.allocate(size, 8);
      Header.writeCommand(message, 1, Command.DEVICE_FEATURE, size);
      message.set(Layouts.U32, HEAD, argsz);
      message.set(Layouts.U32, HEAD + 4, flags);
      for (int i = 0; i < data.length; i++) {
        message.set(Layouts.U64, DATA + (long) i * Long.BYTES, data[i]);
      }
      reply.fill((byte) 0x5a);
      int result = migration.feature(message, size, reply);
      if (result > 0) {
        assertThat(reply.get(Layouts.U32, HEAD + 4)).isEqualTo(flags);
      }
      return result;
    }

    int enter(int state) {
      int result =
          feature(
              VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | VFIO_DEVICE_FEATURE_SET,
              16,
              Integer.toUnsignedLong(state));
      return result > 0 ? 0 : result;
    }

    int state() {
      assertThat(feature(VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | VFIO_DEVICE_FEATURE_GET, 16))
          .isEqualTo(16);
      assertThat(reply.get(Layouts.U32, HEAD)).isEqualTo(16);
      return reply.get(Layouts.U32, DATA);
    }

    int read(int size, int argsz) {
      var message = arena.allocate(MigrationData.BYTES, 8);
      Header.writeCommand(message, 1, Command.MIG_DATA_READ, MigrationData.BYTES);
      MigrationData.ARGSZ.set(message, argsz);
      MigrationData.SIZE.set(message, size);
      return migration.readData(message, MigrationData.BYTES, reply);
    }

    int write(byte[] bytes, int from, int count) {
      int size = MigrationData.BYTES + count;
      var message = arena.allocate(size, 8);
      Header.writeCommand(message, 1, Command.MIG_DATA_WRITE, size);
      MigrationData.ARGSZ.set(message, size - HEAD);
      MigrationData.SIZE.set(message, count);
      MemorySegment.copy(bytes, from, message, ValueLayout.JAVA_BYTE, MigrationData.BYTES, count);
      return migration.writeData(message, size);
    }

    /** Reads all data, as a client does: until less comes than was asked for. */
    byte[] readAll(int piece) {
      var all = new ArrayList<Byte>();
      int count;
      do {
        int payload = read(piece, piece + 8);
        count = MigrationData.SIZE.get(reply);
        assertThat(payload).isEqualTo(count + 8);
        assertThat(MigrationData.ARGSZ.get(reply)).isEqualTo(payload);
        for (int i = 0; i < count; i++) {
          all.add(reply.get(ValueLayout.JAVA_BYTE, MigrationData.BYTES + (long) i));
        }
      } while (count == piece);
      var bytes = new byte[all.size()];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = all.get(i);
      }
      return bytes;
    }

    void writeAll(byte[] bytes, int piece) {
      for (int at = 0; at < bytes.length; at += piece) {
        assertThat(write(bytes, at, Math.min(piece, bytes.length - at))).isZero();
      }
    }
  }

  @Test
  void aDeviceGoesOnWhereItIsCarriedTo() throws Exception {
    var otherModel = new LatchModel();
    var target = new Server(otherModel);
    try (var file = new SharedFile(8192);
        var otherMemory = target.memory) {
      assertThat(source.memory.map(file.descriptor(), 0, 0, 8192, true, true)).isZero();
      assertThat(otherMemory.map(file.descriptor(), 0, 0, 8192, true, true)).isZero();
      model.config().write(4, 2, 6);
      model.write(0, LatchModel.VALUE, 8, 0x1122334455667788L);
      model.write(0, LatchModel.IOVA, 8, 0x1008);

      assertThat(source.enter(VFIO_DEVICE_STATE_STOP_COPY)).isZero();
      assertThat(source.state()).isEqualTo(VFIO_DEVICE_STATE_STOP_COPY);
      var data = source.readAll(100);
      assertThat(target.enter(VFIO_DEVICE_STATE_RESUMING)).isZero();
      target.writeAll(data, 77);
      assertThat(target.enter(VFIO_DEVICE_STATE_RUNNING)).isZero();

      assertThat(otherModel.config().read(4, 2)).isEqualTo(6);
      assertThat(otherModel.read(0, LatchModel.VALUE, 8)).isEqualTo(0x1122334455667788L);
      otherModel.write(0, LatchModel.STORE, 8, 0);
      assertThat(file.bytes(0x1008, 2)).containsExactly(0x88, 0x77);
      assertThat(model.calls).containsExactly("quiesce", "save");
      assertThat(otherModel.calls).containsExactly("quiesce", "reset", "restore", "resume");
      assertThat(target.events).containsExactly("restored", "resumed");

      // The one that was left is stopped: it reaches no memory until it is told to go on.
      model.write(0, LatchModel.VALUE, 8, -1);
      model.write(0, LatchModel.STORE, 8, 0);
      assertThat(model.calls).endsWith("fault");
      assertThat(file.bytes(0x1008, 2)).containsExactly(0x88, 0x77);
      assertThat(source.enter(VFIO_DEVICE_STATE_RUNNING)).isZero();
      model.write(0, LatchModel.STORE, 8, 0);
      assertThat(file.bytes(0x1008, 2)).containsExactly(-1, -1);
    }
  }

  @Test
  void statesAreEnteredByTheShortestWay() {
    assertThat(source.state()).isEqualTo(VFIO_DEVICE_STATE_RUNNING);
    assertThat(source.enter(VFIO_DEVICE_STATE_RUNNING)).isZero();
    assertThat(model.calls).isEmpty();
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP)).isZero();
    assertThat(source.migration.isHalted()).isTrue();
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP_COPY)).isZero();
    assertThat(source.enter(VFIO_DEVICE_STATE_RUNNING)).isZero();
    assertThat(source.migration.isHalted()).isFalse();
    assertThat(model.calls).containsExactly("quiesce", "save", "resume");
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP_COPY)).isZero();
    assertThat(source.enter(VFIO_DEVICE_STATE_RESUMING)).isZero();
    assertThat(source.state()).isEqualTo(VFIO_DEVICE_STATE_RESUMING);
  }

  @Test
  void aDeviceWhoseTransfersDoNotEndGoesOn() {
    model.isStuck = true;
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP_COPY)).isEqualTo(Errno.EBUSY.result());
    assertThat(source.state()).isEqualTo(VFIO_DEVICE_STATE_RUNNING);
    assertThat(model.calls).containsExactly("quiesce", "resume");
    model.isStuck = false;
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP_COPY)).isZero();
  }

  @Test
  void statesThatThereAreNotAreRefusedAndChangeNothing() {
    for (int state :
        new int[] {VFIO_DEVICE_STATE_ERROR, VFIO_DEVICE_STATE_PRE_COPY, 5, 7, 8, -1, 1 << 31}) {
      assertThat(source.enter(state)).isEqualTo(INVALID);
      assertThat(source.state()).isEqualTo(VFIO_DEVICE_STATE_RUNNING);
    }
    assertThat(model.calls).isEmpty();
  }

  @Test
  void aStateThatIsNoneEndsInAnErrorThatOnlyAResetHeals() {
    assertThat(source.enter(VFIO_DEVICE_STATE_RESUMING)).isZero();
    source.writeAll(new byte[500], 100);
    assertThat(source.enter(VFIO_DEVICE_STATE_RUNNING)).isEqualTo(INVALID);
    assertThat(source.state()).isEqualTo(VFIO_DEVICE_STATE_ERROR);
    assertThat(source.migration.isHalted()).isTrue();
    for (int state = 0; state < 8; state++) {
      if (state != VFIO_DEVICE_STATE_ERROR) {
        assertThat(source.enter(state)).isEqualTo(INVALID);
      }
    }
    assertThat(source.write(new byte[8], 0, 8)).isEqualTo(INVALID);
    source.migration.reset();
    assertThat(source.state()).isEqualTo(VFIO_DEVICE_STATE_RUNNING);
    assertThat(model.calls).containsExactly("quiesce", "reset", "resume");
    assertThat(source.events).containsExactly("restored", "resumed");
  }

  @Test
  void noDataAtAllIsNoState() {
    assertThat(source.enter(VFIO_DEVICE_STATE_RESUMING)).isZero();
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP)).isEqualTo(INVALID);
    assertThat(source.state()).isEqualTo(VFIO_DEVICE_STATE_ERROR);
  }

  @Test
  void aStateThatWasCutOrExtendedIsRefused() {
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP_COPY)).isZero();
    var data = source.readAll(MAX_TRANSFER);
    for (int length : new int[] {1, 15, 16, 200, data.length - 1, data.length + 1}) {
      source.migration.reset();
      assertThat(source.enter(VFIO_DEVICE_STATE_RESUMING)).isZero();
      source.writeAll(Arrays.copyOf(data, length), 1000);
      assertThat(source.enter(VFIO_DEVICE_STATE_STOP)).isEqualTo(INVALID);
    }
  }

  @Test
  void anEndlessStateIsRefused() {
    assertThat(source.enter(VFIO_DEVICE_STATE_RESUMING)).isZero();
    var piece = new byte[MAX_TRANSFER];
    for (int total = MAX_TRANSFER; total <= MAX_STATE; total += MAX_TRANSFER) {
      assertThat(source.write(piece, 0, MAX_TRANSFER)).isZero();
    }
    assertThat(source.write(piece, 0, MAX_TRANSFER)).isEqualTo(Errno.ENOSPC.result());
    assertThat(source.write(piece, 0, MAX_STATE % MAX_TRANSFER)).isZero();
    assertThat(source.write(piece, 0, 1)).isEqualTo(Errno.ENOSPC.result());
  }

  @Test
  void dataAreReadWhereThereAreSomeAndInPiecesOfTheAgreedSize() {
    model.padding = 3 * MAX_TRANSFER;
    assertThat(source.read(8, 16)).isEqualTo(INVALID);
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP_COPY)).isZero();
    assertThat(source.read(MAX_TRANSFER + 1, MAX_TRANSFER + 9)).isEqualTo(INVALID);
    assertThat(source.read(-1, -1)).isEqualTo(INVALID);
    assertThat(source.read(100, 107)).isEqualTo(INVALID);
    assertThat(source.read(0, 8)).isEqualTo(8);
    int length = source.readAll(MAX_TRANSFER).length;
    assertThat(length).isGreaterThan(3 * MAX_TRANSFER);
    assertThat(source.read(100, 108)).isEqualTo(8);
    assertThat(source.write(new byte[8], 0, 8)).isEqualTo(INVALID);
  }

  @Test
  void noMoreDataAreSentThanTheClientTakes() {
    source.migration.limit(100);
    assertThat(source.enter(VFIO_DEVICE_STATE_STOP_COPY)).isZero();
    assertThat(source.read(101, 109)).isEqualTo(INVALID);
    assertThat(source.readAll(100)).isNotEmpty();
    // What the client sends is limited by what the server takes.
    assertThat(source.enter(VFIO_DEVICE_STATE_RESUMING)).isZero();
    assertThat(source.write(new byte[MAX_TRANSFER], 0, MAX_TRANSFER)).isZero();
    assertThat(source.write(new byte[MAX_TRANSFER + 1], 0, MAX_TRANSFER + 1)).isEqualTo(INVALID);
  }

  @Test
  void messagesThatAreTooShortAreRefused() {
    var message = arena.allocate(64, 8);
    message.set(Layouts.U32, HEAD, 64);
    int set = VFIO_DEVICE_FEATURE_SET;
    int get = VFIO_DEVICE_FEATURE_GET;
    var reply = source.reply;
    assertThat(source.migration.feature(message, HEAD, reply)).isEqualTo(INVALID);
    assertThat(source.migration.feature(message, HEAD + 7, reply)).isEqualTo(INVALID);
    message.set(Layouts.U32, HEAD + 4, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | set);
    assertThat(source.migration.feature(message, DATA + 7, reply)).isEqualTo(INVALID);
    message.set(Layouts.U32, HEAD + 4, VFIO_DEVICE_FEATURE_DMA_LOGGING_START | set);
    assertThat(source.migration.feature(message, DATA + 15, reply)).isEqualTo(INVALID);
    message.set(Layouts.U32, HEAD + 4, VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT | get);
    assertThat(source.migration.feature(message, DATA + 23, reply)).isEqualTo(INVALID);
    assertThat(source.migration.readData(message, MigrationData.BYTES - 1, reply))
        .isEqualTo(INVALID);
    assertThat(source.migration.writeData(message, MigrationData.BYTES - 1)).isEqualTo(INVALID);
    assertThat(source.enter(VFIO_DEVICE_STATE_RESUMING)).isZero();
    MigrationData.SIZE.set(message, 41);
    assertThat(source.migration.writeData(message, 64)).isEqualTo(INVALID);
    MigrationData.SIZE.set(message, -1);
    assertThat(source.migration.writeData(message, 64)).isEqualTo(INVALID);
  }

  @Test
  void featuresCanBeProbed() {
    int probe = VFIO_DEVICE_FEATURE_PROBE;
    int get = VFIO_DEVICE_FEATURE_GET;
    int set = VFIO_DEVICE_FEATURE_SET;
    assertThat(source.feature(VFIO_DEVICE_FEATURE_MIGRATION | probe, 8)).isEqualTo(8);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_MIGRATION | probe | get, 8)).isEqualTo(8);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_MIGRATION | probe | set, 8)).isEqualTo(INVALID);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | probe | get | set, 8))
        .isEqualTo(8);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_DMA_LOGGING_START | probe | set, 8)).isEqualTo(8);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT | probe | set, 8))
        .isEqualTo(INVALID);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_MIGRATION | probe, 7)).isEqualTo(INVALID);
    assertThat(source.feature(3 | probe, 8)).isEqualTo(Errno.EOPNOTSUPP.result());
    assertThat(source.feature(0xffff | probe, 8)).isEqualTo(Errno.EOPNOTSUPP.result());
    assertThat(source.feature(VFIO_DEVICE_FEATURE_MIGRATION, 16)).isEqualTo(INVALID);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | get | set, 16, 1))
        .isEqualTo(INVALID);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_MIGRATION | get | 1 << 20, 16))
        .isEqualTo(INVALID);
  }

  @Test
  void onlyStatesOfAStoppedDeviceAreOffered() {
    int flags = VFIO_DEVICE_FEATURE_MIGRATION | VFIO_DEVICE_FEATURE_GET;
    assertThat(source.feature(flags, 15)).isEqualTo(INVALID);
    assertThat(source.feature(flags, 16)).isEqualTo(16);
    assertThat(source.reply.get(Layouts.U64, DATA)).isEqualTo(VFIO_MIGRATION_STOP_COPY);
  }

  @Test
  void aModelThatCannotBeCarriedSaysSoAndItsWritesAreLoggedAllTheSame() {
    var server = new Server(new EduModel());
    int none = Errno.EOPNOTSUPP.result();
    assertThat(server.feature(VFIO_DEVICE_FEATURE_MIGRATION | VFIO_DEVICE_FEATURE_GET, 16))
        .isEqualTo(none);
    assertThat(server.enter(VFIO_DEVICE_STATE_STOP)).isEqualTo(none);
    assertThat(server.read(8, 16)).isEqualTo(INVALID);
    assertThat(
            server.feature(
                VFIO_DEVICE_FEATURE_DMA_LOGGING_START | VFIO_DEVICE_FEATURE_SET, 24, 4096, 0))
        .isEqualTo(24);
    server.memory.close();
  }

  private int startLog(long... data) {
    return source.feature(
        VFIO_DEVICE_FEATURE_DMA_LOGGING_START | VFIO_DEVICE_FEATURE_SET,
        8 + data.length * Long.BYTES,
        data);
  }

  private int report(int argsz, long... data) {
    return source.feature(
        VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT | VFIO_DEVICE_FEATURE_GET, argsz, data);
  }

  @Test
  void writesAreToldOfAsTheProtocolHasIt() throws Exception {
    assertThat(source.memory.map(-1, 0, 0, 1 << 20, true, true)).isZero();
    assertThat(report(40, 0, 0x10000, 4096)).isEqualTo(INVALID);
    assertThat(startLog(1024, 2, 0, 0x10000, 0x40000, 0x10000)).isEqualTo(8 + 48);
    assertThat(source.reply.get(Layouts.U64, DATA)).isEqualTo(4096);
    assertThat(source.reply.get(Layouts.U32, DATA + 8)).isEqualTo(2);
    source.memory.write(0x2000, MemorySegment.ofArray(new byte[4097]));
    assertThat(report(32 + 8, 0, 0x10000, 4096)).isEqualTo(40);
    assertThat(source.reply.get(Layouts.U32, HEAD)).isEqualTo(40);
    assertThat(source.reply.get(Layouts.U64, DATA + 8)).isEqualTo(0x10000);
    assertThat(source.reply.get(Layouts.U64, DATA + 24)).isEqualTo(0xc);
    assertThat(source.feature(VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP | VFIO_DEVICE_FEATURE_SET, 8))
        .isEqualTo(8);
    assertThat(report(40, 0, 0x10000, 4096)).isEqualTo(INVALID);
  }

  @Test
  void aReportThatFindsNoRoomTellsHowMuchItWantsAndLosesNothing() throws Exception {
    assertThat(source.memory.map(-1, 0, 0, 1 << 20, true, true)).isZero();
    assertThat(startLog(4096, 0)).isEqualTo(24);
    source.memory.write(0, MemorySegment.ofArray(new byte[1]));
    assertThat(report(31, 0, 0x100000, 4096)).isEqualTo(INVALID);
    assertThat(report(32, 0, 0x100000, 4096)).isEqualTo(32);
    assertThat(source.reply.get(Layouts.U32, HEAD)).isEqualTo(32 + 32);
    assertThat(report(64, 0, 0x100000, 4096)).isEqualTo(64);
    assertThat(source.reply.get(Layouts.U64, DATA + 24)).isEqualTo(1);
    assertThat(report(1 << 30, 0, Long.MIN_VALUE, 4096)).isEqualTo(INVALID);
    assertThat(report(1 << 30, 0, 0x10000, 0)).isEqualTo(INVALID);
    assertThat(report(64, -4096, 8192, 4096)).isEqualTo(Errno.EOVERFLOW.result());
  }

  @Test
  void rangesThatCannotBeAreRefused() {
    assertThat(startLog(4096, 1)).isEqualTo(INVALID);
    assertThat(startLog(4096, 0xffff_ffffL, 0, 4096)).isEqualTo(INVALID);
    assertThat(startLog(4096, 1, 0, 0)).isEqualTo(INVALID);
    assertThat(startLog(4096, 1, -4096, 8192)).isEqualTo(Errno.EOVERFLOW.result());
    assertThat(startLog(4095, 1, 0, 4096)).isEqualTo(INVALID);
    assertThat(startLog(4096, 1, -4096, 4096)).isEqualTo(40);
    assertThat(startLog(4096, 0)).isEqualTo(INVALID);
  }
}
