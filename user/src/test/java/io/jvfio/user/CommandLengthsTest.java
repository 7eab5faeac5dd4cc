// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DirtyBitmap;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.WriteMulti;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a command says of itself against what came: by a byte too short, too long, too much, and
 * just right. A server that believed it would write to the device what another message had left.
 */
@Timeout(60)
class CommandLengthsTest {
  private static final int INVALID = Errno.EINVAL.number();
  private static final int MOST_DATA = 4096;
  private static final int BAR = 0;
  private static final int BAR_SIZE = 4096;
  private static final int REGIONS = 9;
  private static final int IRQ_INDEXES = 5;

  private final ScriptedModel model = new ScriptedModel();
  private final AtomicInteger writes = new AtomicInteger();
  private Served served;
  private RawClient client;

  @BeforeEach
  void connect(@TempDir Path directory) throws Exception {
    model.onWrite = _ -> writes.incrementAndGet();
    served = new Served(model, directory, options -> options.withLimits(16, MOST_DATA, 8));
    client = served.client();
    client.out.asSlice(0, 8192).fill((byte) 0);
  }

  @AfterEach
  void close() {
    client.close();
    served.close();
  }

  private int access(Command command, int region, long offset, int count, int size) {
    return client.access(command, region, offset, count, size);
  }

  /** Sends a payload of 32-bit numbers. */
  private int send(Command command, int size, int... numbers) {
    for (int i = 0; i < numbers.length; i++) {
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE + 4L * i, numbers[i]);
    }
    return client.call(command, size);
  }

  private int answer(int index) {
    return client.in().get(ValueLayout.JAVA_INT, Header.SIZE + 4L * index);
  }

  private long answerSize() {
    return Header.size(client.in());
  }

  @Test
  void aWriteHasAsManyBytesAsItSays() {
    int size = RegionAccess.BYTES;
    for (int count : new int[] {3, 5, 8, 100, MOST_DATA, MOST_DATA + 1, -1, Integer.MAX_VALUE}) {
      assertThat(access(Command.REGION_WRITE, BAR, 0, count, size + 4))
          .as("%d bytes of 4", count)
          .isEqualTo(INVALID);
    }
    assertThat(access(Command.REGION_WRITE, BAR, 0, 4, size)).isEqualTo(INVALID);
    assertThat(access(Command.REGION_WRITE, BAR, 0, -1, size - 1)).isEqualTo(INVALID);
    assertThat(access(Command.REGION_WRITE, BAR, 0, MOST_DATA + 1, size + MOST_DATA + 1))
        .as("more than is taken")
        .isEqualTo(INVALID);
    assertThat(writes).as("the device has seen nothing of it").hasValue(0);

    assertThat(access(Command.REGION_WRITE, BAR, 8, 4, size + 4)).isZero();
    assertThat(writes).hasValue(1);
    assertThat(answerSize()).isEqualTo(size);
    assertThat(RegionAccess.OFFSET.get(client.in())).isEqualTo(8);
    assertThat(RegionAccess.REGION.get(client.in())).isEqualTo(BAR);
    assertThat(RegionAccess.COUNT.get(client.in())).isEqualTo(4);
    assertThat(access(Command.REGION_WRITE, BAR, 0, MOST_DATA, size + MOST_DATA)).isZero();
    assertThat(access(Command.REGION_WRITE, BAR, BAR_SIZE - 4, 8, size + 8)).isNotZero();
  }

  /** The bytes of one write after the other, and of none before. */
  @Test
  void aWriteHasItsOwnBytes() {
    long[] seen = new long[1];
    model.onWrite = value -> seen[0] = value;
    for (int width : new int[] {1, 2, 4, 8}) {
      long value = 0x1122_3344_5566_7788L & (-1L >>> (64 - 8 * width));
      assertThat(client.write(BAR, 0, width, value)).isZero();
      assertThat(seen[0]).as("width %d", width).isEqualTo(value);
    }
  }

  @Test
  void aReadIsNoLongerThanItsAnswerMayBe() {
    int size = RegionAccess.BYTES;
    assertThat(access(Command.REGION_READ, BAR, 0, 4, size - 1)).isEqualTo(INVALID);
    assertThat(access(Command.REGION_READ, BAR, 0, 4, size + 1)).isEqualTo(INVALID);
    assertThat(access(Command.REGION_READ, BAR, 0, -1, size)).isEqualTo(INVALID);
    assertThat(access(Command.REGION_READ, BAR, 0, MOST_DATA + 1, size)).isEqualTo(INVALID);
    assertThat(access(Command.REGION_READ, BAR, 0, MOST_DATA, size)).isZero();
    assertThat(answerSize()).isEqualTo(size + MOST_DATA);
    assertThat(access(Command.REGION_READ, BAR, 8, 4, size)).isZero();
    assertThat(answerSize()).isEqualTo(size + 4);
    assertThat(RegionAccess.OFFSET.get(client.in())).isEqualTo(8);
    assertThat(RegionAccess.REGION.get(client.in())).isEqualTo(BAR);
    assertThat(RegionAccess.COUNT.get(client.in())).isEqualTo(4);
  }

  @Test
  void aReadIsNoLongerThanTheClientTakes() throws Exception {
    try (var modest = new RawClient(nextServer())) {
      assertThat(modest.version("{\"capabilities\":{\"max_data_xfer_size\":64}}")).isZero();
      assertThat(modest.read(BAR, 0, 65)).isEqualTo(INVALID);
      assertThat(modest.read(BAR, 0, 64)).isZero();
    }
  }

  /** The server has one client: the next one comes when this one has gone. */
  private Path nextServer() throws InterruptedException {
    client.close();
    served.awaitLeft(1);
    return served.path;
  }

  @Test
  void manyWritesAreAsManyAsTheySay() {
    int one = WriteMulti.BYTES + WriteMulti.Entry.BYTES;
    WriteMulti.COUNT.set(client.out, 1);
    WriteMulti.Entry.write(client.out, 0, 0, BAR, 8);
    assertThat(client.call(Command.REGION_WRITE_MULTI, one - 1)).isEqualTo(INVALID);
    WriteMulti.COUNT.set(client.out, 1);
    assertThat(client.call(Command.REGION_WRITE_MULTI, one + 1)).isEqualTo(INVALID);
    for (long count : new long[] {0, 2, -1, 1L << 16, (1L << 32) + 1}) {
      WriteMulti.COUNT.set(client.out, count);
      assertThat(client.call(Command.REGION_WRITE_MULTI, one)).as("%d", count).isEqualTo(INVALID);
    }
    WriteMulti.COUNT.set(client.out, 1);
    assertThat(client.call(Command.REGION_WRITE_MULTI, WriteMulti.BYTES - 1)).isEqualTo(INVALID);
    for (int bytes : new int[] {0, 9, -1}) {
      WriteMulti.COUNT.set(client.out, 1);
      WriteMulti.Entry.write(client.out, 0, 0, BAR, bytes);
      assertThat(client.call(Command.REGION_WRITE_MULTI, one)).as("%d", bytes).isEqualTo(INVALID);
    }
    assertThat(writes).hasValue(0);

    WriteMulti.COUNT.set(client.out, 0);
    assertThat(client.call(Command.REGION_WRITE_MULTI, WriteMulti.BYTES)).isZero();
    for (int bytes : new int[] {1, 8}) {
      WriteMulti.COUNT.set(client.out, 1);
      WriteMulti.Entry.write(client.out, 0, 0, BAR, bytes);
      assertThat(client.call(Command.REGION_WRITE_MULTI, one)).isZero();
      assertThat(WriteMulti.COUNT.get(client.in())).isOne();
      assertThat(answerSize()).isEqualTo(WriteMulti.BYTES);
    }
    assertThat(writes).hasValue(2);
  }

  @Test
  void aMapHasAllItsFieldsAndOneDescriptorAtMost() {
    int argsz = DmaMapMessage.BYTES - Header.SIZE;
    DmaMapMessage.SIZE.set(client.out, 4096);
    assertThat(send(Command.DMA_MAP, DmaMapMessage.BYTES, argsz - 1)).isEqualTo(INVALID);
    assertThat(send(Command.DMA_MAP, DmaMapMessage.BYTES - 1, argsz)).isEqualTo(INVALID);
    assertThat(send(Command.DMA_MAP, DmaMapMessage.BYTES, argsz, 0x13)).isEqualTo(INVALID);
    int first = LinuxKernel.instance().eventFd(0, 0);
    int second = LinuxKernel.instance().eventFd(0, 0);
    assertThat(client.map(0, 4096, 3, first, second)).isEqualTo(INVALID);
    LinuxKernel.instance().close(first);
    LinuxKernel.instance().close(second);
    assertThat(client.map(0, 4096, 3)).isZero();
    assertThat(answerSize()).isEqualTo(Header.SIZE);
  }

  @Test
  void anUnmapHasAllItsFields() {
    assertThat(client.map(0x1000, 4096, 3)).isZero();
    int argsz = DmaUnmapMessage.BYTES - Header.SIZE;
    assertThat(send(Command.DMA_UNMAP, DmaUnmapMessage.BYTES - 1, argsz)).isEqualTo(INVALID);
    assertThat(send(Command.DMA_UNMAP, DmaUnmapMessage.BYTES, argsz - 1, 0, 0x1000, 0, 4096, 0))
        .isEqualTo(INVALID);
    assertThat(client.unmap(0x1000, 0, DmaUnmapMessage.ALL)).isEqualTo(INVALID);
    assertThat(client.unmap(0, 4096, DmaUnmapMessage.ALL)).isEqualTo(INVALID);
    int both = DmaUnmapMessage.ALL | DmaUnmapMessage.GET_DIRTY_BITMAP;
    assertThat(client.unmap(0, 0, both)).isEqualTo(INVALID);
    assertThat(client.unmap(0x1000, 4096, DmaUnmapMessage.GET_DIRTY_BITMAP))
        .as("without what it says of the bitmap")
        .isEqualTo(INVALID);
    assertThat(client.unmap(0x2000, 4096, 0)).isEqualTo(Errno.ENOENT.number());
    assertThat(client.map(0x1000, 4096, 3)).as("it is there").isEqualTo(Errno.EEXIST.number());

    assertThat(client.unmap(0x1000, 4096, 0)).isZero();
    assertThat(answerSize()).isEqualTo(DmaUnmapMessage.BYTES);
    assertThat(DmaUnmapMessage.ARGSZ.get(client.in())).isEqualTo(argsz);
    assertThat(DmaUnmapMessage.FLAGS.get(client.in())).isZero();
    assertThat(DmaUnmapMessage.ADDRESS.get(client.in())).isEqualTo(0x1000);
    assertThat(DmaUnmapMessage.SIZE.get(client.in())).isEqualTo(4096);
  }

  /** There is a bitmap only where the server keeps a log of what the device writes. */
  private void startLog() {
    int start = Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
    assertThat(send(Command.DEVICE_FEATURE, Header.SIZE + 24, 24, start, 4096, 0, 0, 0)).isZero();
  }

  private int unmapWithBitmap(long pages, int argsz, long pageSize, long bytes, int size) {
    client.out.asSlice(Header.SIZE, 64).fill((byte) 0);
    DmaUnmapMessage.ARGSZ.set(client.out, argsz);
    DmaUnmapMessage.FLAGS.set(client.out, DmaUnmapMessage.GET_DIRTY_BITMAP);
    DmaUnmapMessage.ADDRESS.set(client.out, 0);
    DmaUnmapMessage.SIZE.set(client.out, pages << 12);
    client.out.set(ValueLayout.JAVA_LONG, DmaUnmapMessage.BYTES, pageSize);
    client.out.set(ValueLayout.JAVA_LONG, DmaUnmapMessage.BYTES + 8L, bytes);
    return client.call(Command.DMA_UNMAP, size);
  }

  @Test
  void aBitmapFitsWhereTheClientWantsIt() {
    int size = DirtyBitmap.BYTES;
    int argsz = size - Header.SIZE;
    startLog();
    assertThat(client.map(0, 65 << 12, 3)).isZero();
    // 65 pages are two words.
    assertThat(unmapWithBitmap(65, argsz + 16, 4096, 15, size)).isEqualTo(INVALID);
    assertThat(unmapWithBitmap(65, argsz + 15, 4096, 16, size)).isEqualTo(INVALID);
    assertThat(unmapWithBitmap(65, argsz + 16, 4096, 16, size - 1)).isEqualTo(INVALID);
    assertThat(unmapWithBitmap(65, argsz - 1, 4096, 16, size)).isEqualTo(INVALID);
    for (long pageSize : new long[] {0, 2048, 4097, 12288}) {
      assertThat(unmapWithBitmap(65, argsz + 16, pageSize, 16, size)).isEqualTo(INVALID);
    }
    assertThat(unmapWithBitmap(65, argsz + 16, 4096, 16, size)).isZero();
    assertThat(answerSize()).isEqualTo(size + 16);
    assertThat(DmaUnmapMessage.ARGSZ.get(client.in())).isEqualTo(argsz + 16);
    assertThat(DirtyBitmap.PAGE_SIZE.get(client.in())).isEqualTo(4096);
    assertThat(DirtyBitmap.BYTE_SIZE.get(client.in())).isEqualTo(16);
  }

  @Test
  void aBitmapIsNoLongerThanIsAgreed() {
    int argsz = DirtyBitmap.BYTES - Header.SIZE;
    long most = MOST_DATA * 8L;
    startLog();
    assertThat(client.map(0, (most + 1) << 12, 3)).isZero();
    assertThat(unmapWithBitmap(most + 1, argsz + MOST_DATA + 8, 4096, 4096, DirtyBitmap.BYTES))
        .isEqualTo(INVALID);
    assertThat(client.unmap(0, (most + 1) << 12, 0)).isZero();
    assertThat(client.map(0, most << 12, 3)).isZero();
    assertThat(unmapWithBitmap(most, argsz + MOST_DATA, 4096, MOST_DATA, DirtyBitmap.BYTES))
        .isZero();
  }

  @Test
  void theDeviceIsDescribedToWhoHasRoomForIt() {
    assertThat(send(Command.DEVICE_GET_INFO, Header.SIZE + 15, 16)).isEqualTo(INVALID);
    assertThat(send(Command.DEVICE_GET_INFO, Header.SIZE + 16, 15)).isEqualTo(INVALID);
    assertThat(send(Command.DEVICE_GET_INFO, Header.SIZE + 16, 16)).isZero();
    assertThat(answerSize()).isEqualTo(Header.SIZE + 16);
    int resetAndPci = 1 | 2;
    assertThat(new int[] {answer(0), answer(1), answer(2), answer(3)})
        .containsExactly(16, resetAndPci, REGIONS, IRQ_INDEXES);
  }

  @Test
  void aRegionIsDescribedToWhoHasRoomForIt() {
    var command = Command.DEVICE_GET_REGION_INFO;
    assertThat(send(command, Header.SIZE + 31, 32)).isEqualTo(INVALID);
    assertThat(send(command, Header.SIZE + 32, 31)).isEqualTo(INVALID);
    assertThat(send(command, Header.SIZE + 32, 32, 0, REGIONS)).isEqualTo(INVALID);
    assertThat(send(command, Header.SIZE + 32, 32, 0, -1)).isEqualTo(INVALID);
    assertThat(send(command, Header.SIZE + 32, 32, 0, REGIONS - 1)).isZero();
    assertThat(new int[] {answer(0), answer(1), answer(2), answer(4)})
        .as("there is none")
        .containsExactly(32, 0, REGIONS - 1, 0);
    assertThat(send(command, Header.SIZE + 32, 32, 0, BAR)).isZero();
    assertThat(answerSize()).isEqualTo(Header.SIZE + 32);
    int readAndWrite = 1 | 2;
    assertThat(new int[] {answer(0), answer(1), answer(2), answer(4)})
        .containsExactly(32, readAndWrite, BAR, BAR_SIZE);
  }

  @Test
  void anInterruptIsDescribedToWhoHasRoomForIt() {
    var command = Command.DEVICE_GET_IRQ_INFO;
    assertThat(send(command, Header.SIZE + 15, 16)).isEqualTo(INVALID);
    assertThat(send(command, Header.SIZE + 16, 15)).isEqualTo(INVALID);
    assertThat(send(command, Header.SIZE + 16, 16, 0, IRQ_INDEXES)).isEqualTo(INVALID);
    assertThat(send(command, Header.SIZE + 16, 16, 0, -1)).isEqualTo(INVALID);
    assertThat(send(command, Header.SIZE + 16, 16, 0, IRQ_INDEXES - 1)).isZero();
    assertThat(send(command, Header.SIZE + 16, 16, 0, 2)).isZero();
    assertThat(answerSize()).isEqualTo(Header.SIZE + 16);
    assertThat(new int[] {answer(0), answer(2), answer(3)}).containsExactly(16, 2, 16);
  }

  @Test
  void interruptsAreSetByAWholeCommand() {
    int size = Header.SIZE + 20;
    int disable = RawClient.NONE | RawClient.TRIGGER;
    assertThat(send(Command.DEVICE_SET_IRQS, size - 1, 20, disable, 2, 0, 0)).isEqualTo(INVALID);
    assertThat(send(Command.DEVICE_SET_IRQS, size, 19, disable, 2, 0, 0)).isEqualTo(INVALID);
    assertThat(send(Command.DEVICE_SET_IRQS, size, 20, disable, 2, 0, 0)).isZero();
    assertThat(answerSize()).isEqualTo(Header.SIZE);
  }

  @Test
  void aResetHasNothingToSay() {
    var resets = new AtomicInteger();
    model.onReset = resets::incrementAndGet;
    assertThat(client.call(Command.DEVICE_RESET, Header.SIZE + 1)).isEqualTo(INVALID);
    assertThat(resets).hasValue(0);
    assertThat(client.call(Command.DEVICE_RESET, Header.SIZE)).isZero();
    assertThat(answerSize()).isEqualTo(Header.SIZE);
    assertThat(resets).hasValue(1);
  }

  /** A descriptor that no command is about is refused, and closed. */
  @Test
  void descriptorsComeOnlyWithWhatTakesThem() {
    int fd = LinuxKernel.instance().eventFd(0, 0);
    for (var command : Command.values()) {
      if (command != Command.DMA_MAP
          && command != Command.DEVICE_SET_IRQS
          && !command.isFromServer()) {
        assertThat(client.call(command, Header.SIZE, fd)).as("%s", command).isEqualTo(INVALID);
      }
    }
    LinuxKernel.instance().close(fd);
  }
}
