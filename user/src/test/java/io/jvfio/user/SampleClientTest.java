// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_GET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_SET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_PRE_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.model.MigratableModel;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MigrationData;
import io.jvfio.user.wire.RegionAccess;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the client among libvfio-user's samples does, step by step, with a device made for it: an
 * alarm that rings by its line and moves memory, and that is migrated before it rings again.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SampleClientTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final int PAGE = 4096;
  private static final int TRANSFER = 1024;
  private static final int BAR1_SIZE = 16 << 10;
  private static final int MAPS = 16;
  private static final int HEAD = Header.SIZE;
  private static final int READ_WRITE = DmaMapMessage.READABLE | DmaMapMessage.WRITABLE;

  private final Path directory;

  SampleClientTest(@TempDir Path directory) {
    this.directory = directory;
  }

  /**
   * The time to ring at in BAR0, memory in BAR1. To ring is to raise the line, to write a page and
   * read it again, and to write to the page behind it.
   */
  private static final class Alarm implements MigratableModel {
    final List<String> faults = new CopyOnWriteArrayList<>();
    private final ConfigSpace config = new ConfigSpace(256);
    private final byte[] memory = new byte[BAR1_SIZE];
    private @Nullable DmaPort dma;
    private @Nullable InterruptPort interrupts;
    private @Nullable Runnable poll;
    private long time;
    private volatile long target;
    private volatile long now;

    Alarm() {
      config
          .set(0, 4, 0xbeef_dead)
          .set(0x2c, 4, 0xbabe_cafe)
          .set(0x3d, 1, 1)
          .allowWrites(4, 2, 0x407);
    }

    /** It is so late, and the memory to use begins at an address. */
    void now(long value, long iova) {
      target = iova;
      now = value;
      if (poll != null) {
        poll.run();
      }
    }

    @Override
    public ConfigSpace config() {
      return config;
    }

    @Override
    public List<Bar> bars() {
      return List.of(Bar.memory(0, 16), Bar.memory(1, BAR1_SIZE));
    }

    @Override
    public int msixVectors() {
      return 0;
    }

    @Override
    public void connect(DmaPort port, InterruptPort interruptPort) {
      dma = port;
      interrupts = interruptPort;
    }

    @Override
    public void connectPoll(Runnable request) {
      poll = request;
    }

    @Override
    public boolean poll() {
      if (time == 0 || now < time || dma == null || interrupts == null) {
        return false;
      }
      time = 0;
      interrupts.line(true);
      var page = MemorySegment.ofArray(new byte[PAGE]).fill((byte) 0x41);
      var again = MemorySegment.ofArray(new byte[PAGE]);
      try {
        dma.write(target, page);
        dma.read(target, again);
        if (page.mismatch(again) >= 0) {
          faults.add("other bytes");
        }
        dma.write(target + PAGE, page.asSlice(0, 8));
      } catch (DmaFaultException e) {
        faults.add(String.valueOf(e.getMessage()));
      }
      interrupts.line(false);
      return true;
    }

    @Override
    public long read(int bar, long offset, int width) {
      if (bar == 0) {
        return offset == 0 ? time : 0;
      }
      long value = 0;
      for (int i = width - 1; i >= 0; i--) {
        value = value << 8 | Byte.toUnsignedLong(memory[(int) offset + i]);
      }
      return value;
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      if (bar == 0) {
        time = offset == 0 ? value : time;
        return;
      }
      for (int i = 0; i < width; i++) {
        memory[(int) offset + i] = (byte) (value >>> (8 * i));
      }
    }

    @Override
    public void reset() {
      time = 0;
    }

    @Override
    public byte[] save() {
      return ByteBuffer.allocate(8 + BAR1_SIZE).putLong(time).put(memory).array();
    }

    @Override
    public void restore(byte[] state) {
      var from = ByteBuffer.wrap(state);
      time = from.getLong();
      from.get(memory);
    }

    @Override
    public void close() {}
  }

  private RawClient connect(String name) throws Exception {
    var client = new RawClient(directory.resolve(name));
    assertThat(
            client.version(
                "{\"capabilities\":{\"max_msg_fds\":32,\"max_data_xfer_size\":%d}}"
                    .formatted(TRANSFER)))
        .isZero();
    return client;
  }

  private static int feature(RawClient client, int flags, int argsz, long... data) {
    client.out.set(Layouts.U32, HEAD, argsz);
    client.out.set(Layouts.U32, HEAD + 4L, flags);
    for (int i = 0; i < data.length; i++) {
      client.out.set(Layouts.U64, HEAD + 8 + (long) i * Long.BYTES, data[i]);
    }
    return client.call(Command.DEVICE_FEATURE, HEAD + 8 + data.length * Long.BYTES);
  }

  private static int enter(RawClient client, int state) {
    int flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
    long data = state | 0xffff_ffffL << 32;
    int result = feature(client, flags, 16, data);
    if (result == 0) {
      assertThat(client.in().get(Layouts.U32, HEAD)).isEqualTo(16);
      assertThat(client.in().get(Layouts.U32, HEAD + 4L)).isEqualTo(flags);
      assertThat(client.in().get(Layouts.U64, HEAD + 8L)).as("comes back").isEqualTo(data);
    }
    return result;
  }

  private static void describe(RawClient client) {
    client.out.asSlice(HEAD, 32).fill((byte) 0);
    client.out.set(Layouts.U32, HEAD, 16);
    assertThat(client.call(Command.DEVICE_GET_INFO, HEAD + 16)).isZero();
    assertThat(client.in().get(Layouts.U32, HEAD + 8L)).isEqualTo(9);
    for (int region = 0; region < 9; region++) {
      client.out.asSlice(HEAD, 32).fill((byte) 0);
      client.out.set(Layouts.U32, HEAD, 32);
      client.out.set(Layouts.U32, HEAD + 8L, region);
      assertThat(client.call(Command.DEVICE_GET_REGION_INFO, HEAD + 32)).isZero();
      assertThat(client.in().get(Layouts.U32, HEAD)).as("has no capabilities").isEqualTo(32);
    }
    assertThat(client.value(RawClient.CONFIG, 0, 4)).isEqualTo(0xbeef_deadL);
    assertThat(client.value(RawClient.CONFIG, 0x2c, 4)).isEqualTo(0xbabe_cafeL);
    assertThat(client.read(RawClient.CONFIG, 0, 64)).isZero();
  }

  /** Pages from the first one on; that of an even number comes without a descriptor. */
  private static void mapFrom(RawClient client, int first, int fd) {
    for (int i = first; i < MAPS; i++) {
      DmaMapMessage.ARGSZ.set(client.out, DmaMapMessage.BYTES - HEAD);
      DmaMapMessage.FLAGS.set(client.out, READ_WRITE);
      DmaMapMessage.OFFSET.set(client.out, (long) i * PAGE);
      DmaMapMessage.ADDRESS.set(client.out, (long) i * PAGE);
      DmaMapMessage.SIZE.set(client.out, PAGE);
      int[] fds = i % 2 == 0 ? new int[0] : new int[] {fd};
      assertThat(client.call(Command.DMA_MAP, DmaMapMessage.BYTES, fds)).isZero();
    }
  }

  private static void configureInterrupts(RawClient client, int fd) {
    for (int index = 0; index < 5; index++) {
      client.out.asSlice(HEAD, 16).fill((byte) 0);
      client.out.set(Layouts.U32, HEAD, 16);
      client.out.set(Layouts.U32, HEAD + 8L, index);
      assertThat(client.call(Command.DEVICE_GET_IRQ_INFO, HEAD + 16)).isZero();
    }
    assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 0, 0, 1, fd)).isZero();
  }

  private static void awaitInterrupt(int fd) {
    assertThat(KERNEL.awaitReadable(fd, 20_000)).isOne();
    try (var arena = Arena.ofConfined()) {
      var count = arena.allocate(ValueLayout.JAVA_LONG);
      assertThat(KERNEL.read(fd, count)).isEqualTo(8);
      assertThat(count.get(ValueLayout.JAVA_LONG, 0)).isOne();
    }
  }

  /** A page is written and read, in pieces of what the client takes. */
  private static void serveDma(RawClient client, long iova) {
    var page = new byte[PAGE];
    for (int i = 0; i < 2 * PAGE / TRANSFER; i++) {
      boolean isRead = i >= PAGE / TRANSFER;
      var command = isRead ? Command.DMA_READ : Command.DMA_WRITE;
      int done = i % (PAGE / TRANSFER) * TRANSFER;
      client.receive();
      var in = client.in();
      assertThat(Header.command(in)).isEqualTo(command.number());
      assertThat(DmaAccessMessage.ADDRESS.get(in)).isEqualTo(iova + done);
      assertThat(DmaAccessMessage.COUNT.get(in)).isEqualTo(TRANSFER);
      int size = DmaAccessMessage.BYTES + (isRead ? TRANSFER : 0);
      if (isRead) {
        MemorySegment.copy(
            page, done, client.out, ValueLayout.JAVA_BYTE, DmaAccessMessage.BYTES, TRANSFER);
      } else {
        MemorySegment.copy(in, ValueLayout.JAVA_BYTE, DmaAccessMessage.BYTES, page, done, TRANSFER);
      }
      Header.writeReply(client.out, Header.id(in), command.number(), size);
      DmaAccessMessage.ADDRESS.set(client.out, iova + done);
      DmaAccessMessage.COUNT.set(client.out, TRANSFER);
      assertThat(client.socket.send(client.out, size)).isZero();
    }
    assertThat(page).containsOnly(0x41);
  }

  private static void awaitBytes(int fd, long offset) throws InterruptedException {
    try (var arena = Arena.ofConfined()) {
      var bytes = arena.allocate(8);
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      do {
        Thread.sleep(1);
        assertThat(KERNEL.pread(fd, bytes, offset)).isEqualTo(8);
      } while (bytes.get(ValueLayout.JAVA_BYTE, 0) == 0 && System.nanoTime() < end);
      assertThat(bytes.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x41);
    }
  }

  private static long dirtyBits(RawClient client, int page) {
    int flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
    assertThat(feature(client, flags, 8 + 24 + 8, (long) page * PAGE, PAGE, PAGE)).isZero();
    return client.in().get(Layouts.U64, HEAD + 8L + 24);
  }

  private static void writeBar1(RawClient client, byte[] bytes) {
    for (int at = 0; at < bytes.length; at += TRANSFER) {
      MemorySegment.copy(
          bytes, at, client.out, ValueLayout.JAVA_BYTE, RegionAccess.BYTES, TRANSFER);
      assertThat(
              client.access(Command.REGION_WRITE, 1, at, TRANSFER, RegionAccess.BYTES + TRANSFER))
          .isZero();
      assertThat(RegionAccess.COUNT.get(client.in())).isEqualTo(TRANSFER);
    }
  }

  private static byte[] readBar1(RawClient client) {
    var bytes = new byte[BAR1_SIZE];
    for (int at = 0; at < bytes.length; at += TRANSFER) {
      assertThat(client.read(1, at, TRANSFER)).isZero();
      MemorySegment.copy(
          client.in(), ValueLayout.JAVA_BYTE, RegionAccess.BYTES, bytes, at, TRANSFER);
    }
    return bytes;
  }

  /** The state of the device, in pieces; less than was asked for is its end. */
  private static byte[] readState(RawClient client) {
    var state = new ByteArrayOutputStream();
    int size;
    do {
      MigrationData.ARGSZ.set(client.out, 8 + TRANSFER);
      MigrationData.SIZE.set(client.out, TRANSFER);
      assertThat(client.call(Command.MIG_DATA_READ, MigrationData.BYTES)).isZero();
      size = MigrationData.SIZE.get(client.in());
      state.writeBytes(
          client.in().asSlice(MigrationData.BYTES, size).toArray(ValueLayout.JAVA_BYTE));
    } while (size == TRANSFER);
    return state.toByteArray();
  }

  private static void writeState(RawClient client, byte[] state) {
    for (int at = 0; at < state.length; at += TRANSFER) {
      var piece = Arrays.copyOfRange(state, at, Math.min(state.length, at + TRANSFER));
      MigrationData.ARGSZ.set(client.out, 8 + piece.length);
      MigrationData.SIZE.set(client.out, piece.length);
      MemorySegment.copy(
          piece, 0, client.out, ValueLayout.JAVA_BYTE, MigrationData.BYTES, piece.length);
      assertThat(client.call(Command.MIG_DATA_WRITE, MigrationData.BYTES + piece.length)).isZero();
    }
  }

  @Test
  void goesThroughAllItsSteps() throws Exception {
    var source = new Alarm();
    var target = new Alarm();
    int file = KERNEL.memoryFile("sample", 0, (long) MAPS * PAGE);
    int event = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    try (source;
        target;
        var _ = VfioUserServer.serve(source, directory.resolve("source"));
        var _ = VfioUserServer.serve(target, directory.resolve("target"))) {
      var bar1 = new byte[BAR1_SIZE];
      byte[] state;
      try (var client = connect("source")) {
        assertThat(client.read(0xdeadbeef, 0, 4)).isEqualTo(Errno.EINVAL.number());
        describe(client);
        assertThat(client.call(Command.DEVICE_RESET, HEAD)).isZero();
        // Unlike libvfio-user's, the device reaches memory only once it is told that it may.
        assertThat(client.write(RawClient.CONFIG, 4, 2, 6)).isZero();
        mapFrom(client, 0, file);
        configureInterrupts(client, event);
        logs(client, source, file, event);

        for (int i = 0; i < MAPS / 2; i++) {
          assertThat(client.unmap((long) i * PAGE, PAGE, 0)).isZero();
        }
        assertThat(client.write(0, 0, 8, 2000)).isZero();
        // There is nothing to be read while it runs, and registers are written up to the end.
        assertThat(enter(client, VFIO_DEVICE_STATE_PRE_COPY)).isEqualTo(Errno.EINVAL.number());
        for (int round = 0; round < 3; round++) {
          new Random(round).nextBytes(bar1);
          writeBar1(client, bar1);
        }
        assertThat(enter(client, VFIO_DEVICE_STATE_STOP_COPY)).isZero();
        state = readState(client);
        assertThat(enter(client, VFIO_DEVICE_STATE_STOP)).isZero();
      }
      try (var client = connect("target")) {
        assertThat(enter(client, VFIO_DEVICE_STATE_RESUMING)).isZero();
        writeState(client, state);
        assertThat(enter(client, VFIO_DEVICE_STATE_STOP)).isZero();
        assertThat(readBar1(client)).isEqualTo(bar1);
        assertThat(enter(client, VFIO_DEVICE_STATE_RUNNING)).isZero();
        mapFrom(client, MAPS / 2, file);
        configureInterrupts(client, event);
        assertThat(client.value(0, 0, 8)).isEqualTo(2000);
        target.now(2000, MAPS / 2 * (long) PAGE);
        awaitInterrupt(event);
        serveDma(client, MAPS / 2 * (long) PAGE);
        awaitBytes(file, (MAPS / 2 + 1) * (long) PAGE);
        assertThat(client.unmap(0, 0, DmaUnmapMessage.ALL)).isZero();
        mapFrom(client, MAPS / 2, file);
      }
      assertThat(source.faults).isEmpty();
      assertThat(target.faults).isEmpty();
    } finally {
      KERNEL.close(file);
      KERNEL.close(event);
    }
  }

  /** The alarm rings while writes are logged: one page by messages, the next one by itself. */
  private static void logs(RawClient client, Alarm alarm, int file, int event) throws Exception {
    int start = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
    assertThat(feature(client, start, 24, PAGE, 0)).isZero();
    assertThat(client.write(0, 0, 8, 1000)).isZero();
    assertThat(client.value(0, 0, 8)).isEqualTo(1000);
    alarm.now(1000, 0);
    awaitInterrupt(event);
    serveDma(client, 0);
    awaitBytes(file, PAGE);
    assertThat(client.value(0, 0, 8)).as("what it does is done").isZero();
    for (int page = 0; page < MAPS; page++) {
      assertThat(dirtyBits(client, page)).isEqualTo(page < 2 ? 1 : 0);
    }
    int stop = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
    assertThat(feature(client, stop, 24, PAGE, 0)).isZero();
    // The line waits to be unmasked.
    assertThat(client.irqs(RawClient.NONE | RawClient.UNMASK, 0, 0, 1)).isZero();
  }
}
