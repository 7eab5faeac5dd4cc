// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.model.IoEventRegister;
import io.jvfio.model.ResetReason;
import io.jvfio.model.edu.EduModel;
import io.jvfio.model.gpio.GpioModel;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DirtyBitmap;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.Payload;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.RegionIoFds;
import io.jvfio.user.wire.SubRegion;
import io.jvfio.user.wire.WriteMulti;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServerTest {
  private static final int READ_WRITE = DmaMapMessage.READABLE | DmaMapMessage.WRITABLE;
  private static final int COMMAND = 4;
  private static final int BUS_MASTER = 4;
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /**
   * Both ends of a connection, and what a server waits with: a socket, and an epoll and eventfd
   * twice.
   */
  private static final int OWN = 7;

  @TempDir private @Nullable Path directory;

  private final Device device = new Device();
  private final List<String> events = new CopyOnWriteArrayList<>();
  private @Nullable VfioUserServer server;

  /** A device of a register that copies memory, and one that signals. */
  private static final class Device implements DeviceModel {
    final ConfigSpace config = new ConfigSpace(4096);
    final List<String> journal = new CopyOnWriteArrayList<>();
    final MemorySegment buffer = Arena.ofShared().allocate(64 << 10, 8);
    List<Bar> bars = List.of(new Bar(0, 1 << 16, true, true), Bar.ports(2, 8));
    List<IoEventRegister> ioEvents = List.of();
    private @Nullable DmaPort dma;
    private @Nullable InterruptPort interrupts;
    private long register;

    Device() {
      config
          .set(0, 4, 0x0dc8_494f)
          .set(6, 2, 0x10)
          .set(8, 4, 0x0880_0001)
          .set(0x34, 1, 0x40)
          .set(0x3d, 1, 1)
          .set(0x40, 4, 0x0002_6010) // PCI Express, and MSI-X at 0x60 behind it
          .set(0x44, 4, 1 << 28)
          .set(0x60, 2, 0x0011)
          .set(0x62, 2, 15)
          .allowWrites(COMMAND, 2, 0x507);
    }

    @Override
    public ConfigSpace config() {
      return config;
    }

    @Override
    public List<Bar> bars() {
      return bars;
    }

    @Override
    public List<IoEventRegister> ioEventRegisters() {
      return ioEvents;
    }

    @Override
    public int msixVectors() {
      return 16;
    }

    @Override
    public void connect(DmaPort port, InterruptPort interruptPort) {
      dma = port;
      interrupts = interruptPort;
    }

    void signal(int vector) {
      Objects.requireNonNull(interrupts).signal(vector);
    }

    void line(boolean up) {
      Objects.requireNonNull(interrupts).line(up);
    }

    @Override
    public long read(int bar, long offset, int width) {
      journal.add("read %d %d+%d".formatted(bar, offset, width));
      return register >>> (8 * (offset & 7));
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      journal.add("write %d %d+%d %x".formatted(bar, offset, width, value));
      if (offset == 0x100) {
        transfer(value, true);
      } else if (offset == 0x108) {
        transfer(value, false);
      } else if (offset == 0x200) {
        throw new IllegalStateException("a mistake in a model");
      } else {
        register = value;
      }
    }

    private void transfer(long iova, boolean fromHost) {
      try {
        var port = Objects.requireNonNull(dma);
        if (fromHost) {
          port.read(iova, buffer, 0, 6000);
        } else {
          port.write(iova, buffer, 0, 6000);
        }
        journal.add("done");
      } catch (DmaFaultException e) {
        journal.add("fault");
      }
    }

    @Override
    public void quiesce() {
      journal.add("quiesce");
    }

    @Override
    public void resume() {
      journal.add("resume");
    }

    @Override
    public void reset() {
      register = 0;
    }

    @Override
    public void reset(ResetReason reason) {
      journal.add(reason.name());
      reset();
    }

    @Override
    public void close() {
      journal.add("close");
    }
  }

  private Path path() {
    return Objects.requireNonNull(directory).resolve("device.sock");
  }

  private VfioUserServerOptions options() {
    return VfioUserServerOptions.at(path())
        .withPatience(Duration.ofSeconds(3))
        .withListener(
            new VfioUserServerListener() {
              @Override
              public void clientLeft(String reason, long messages) {
                events.add(reason);
              }
            });
  }

  private RawClient start(VfioUserServerOptions chosen) throws Exception {
    server = VfioUserServer.serve(device, chosen);
    return RawClient.agreed(path());
  }

  private RawClient start() throws Exception {
    return start(options());
  }

  @BeforeEach
  void load() throws Exception {
    // Whatever opens files the first time has done so before they are counted.
    openFiles();
  }

  @AfterEach
  void close() {
    if (server != null) {
      server.close();
    }
  }

  private static long openFiles() throws Exception {
    try (var files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }

  private static int eventFd() {
    return KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
  }

  /** How often an eventfd was signalled. */
  private static long signals(int fd) {
    try (var arena = Arena.ofConfined()) {
      var count = arena.allocate(ValueLayout.JAVA_LONG);
      return KERNEL.read(fd, count) < 0 ? 0 : count.get(ValueLayout.JAVA_LONG, 0);
    }
  }

  private static int memory(long byteSize) {
    return KERNEL.memoryFile("test", 0, byteSize);
  }

  private void awaitLeft(int count) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (events.size() < count && System.nanoTime() < end) {
      Thread.sleep(2);
    }
    assertThat(events).hasSize(count);
  }

  /** SPDK's initiator sends it once more. The specification has none there, and forbids none. */
  @Test
  void anUnmapMayComeWithTheDescriptorOfItsMap() throws Exception {
    try (var client = start()) {
      int fd = memory(8192);
      assertThat(client.map(0x10000, 8192, 3, fd)).isZero();
      long open = openFiles();
      DmaUnmapMessage.ARGSZ.set(client.out, DmaUnmapMessage.BYTES - Header.SIZE);
      DmaUnmapMessage.FLAGS.set(client.out, 0);
      DmaUnmapMessage.ADDRESS.set(client.out, 0x10000);
      DmaUnmapMessage.SIZE.set(client.out, 8192);
      assertThat(client.call(Command.DMA_UNMAP, DmaUnmapMessage.BYTES, fd)).isZero();
      assertThat(client.unmap(0x10000, 8192, 0)).as("it is gone").isEqualTo(Errno.ENOENT.number());
      assertThat(openFiles()).as("the one that came is closed").isLessThanOrEqualTo(open);
      KERNEL.close(fd);
    }
  }

  @Test
  void describesTheDevice() throws Exception {
    try (var client = start()) {
      client.out.fill((byte) 0);
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE, 16);
      assertThat(client.call(Command.DEVICE_GET_INFO, 32)).isZero();
      assertThat(client.in().asSlice(Header.SIZE, 16).toArray(ValueLayout.JAVA_INT))
          .containsExactly(16, 3, 9, 5);
      assertThat(regionSizes(client)).containsExactly(1L << 16, 0L, 8L, 0L, 0L, 0L, 0L, 4096L, 0L);
      assertThat(irqCounts(client)).containsExactly(1, 0, 16, 1, 1);
    }
  }

  private static List<Long> regionSizes(RawClient client) {
    List<Long> sizes = new ArrayList<>();
    for (int index = 0; index < 9; index++) {
      client.out.asSlice(Header.SIZE, 32).fill((byte) 0);
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE, 32);
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE + 8, index);
      assertThat(client.call(Command.DEVICE_GET_REGION_INFO, 48)).isZero();
      sizes.add(client.in().get(ValueLayout.JAVA_LONG, Header.SIZE + 16));
    }
    client.out.set(ValueLayout.JAVA_INT, Header.SIZE + 8, 9);
    assertThat(client.call(Command.DEVICE_GET_REGION_INFO, 48)).isEqualTo(Errno.EINVAL.number());
    return sizes;
  }

  private static List<Integer> irqCounts(RawClient client) {
    List<Integer> counts = new ArrayList<>();
    for (int index = 0; index < 5; index++) {
      client.out.asSlice(Header.SIZE, 16).fill((byte) 0);
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE, 16);
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE + 8, index);
      assertThat(client.call(Command.DEVICE_GET_IRQ_INFO, 32)).isZero();
      counts.add(client.in().get(ValueLayout.JAVA_INT, Header.SIZE + 12));
    }
    client.out.set(ValueLayout.JAVA_INT, Header.SIZE + 8, 5);
    assertThat(client.call(Command.DEVICE_GET_IRQ_INFO, 32)).isEqualTo(Errno.EINVAL.number());
    return counts;
  }

  @Test
  void accessesRegistersInAlignedPieces() throws Exception {
    try (var client = start()) {
      assertThat(client.write(0, 8, 8, 0x1122_3344_5566_7788L)).isZero();
      assertThat(client.value(0, 8, 8)).isEqualTo(0x1122_3344_5566_7788L);
      assertThat(client.value(0, 10, 2)).isEqualTo(0x5566);
      device.journal.clear();
      assertThat(client.read(0, 3, 14)).isZero();
      assertThat(device.journal)
          .containsExactly("read 0 3+1", "read 0 4+4", "read 0 8+8", "read 0 16+1");
      for (long offset : new long[] {1 << 16, (1 << 16) - 3, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
        assertThat(client.read(0, offset, 4)).isEqualTo(Errno.EINVAL.number());
        assertThat(client.write(0, offset, 4, 0)).isEqualTo(Errno.EINVAL.number());
      }
      assertThat(client.read(0, 16, 0)).isZero();
      for (int region : new int[] {1, 3, 6, 8, 9, -1}) {
        assertThat(client.read(region, 0, 4)).isEqualTo(Errno.EINVAL.number());
      }
      for (int count : new int[] {-1, Integer.MIN_VALUE, (1 << 20) + 1}) {
        assertThat(client.read(7, 0, count)).isEqualTo(Errno.EINVAL.number());
      }
    }
  }

  @Test
  void showsBarsAsHardwareDoes() throws Exception {
    try (var client = start()) {
      assertThat(client.write(7, 0x10, 4, 0xffff_ffffL)).isZero();
      assertThat(client.write(7, 0x14, 4, 0xffff_ffffL)).isZero();
      assertThat(client.write(7, 0x18, 4, 0xffff_ffffL)).isZero();
      assertThat(client.value(7, 0x10, 4)).isEqualTo(0xffff_000cL);
      assertThat(client.value(7, 0x14, 4)).isEqualTo(0xffff_ffffL);
      assertThat(client.value(7, 0x18, 4)).isEqualTo(0xffff_fff9L);
      assertThat(client.write(7, 0x10, 8, 0x12_8000_0000L)).isZero();
      assertThat(client.value(7, 0x10, 8)).isEqualTo(0x12_8000_000cL);
      assertThat(client.write(7, 0x30, 4, 0xffff_ffffL)).isZero();
      assertThat(client.value(7, 0x30, 4)).isZero();
      assertThat(client.write(7, 0, 4, 0)).isZero();
      assertThat(client.value(7, 0, 4)).isEqualTo(0x0dc8_494f);
      assertThat(client.write(7, COMMAND, 2, 0x407)).isZero();
      assertThat(client.value(7, COMMAND, 2)).isEqualTo(0x407);
    }
  }

  @Test
  void showsBarsOfManyGigabytes() throws Exception {
    device.bars =
        List.of(
            new Bar(0, 4L << 30, true, false),
            new Bar(2, 8L << 30, true, false),
            new Bar(4, 16L << 30, true, true));
    try (var client = start()) {
      assertThat(regionSizes(client))
          .containsExactly(4L << 30, 0L, 8L << 30, 0L, 16L << 30, 0L, 0L, 4096L, 0L);
      for (int at = 0x10; at < 0x28; at += 4) {
        assertThat(client.write(7, at, 4, 0xffff_ffffL)).isZero();
      }
      assertThat(client.value(7, 0x10, 8)).isEqualTo(-(4L << 30) | 4);
      assertThat(client.value(7, 0x18, 8)).isEqualTo(-(8L << 30) | 4);
      assertThat(client.value(7, 0x20, 8)).isEqualTo(-(16L << 30) | 0xc);
      assertThat(client.write(4, (16L << 30) - 8, 8, 0x77)).isZero();
      assertThat(device.journal).endsWith("write 4 17179869176+8 77");
      assertThat(client.write(4, 16L << 30, 8, 0)).isEqualTo(Errno.EINVAL.number());
    }
  }

  @Test
  void letsClientsWriteWhatTheModelLetsThem() throws Exception {
    device
        .config
        .set(0x68, 2, 0x0009) // of the vendor, behind MSI-X
        .set(0x6a, 1, 8)
        .set(0x6b, 4, 0x6c6c_6548)
        .set(0x61, 1, 0x68)
        .allowWrites(0x6b, 4, 0xffff)
        .set(0x100, 4, 0x0001_0003) // a serial number
        .set(0x104, 4, 4)
        .set(0x108, 4, 8);
    try (var client = start()) {
      assertThat(client.write(7, 0x68, 4, -1)).isZero();
      assertThat(client.value(7, 0x68, 3)).as("a header stays").isEqualTo(0x08_0009);
      assertThat(client.write(7, 0x6b, 4, 0x1122_3344)).isZero();
      assertThat(client.value(7, 0x6b, 4)).as("the first two bytes").isEqualTo(0x6c6c_3344);
      assertThat(client.write(7, 0x104, 8, 0x2_0000_0001L)).isZero();
      assertThat(client.value(7, 0x104, 8)).as("a serial number stays").isEqualTo(0x8_0000_0004L);
      assertThat(client.write(7, 0x100, 1, 0)).isZero();
      assertThat(client.value(7, 0x100, 4)).isEqualTo(0x0001_0003);
    }
  }

  @Test
  void takesASignalOfTheClientsForAWrite() throws Exception {
    device.ioEvents = List.of(IoEventRegister.shadowed(0, 8, 8), IoEventRegister.of(0, 0x18, 4));
    try (var client = start();
        var arena = Arena.ofConfined()) {
      client.out.asSlice(Header.SIZE, RegionIoFds.BYTES - Header.SIZE).fill((byte) 0);
      RegionIoFds.ARGSZ.set(client.out, 16);
      assertThat(client.call(Command.DEVICE_GET_REGION_IO_FDS, RegionIoFds.BYTES)).isZero();
      assertThat(client.socket.fdCount()).isZero();
      int needed = RegionIoFds.ARGSZ.get(client.in());
      assertThat(needed).isEqualTo(16 + 2 * SubRegion.SHADOW_BYTES);
      RegionIoFds.ARGSZ.set(client.out, needed);
      assertThat(client.call(Command.DEVICE_GET_REGION_IO_FDS, RegionIoFds.BYTES)).isZero();
      var reply = client.in();
      assertThat(RegionIoFds.COUNT.get(reply)).isEqualTo(2);
      assertThat(client.socket.fdCount()).isEqualTo(3);
      assertThat(SubRegion.TYPE.get(reply, SubRegion.at(0, SubRegion.SHADOW_BYTES)))
          .isEqualTo(SubRegion.IOEVENTFD_SHADOW);
      long place = SubRegion.SHADOW_OFFSET.get(reply, SubRegion.at(0, SubRegion.SHADOW_BYTES));
      int first = SubRegion.FD_INDEX.get(reply, SubRegion.at(0, SubRegion.SHADOW_BYTES));
      int shadow = SubRegion.SHADOW_FD_INDEX.get(reply, SubRegion.at(0, SubRegion.SHADOW_BYTES));
      int second = SubRegion.FD_INDEX.get(reply, SubRegion.at(1, SubRegion.SHADOW_BYTES));
      int[] fds = {client.socket.takeFd(0), client.socket.takeFd(1), client.socket.takeFd(2)};
      var value = arena.allocateFrom(ValueLayout.JAVA_LONG, 0xdead_beefL);
      assertThat(KERNEL.pwrite(fds[shadow], value, place)).isEqualTo(8);
      device.journal.clear();
      signal(fds[first]);
      awaitJournal("write 0 8+8 deadbeef");
      signal(fds[second]);
      awaitJournal("write 0 24+4 0");
      for (int fd : fds) {
        KERNEL.close(fd);
      }
      // A region without any has an answer of its own; a region that there is not has none.
      RegionIoFds.INDEX.set(client.out, 2);
      assertThat(client.call(Command.DEVICE_GET_REGION_IO_FDS, RegionIoFds.BYTES)).isZero();
      assertThat(RegionIoFds.ARGSZ.get(client.in())).isEqualTo(16);
      assertThat(RegionIoFds.INDEX.get(client.in())).isEqualTo(2);
      assertThat(RegionIoFds.COUNT.get(client.in())).isZero();
      RegionIoFds.INDEX.set(client.out, 3);
      assertThat(client.call(Command.DEVICE_GET_REGION_IO_FDS, RegionIoFds.BYTES))
          .isEqualTo(Errno.EINVAL.number());
    }
  }

  @Test
  void sendsNoMoreDescriptorsThanTheClientTakes() throws Exception {
    device.ioEvents =
        List.of(
            IoEventRegister.of(0, 0, 8), IoEventRegister.of(0, 8, 8), IoEventRegister.of(0, 16, 4));
    server = VfioUserServer.serve(device, options());
    try (var client = new RawClient(path())) {
      assertThat(client.version("{\"capabilities\":{\"max_msg_fds\":2}}")).isZero();
      client.out.asSlice(Header.SIZE, RegionIoFds.BYTES - Header.SIZE).fill((byte) 0);
      RegionIoFds.ARGSZ.set(client.out, 16 + 3 * SubRegion.SHADOW_BYTES);
      assertThat(client.call(Command.DEVICE_GET_REGION_IO_FDS, RegionIoFds.BYTES)).isZero();
      assertThat(RegionIoFds.COUNT.get(client.in())).isEqualTo(2);
      assertThat(client.socket.fdCount()).isEqualTo(2);
      KERNEL.close(client.socket.takeFd(0));
      KERNEL.close(client.socket.takeFd(1));
    }
  }

  private void awaitJournal(String last) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!device.journal.contains(last) && System.nanoTime() < end) {
      Thread.sleep(1);
    }
    assertThat(device.journal).endsWith(last);
  }

  @Test
  void resetsTheFunctionByItsReasons() throws Exception {
    try (var client = start()) {
      assertThat(client.write(7, COMMAND, 2, 7)).isZero();
      assertThat(client.write(7, 0x10, 4, -1)).isZero();
      assertThat(client.call(Command.DEVICE_RESET, Header.SIZE)).isZero();
      assertThat(client.value(7, COMMAND, 2)).as("kept, as vfio-pci does").isEqualTo(7);
      device.journal.clear();
      assertThat(client.write(7, 0x48, 2, 0x8000)).isZero();
      assertThat(client.value(7, 0x48, 2)).isZero();
      assertThat(client.value(7, COMMAND, 2)).as("as after power-on").isZero();
      assertThat(client.value(7, 0x10, 4)).isEqualTo(0xc);
      assertThat(device.journal).contains(ResetReason.FUNCTION_LEVEL_RESET.name());
      assertThat(client.call(Command.DEVICE_RESET, Header.SIZE)).isZero();
      assertThat(device.journal).contains(ResetReason.DEVICE_RESET.name());
    }
    awaitLeft(1);
    assertThat(device.journal).contains(ResetReason.CLIENT_LOST.name());
  }

  @Test
  void signalsTheVectorsThatHaveEventfds() throws Exception {
    int[] fds = {eventFd(), eventFd(), eventFd()};
    long before = openFiles();
    try (var client = start()) {
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 2, 5, 3, fds)).isZero();
      device.signal(6);
      assertThat(signals(fds[1])).as("without bus mastering").isZero();
      assertThat(client.write(7, COMMAND, 2, BUS_MASTER)).isZero();
      for (int vector : new int[] {4, 5, 6, 6, 7, 8, 16, -1}) {
        device.signal(vector);
      }
      assertThat(signals(fds[0])).isOne();
      assertThat(signals(fds[1])).isEqualTo(2);
      assertThat(signals(fds[2])).isOne();
      assertThat(client.value(7, 0x62, 2) & 0x8000).as("MSI-X is enabled").isNotZero();

      // A part of them, from the middle to the end.
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 2, 6, 2)).isZero();
      assertThat(openFiles())
          .as("the eventfds of two vectors are closed")
          .isEqualTo(before + OWN + 1);
      device.signal(5);
      device.signal(6);
      assertThat(signals(fds[0])).isOne();
      assertThat(signals(fds[1])).isZero();

      byte[] some = {1, 0, 1};
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 2, 5, 3, fds)).isZero();
      assertThat(client.irqs(RawClient.BOOL | RawClient.TRIGGER, 2, 5, 3, some)).isZero();
      assertThat(client.irqs(RawClient.NONE | RawClient.TRIGGER, 2, 6, 1)).isZero();
      assertThat(List.of(signals(fds[0]), signals(fds[1]), signals(fds[2])))
          .isEqualTo(List.of(1L, 1L, 1L));
      assertThat(client.irqs(RawClient.NONE | RawClient.TRIGGER, 2, 0, 0)).isZero();
      device.signal(5);
      assertThat(signals(fds[0])).isZero();
      assertThat(client.value(7, 0x62, 2) & 0x8000).isZero();
    }
    for (int fd : fds) {
      KERNEL.close(fd);
    }
  }

  @Test
  void refusesInterruptsThatThereAreNot() throws Exception {
    int fd = eventFd();
    try (var client = start()) {
      long before = openFiles();
      int trigger = RawClient.EVENTFD | RawClient.TRIGGER;
      int[][] wrong = {
        {trigger, 5, 0, 1},
        {trigger, -1, 0, 1},
        {trigger, 2, 16, 1},
        {trigger, 2, -1, 1},
        {trigger, 2, 15, 2},
        {trigger, 2, 0, -1},
        {trigger, 2, 1, Integer.MAX_VALUE},
        {trigger, 2, 0, 2},
        {trigger | RawClient.NONE, 2, 0, 1},
        {trigger | RawClient.MASK, 2, 0, 1},
        {RawClient.EVENTFD, 2, 0, 1},
        {RawClient.TRIGGER, 2, 0, 1},
        {trigger | 1 << 6, 2, 0, 1},
        {RawClient.NONE | RawClient.TRIGGER, 2, 0, 1},
        {RawClient.NONE | RawClient.MASK, 2, 0, 1},
        {trigger, 1, 0, 1},
      };
      for (int[] each : wrong) {
        assertThat(client.irqs(each[0], each[1], each[2], each[3], fd))
            .isEqualTo(Errno.EINVAL.number());
      }
      assertThat(client.irqs(RawClient.NONE | RawClient.MASK, 2, 0, 0))
          .isEqualTo(Errno.EINVAL.number());
      assertThat(client.irqs(RawClient.BOOL | RawClient.TRIGGER, 2, 0, 0))
          .isEqualTo(Errno.EINVAL.number());
      // Those of a message are there until the next one comes.
      assertThat(openFiles()).as("descriptors of what is refused are closed").isEqualTo(before);
      assertThat(client.irqs(RawClient.NONE | RawClient.TRIGGER, 2, 1, 0))
          .isEqualTo(Errno.EINVAL.number());
      assertThat(client.irqs(RawClient.BOOL | RawClient.TRIGGER, 2, 0, 2, new byte[1]))
          .isEqualTo(Errno.EINVAL.number());
    }
    KERNEL.close(fd);
  }

  @Test
  void masksTheLineUntilItIsUnmasked() throws Exception {
    int fd = eventFd();
    try (var client = start()) {
      device.line(true);
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 0, 0, 1, fd)).isZero();
      assertThat(signals(fd)).as("up before anybody listened").isOne();
      assertThat(client.value(7, 6, 2) & 8).isNotZero();
      device.line(false);
      device.line(true);
      assertThat(signals(fd)).as("masked by the first").isZero();
      assertThat(client.irqs(RawClient.NONE | RawClient.UNMASK, 0, 0, 1)).isZero();
      assertThat(signals(fd)).as("still up").isOne();
      device.line(false);
      assertThat(client.irqs(RawClient.BOOL | RawClient.UNMASK, 0, 0, 1, new byte[] {0})).isZero();
      device.line(true);
      assertThat(signals(fd)).as("not unmasked").isZero();
      device.line(false);
      assertThat(client.irqs(RawClient.BOOL | RawClient.UNMASK, 0, 0, 1, new byte[] {1})).isZero();
      assertThat(signals(fd)).isZero();

      assertThat(client.write(7, COMMAND, 2, 0x400)).isZero();
      device.line(true);
      assertThat(signals(fd)).as("turned off in the command register").isZero();
      assertThat(client.write(7, COMMAND, 2, 0)).isZero();
      assertThat(signals(fd)).isOne();
    }
    KERNEL.close(fd);
  }

  @Test
  void unmasksTheLineWhenTheClientSignals() throws Exception {
    int fd = eventFd();
    int resample = eventFd();
    try (var client = start()) {
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 0, 0, 1, fd)).isZero();
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.UNMASK, 0, 0, 1, resample)).isZero();
      device.line(true);
      assertThat(KERNEL.awaitReadable(fd, 0)).isOne();
      for (int i = 0; i < 3; i++) {
        assertThat(signals(fd)).isOne();
        signal(resample);
        assertThat(KERNEL.awaitReadable(fd, 20_000)).as("it is up still").isOne();
      }
      // Another trigger leaves the rest as it is.
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 0, 0, 1, fd)).isZero();
      assertThat(signals(fd)).isOne();
      signal(resample);
      assertThat(KERNEL.awaitReadable(fd, 20_000)).isOne();

      int regular = KERNEL.open("/proc/self/status", Kernel.O_RDONLY);
      client.irqs(RawClient.EVENTFD | RawClient.UNMASK, 0, 0, 1, regular);
      KERNEL.close(regular);
      assertThat(client.value(7, 0, 4)).isEqualTo(0x0dc8_494f);
    }
    KERNEL.close(fd);
    KERNEL.close(resample);
  }

  private static void signal(int fd) {
    try (var arena = Arena.ofConfined()) {
      var one = arena.allocate(ValueLayout.JAVA_LONG);
      one.set(ValueLayout.JAVA_LONG, 0, 1);
      KERNEL.write(fd, one);
    }
  }

  @Test
  void takesRequestsThatAreLongerThanTheyNeedBe() throws Exception {
    try (var client = start()) {
      client.out.asSlice(Header.SIZE, 4064).fill((byte) 0);
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE, 4064);
      assertThat(client.call(Command.DEVICE_GET_REGION_INFO, Header.SIZE + 4064)).isZero();
      assertThat(client.call(Command.DEVICE_GET_IRQ_INFO, Header.SIZE + 4064)).isZero();
    }
  }

  @Test
  void offersNoMoreDescriptorsThanQemuTakes() {
    assertThat(options().maxMessageFds()).isLessThanOrEqualTo(16);
    assertThat(options().maxDataTransfer()).isLessThanOrEqualTo(64 << 20);
  }

  @Test
  void refusesMemoryThatNeedsADescriptorAndHasNone() throws Exception {
    int fd = memory(4096);
    try (var client = start()) {
      for (int mode : new int[] {DmaMapMessage.MMAP, DmaMapMessage.FILE_IO}) {
        assertThat(client.map(0, 4096, READ_WRITE | mode)).isEqualTo(Errno.EINVAL.number());
        assertThat(client.map(0, 4096, READ_WRITE | mode, fd)).isZero();
        assertThat(client.unmap(0, 4096, 0)).isZero();
      }
    } finally {
      KERNEL.close(fd);
    }
  }

  @Test
  void reachesMemoryOfWhichADescriptorCame() throws Exception {
    int fd = memory(16 << 10);
    long before = openFiles();
    try (var client = start();
        var arena = Arena.ofConfined()) {
      var bytes = arena.allocate(6000).fill((byte) 0x5a);
      KERNEL.pwrite(fd, bytes, 4096);
      assertThat(client.map(0x10_0000, 16 << 10, READ_WRITE, fd)).isZero();
      assertThat(openFiles()).as("mapped, so the descriptor is not needed").isEqualTo(before + OWN);
      assertThat(client.map(0x10_2000, 4096, READ_WRITE, fd)).isEqualTo(Errno.EEXIST.number());
      device.journal.clear();
      assertThat(client.write(0, 0x100, 8, 0x10_1000)).isZero();
      assertThat(device.journal).contains("fault");
      assertThat(client.write(7, COMMAND, 2, BUS_MASTER)).isZero();
      assertThat(client.write(0, 0x100, 8, 0x10_1000)).isZero();
      assertThat(device.journal).contains("done");
      assertThat(device.buffer.asSlice(0, 6000).mismatch(bytes)).isEqualTo(-1);
      assertThat(client.write(0, 0x108, 8, 0x10_0000)).isZero();
      KERNEL.pread(fd, bytes, 0);
      assertThat(bytes.mismatch(device.buffer.asSlice(0, 6000))).isEqualTo(-1);

      assertThat(client.unmap(0x10_0000, 4096, 0)).isEqualTo(Errno.ENOENT.number());
      device.journal.clear();
      assertThat(client.unmap(0x10_0000, 16 << 10, 0)).isZero();
      assertThat(DmaUnmapMessage.ADDRESS.get(client.in())).isEqualTo(0x10_0000);
      assertThat(device.journal).containsExactly("quiesce", "resume");
      assertThat(client.map(0, 4096, READ_WRITE)).isZero();
      assertThat(client.map(4096, 4096, READ_WRITE)).isZero();
      assertThat(client.unmap(0, 0, DmaUnmapMessage.ALL)).isZero();
      assertThat(client.map(0, 8192, READ_WRITE)).isZero();
      assertThat(client.map(0x10_0000, 4096, READ_WRITE)).isZero();
      assertThat(client.unmap(0, 0x8000_0000L, 0)).isZero();
      assertThat(client.map(0, 0x20_0000, READ_WRITE)).isZero();
    }
    KERNEL.close(fd);
  }

  @Test
  void forgetsNoWrittenPageForAnUnmapThatItRefuses() throws Exception {
    int fd = memory(16 << 10);
    try (var client = start()) {
      assertThat(client.map(0x10_0000, 16 << 10, READ_WRITE, fd)).isZero();
      assertThat(client.write(7, COMMAND, 2, BUS_MASTER)).isZero();
      var log = new byte[16];
      ByteBuffer.wrap(log).order(ByteOrder.nativeOrder()).putLong(4096);
      int start = Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
      assertThat(send(client, Command.DEVICE_FEATURE, Payload.feature(24, start).bytes(log)))
          .isZero();
      assertThat(client.write(0, 0x108, 8, 0x10_1000)).isZero(); // 6000 bytes: pages 1 and 2

      assertThat(send(client, Command.DMA_UNMAP, dirtyUnmap(0x10_0000, 12 << 10)))
          .as("a map only in part")
          .isEqualTo(Errno.ENOENT.number());
      assertThat(send(client, Command.DMA_UNMAP, dirtyUnmap(0x10_0000, 16 << 10))).isZero();
      assertThat(client.in().get(ValueLayout.JAVA_LONG, DirtyBitmap.BYTES)).isEqualTo(0b0110);
    }
    KERNEL.close(fd);
  }

  private static Payload dirtyUnmap(long iova, long byteSize) {
    return Payload.dirtyUnmap(0, iova, byteSize, 4096, 8);
  }

  private static int send(RawClient client, Command command, Payload data) {
    var payload = data.toBytes();
    MemorySegment.copy(payload, 0, client.out, ValueLayout.JAVA_BYTE, Header.SIZE, payload.length);
    return client.call(command, Header.SIZE + payload.length);
  }

  @Test
  void givesNothingBackIfThereIsNoRoomForTheAnswer() throws Exception {
    try (var client = start()) {
      assertThat(client.map(0x1000, 4096, READ_WRITE)).isZero();
      DmaUnmapMessage.ARGSZ.set(client.out, 23);
      DmaUnmapMessage.FLAGS.set(client.out, 0);
      DmaUnmapMessage.ADDRESS.set(client.out, 0x1000);
      DmaUnmapMessage.SIZE.set(client.out, 4096);
      assertThat(client.call(Command.DMA_UNMAP, DmaUnmapMessage.BYTES))
          .isEqualTo(Errno.EINVAL.number());
      assertThat(client.map(0x1000, 4096, READ_WRITE)).isEqualTo(Errno.EEXIST.number());
      assertThat(client.unmap(0x1000, 4096, DmaUnmapMessage.ALL)).isEqualTo(Errno.EINVAL.number());
      assertThat(client.unmap(0x1000, 4096, 0x4)).isEqualTo(Errno.EINVAL.number());
      assertThat(client.unmap(0x1000, 4096, 0)).isZero();
    }
  }

  @Test
  void keepsNoMoreMapsThanItTold() throws Exception {
    try (var client = start(options().withLimits(8, 1 << 20, 3))) {
      for (int i = 0; i < 3; i++) {
        assertThat(client.map(i << 12, 4096, READ_WRITE)).isZero();
      }
      assertThat(client.map(3 << 12, 4096, READ_WRITE)).isEqualTo(Errno.ENOSPC.number());
      assertThat(client.unmap(0, 0, DmaUnmapMessage.ALL)).isZero();
      assertThat(client.map(3 << 12, 4096, READ_WRITE)).isZero();
    }
  }

  private void answerDma(RawClient client, byte value) {
    var in = client.in();
    var out = client.out;
    int count = (int) DmaAccessMessage.COUNT.get(in);
    boolean isRead = Header.command(in) == Command.DMA_READ.number();
    int size = DmaAccessMessage.BYTES + (isRead ? count : 0);
    Header.writeReply(out, Header.id(in), Header.command(in), size);
    DmaAccessMessage.ADDRESS.set(out, DmaAccessMessage.ADDRESS.get(in));
    DmaAccessMessage.COUNT.set(out, count);
    out.asSlice(DmaAccessMessage.BYTES, count).fill(value);
    assertThat(client.socket.send(out, size)).isZero();
  }

  private void sendWrite(RawClient client, long offset, long value) {
    Header.writeCommand(client.out, 77, Command.REGION_WRITE, RegionAccess.BYTES + 8);
    RegionAccess.OFFSET.set(client.out, offset);
    RegionAccess.REGION.set(client.out, 0);
    RegionAccess.COUNT.set(client.out, 8);
    client.out.set(ValueLayout.JAVA_LONG, RegionAccess.BYTES, value);
    assertThat(client.socket.send(client.out, RegionAccess.BYTES + 8)).isZero();
  }

  /** The answer of the client's comes to the place where its command was. */
  @Test
  void doesTheRestOfACommandAfterTheClientHasAnswered() throws Exception {
    try (var client = start()) {
      assertThat(client.write(7, COMMAND, 2, BUS_MASTER)).isZero();
      assertThat(client.map(0x1000, 0x4000, READ_WRITE)).isZero();
      device.journal.clear();
      int size = WriteMulti.BYTES + 2 * WriteMulti.Entry.BYTES;
      Header.writeCommand(client.out, 77, Command.REGION_WRITE_MULTI, size);
      WriteMulti.COUNT.set(client.out, 2);
      WriteMulti.Entry.write(client.out, 0, 0x100, 0, 8);
      client.out.set(ValueLayout.JAVA_LONG, WriteMulti.Entry.data(0), 0x1800);
      WriteMulti.Entry.write(client.out, 1, 0x10, 0, 8);
      client.out.set(ValueLayout.JAVA_LONG, WriteMulti.Entry.data(1), 0xaa);
      assertThat(client.socket.send(client.out, size)).isZero();
      assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES);
      answerDma(client, (byte) 0x77);
      assertThat(client.receive()).isEqualTo(WriteMulti.BYTES);

      assertThat(Header.isError(client.in())).isFalse();
      assertThat(WriteMulti.COUNT.get(client.in())).isEqualTo(2);
      assertThat(device.journal).containsExactly("write 0 256+8 1800", "done", "write 0 16+8 aa");
    }
  }

  @Test
  void asksForMemoryOfWhichNoDescriptorCame() throws Exception {
    try (var client = start()) {
      assertThat(client.write(7, COMMAND, 2, BUS_MASTER)).isZero();
      assertThat(client.map(0x1000, 0x4000, READ_WRITE)).isZero();
      device.journal.clear();
      sendWrite(client, 0x100, 0x1800);
      assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES);
      assertThat(Header.command(client.in())).isEqualTo(Command.DMA_READ.number());
      assertThat(DmaAccessMessage.ADDRESS.get(client.in())).isEqualTo(0x1800);
      assertThat(DmaAccessMessage.COUNT.get(client.in())).isEqualTo(6000);
      int id = Header.id(client.in());

      // Commands that come before the answer are carried out after it, in their order.
      sendWrite(client, 0x10, 0xaa);
      sendWrite(client, 0x18, 0xbb);
      Header.writeReply(client.out, id, Command.DMA_READ.number(), DmaAccessMessage.BYTES + 6000);
      DmaAccessMessage.ADDRESS.set(client.out, 0x1800);
      DmaAccessMessage.COUNT.set(client.out, 6000);
      client.out.asSlice(DmaAccessMessage.BYTES, 6000).fill((byte) 0x77);
      assertThat(client.socket.send(client.out, DmaAccessMessage.BYTES + 6000)).isZero();
      for (int i = 0; i < 3; i++) {
        assertThat(client.receive()).isEqualTo(RegionAccess.BYTES);
      }
      assertThat(device.journal)
          .containsExactly("write 0 256+8 1800", "done", "write 0 16+8 aa", "write 0 24+8 bb");
      assertThat(device.buffer.get(ValueLayout.JAVA_BYTE, 5999)).isEqualTo((byte) 0x77);

      sendWrite(client, 0x108, 0x2000);
      assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES + 6000);
      assertThat(client.in().get(ValueLayout.JAVA_BYTE, DmaAccessMessage.BYTES + 5999L))
          .isEqualTo((byte) 0x77);
      answerDma(client, (byte) 0);
      assertThat(client.receive()).isEqualTo(RegionAccess.BYTES);

      sendWrite(client, 0x100, 0x1000);
      assertThat(client.receive()).isPositive();
      Header.writeError(
          client.out, Header.id(client.in()), Command.DMA_READ.number(), Errno.EFAULT.number());
      assertThat(client.socket.send(client.out, Header.SIZE)).isZero();
      assertThat(client.receive()).isEqualTo(RegionAccess.BYTES);
      assertThat(device.journal).contains("fault");
    }
  }

  @Test
  void asksByTheTwinSocketWhereThereIsOne() throws Exception {
    server = VfioUserServer.serve(device, options());
    try (var client = new RawClient(path())) {
      assertThat(
              client.version(
                  "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":true}}}"))
          .isZero();
      assertThat(client.socket.fdCount()).isOne();
      try (var twin =
          new MessageSocket(
              UnixSocket.adopt(KERNEL, client.socket.takeFd(0)), 1 << 20, 0, 20_000)) {
        assertThat(client.write(7, COMMAND, 2, BUS_MASTER)).isZero();
        assertThat(client.map(0, 0x4000, READ_WRITE)).isZero();
        sendWrite(client, 0x100, 0);
        assertThat(twin.receive(true)).isEqualTo(DmaAccessMessage.BYTES);
        var out = client.out;
        Header.writeReply(
            out,
            Header.id(twin.message()),
            Command.DMA_READ.number(),
            DmaAccessMessage.BYTES + 6000);
        DmaAccessMessage.ADDRESS.set(out, 0);
        DmaAccessMessage.COUNT.set(out, 6000);
        assertThat(twin.send(out, DmaAccessMessage.BYTES + 6000)).isZero();
        assertThat(client.receive()).isEqualTo(RegionAccess.BYTES);
        assertThat(device.journal).contains("done");
      }
    }
  }

  @Test
  void asksForNoMoreAtOnceThanTheClientTakes() throws Exception {
    server = VfioUserServer.serve(device, options());
    try (var client = new RawClient(path())) {
      assertThat(client.version("{\"capabilities\":{\"max_data_xfer_size\":1024}}")).isZero();
      assertThat(client.write(7, COMMAND, 2, BUS_MASTER)).isZero();
      assertThat(client.map(0x1000, 0x4000, READ_WRITE)).isZero();
      for (long register : new long[] {0x100, 0x108}) {
        sendWrite(client, register, 0x1800);
        for (int done = 0; done < 6000; done += 1024) {
          int piece = Math.min(1024, 6000 - done);
          boolean isRead = register == 0x100;
          assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES + (isRead ? 0 : piece));
          assertThat(DmaAccessMessage.ADDRESS.get(client.in())).isEqualTo(0x1800 + done);
          assertThat(DmaAccessMessage.COUNT.get(client.in())).isEqualTo(piece);
          if (!isRead) {
            assertThat(client.in().get(ValueLayout.JAVA_BYTE, DmaAccessMessage.BYTES))
                .isEqualTo((byte) (done / 1024 + 1));
          }
          answerDma(client, (byte) (done / 1024 + 1));
        }
        assertThat(client.receive()).isEqualTo(RegionAccess.BYTES);
      }
      assertThat(device.journal).endsWith("write 0 264+8 1800", "done");
      assertThat(client.read(7, 0, 1025)).isEqualTo(Errno.EINVAL.number());
      assertThat(client.read(7, 0, 1024)).isZero();
    }
  }

  @Test
  void cutsOffAClientThatDoesNotAnswer() throws Exception {
    try (var client = start(options().withPatience(Duration.ofMillis(200)))) {
      assertThat(client.write(7, COMMAND, 2, BUS_MASTER)).isZero();
      assertThat(client.map(0, 0x4000, READ_WRITE)).isZero();
      sendWrite(client, 0x100, 0);
      assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES);
      awaitLeft(1);
    }
    RawClient.agreed(path()).close();
  }

  @Test
  void obeysNoReplyAndKeepsTheOrder() throws Exception {
    try (var client = start()) {
      for (int i = 0; i < 100; i++) {
        RegionAccess.OFFSET.set(client.out, 0);
        RegionAccess.REGION.set(client.out, 0);
        RegionAccess.COUNT.set(client.out, 8);
        client.out.set(ValueLayout.JAVA_LONG, RegionAccess.BYTES, i);
        client.call(Command.REGION_WRITE.number(), RegionAccess.BYTES + 8, Header.NO_REPLY);
      }
      client.call(99, Header.SIZE, Header.NO_REPLY);
      assertThat(client.value(0, 0, 8)).isEqualTo(99);
    }
  }

  @Test
  void writesManyAtOnce() throws Exception {
    try (var client = start()) {
      WriteMulti.COUNT.set(client.out, 3);
      for (int i = 0; i < 3; i++) {
        WriteMulti.Entry.write(client.out, i, 8L * i, 0, 4);
        client.out.set(ValueLayout.JAVA_INT, WriteMulti.Entry.data(i), 0x10 + i);
      }
      device.journal.clear();
      int size = WriteMulti.BYTES + 3 * WriteMulti.Entry.BYTES;
      assertThat(client.call(Command.REGION_WRITE_MULTI, size)).isZero();
      assertThat(WriteMulti.COUNT.get(client.in())).isEqualTo(3);
      assertThat(device.journal)
          .containsExactly("write 0 0+4 10", "write 0 8+4 11", "write 0 16+4 12");
      WriteMulti.COUNT.set(client.out, 4);
      assertThat(client.call(Command.REGION_WRITE_MULTI, size)).isEqualTo(Errno.EINVAL.number());
      WriteMulti.COUNT.set(client.out, Long.MAX_VALUE);
      assertThat(client.call(Command.REGION_WRITE_MULTI, size)).isEqualTo(Errno.EINVAL.number());
      WriteMulti.COUNT.set(client.out, 3);
      WriteMulti.Entry.write(client.out, 1, 0, 0, 9);
      assertThat(client.call(Command.REGION_WRITE_MULTI, size)).isEqualTo(Errno.EINVAL.number());
    }
  }

  @Test
  void survivesAModelThatFails() throws Exception {
    try (var client = start()) {
      assertThat(client.write(0, 0x200, 4, 0)).isEqualTo(Errno.EIO.number());
      assertThat(client.write(0, 0, 4, 7)).isZero();
      assertThat(client.value(0, 0, 4)).isEqualTo(7);
    }
  }

  @Test
  void refusesCommandsThatAreNone() throws Exception {
    try (var client = start()) {
      for (int command : new int[] {0, 14, 19, 0xffff, 11, 12}) {
        assertThat(client.call(command, Header.SIZE, 0)).isEqualTo(Errno.EOPNOTSUPP.number());
      }
      assertThat(client.version("{}")).as("a second time").isEqualTo(Errno.EINVAL.number());
      for (var command : Command.values()) {
        if (!command.isFromServer()
            && command != Command.DEVICE_RESET
            && command != Command.DEVICE_GET_REGION_IO_FDS
            && command != Command.DEVICE_FEATURE
            && command != Command.MIG_DATA_READ
            && command != Command.MIG_DATA_WRITE) {
          assertThat(client.call(command, Header.SIZE + 1))
              .as(command.name())
              .isEqualTo(Errno.EINVAL.number());
        }
      }
      assertThat(client.value(7, 0, 4)).isEqualTo(0x0dc8_494f);
    }
  }

  @Test
  void sendsAwayWhoBreaksTheProtocol() throws Exception {
    server = VfioUserServer.serve(device, options());
    long before = openFiles();
    for (int kind = 0; kind < 4; kind++) {
      try (var client = RawClient.agreed(path())) {
        switch (kind) {
          case 0 -> Header.write(client.out, 1, 9, 3, 0, 0);
          case 1 -> Header.write(client.out, 1, 9, 0x7fff_ffff, 0, 0);
          case 2 -> Header.write(client.out, 1, 9, Header.SIZE, Header.REPLY, 0);
          default -> Header.write(client.out, 1, 9, Header.SIZE, 5, 0);
        }
        client.socket.send(client.out, Header.SIZE);
        client.assertSentAway();
      }
    }
    awaitLeft(4);
    assertThat(openFiles()).isEqualTo(before);
  }

  @Test
  void agreesOnVersionsThatItKnows() throws Exception {
    server = VfioUserServer.serve(device, options());
    for (var json :
        new String[] {
          "",
          "[",
          "{",
          "\"",
          "{\"capabilities\":\"23\"}",
          "{\"capabilities\":{\"max_msg_fds\":\"x\"}}",
          "{\"capabilities\":{\"max_msg_fds\":-1}}",
          "\"capabilities\""
        }) {
      try (var client = new RawClient(path())) {
        assertThat(client.version(json)).isEqualTo(Errno.EINVAL.number());
        client.assertSentAway();
      }
    }
    try (var client = new RawClient(path())) {
      assertThat(client.read(7, 0, 4)).as("before a version").isEqualTo(Errno.EINVAL.number());
      client.assertSentAway();
    }
    try (var client = new RawClient(path())) {
      assertThat(client.call(999, Header.SIZE + 4, 0)).isEqualTo(Errno.EINVAL.number());
      client.assertSentAway();
    }
    try (var client = new RawClient(path())) {
      Header.write(client.out, 1, Command.VERSION.number(), 0x7fff_ffff, 0, 0);
      client.socket.send(client.out, Header.SIZE);
      client.assertSentAway();
    }
    try (var client = new RawClient(path())) {
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE, 0);
      assertThat(client.call(Command.VERSION, Header.SIZE + 4)).as("without JSON").isZero();
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE, 1);
    }
    try (var client = new RawClient(path())) {
      client.out.set(ValueLayout.JAVA_INT, Header.SIZE, 1);
      assertThat(client.call(Command.VERSION, Header.SIZE + 4)).isEqualTo(Errno.EINVAL.number());
    }
  }

  @Test
  void servesManyClientsOneAfterTheOther() throws Exception {
    var fd = memory(1 << 20);
    var event = eventFd();
    server = VfioUserServer.serve(device, options());
    RawClient.agreed(path()).close();
    awaitLeft(1);
    long before = openFiles();
    for (int i = 2; i < 40; i++) {
      try (var client = RawClient.agreed(path())) {
        assertThat(client.value(7, COMMAND, 2)).as("as after power-on").isZero();
        assertThat(client.value(0, 0, 8)).isZero();
        assertThat(client.write(7, COMMAND, 2, 7)).isZero();
        assertThat(client.write(0, 0, 8, -1)).isZero();
        assertThat(client.map(0, 1 << 20, READ_WRITE, fd)).isZero();
        assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 2, 0, 1, event)).isZero();
        if (i % 2 == 0) {
          client.socket.send(client.out, 7);
        }
      }
      awaitLeft(i);
    }
    assertThat(openFiles()).isEqualTo(before);
    KERNEL.close(fd);
    KERNEL.close(event);
  }

  @Test
  void tellsASecondClientThatThereIsOne() throws Exception {
    try (var first = start()) {
      try (var second = new RawClient(path())) {
        assertThat(second.version("{}")).isEqualTo(Errno.EBUSY.number());
      }
      assertThat(first.value(7, 0, 4)).isEqualTo(0x0dc8_494f);
    }
    RawClient.agreed(path()).close();
  }

  @Test
  void hasASocketForItsOwnerOnly() throws Exception {
    server = VfioUserServer.serve(device, options());
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
        .isEqualTo("rw-------");
    try (var other = new GpioModel()) {
      assertThatThrownBy(() -> VfioUserServer.serve(other, options()))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("EADDRINUSE")
          .hasMessageContaining("Another server listens there");
    }
    server.close();
    assertThat(path()).doesNotExist();
    assertThat(device.journal).endsWith("close");
    server.close();

    UnixSocket.listen(KERNEL, path().toString(), 0600).close();
    assertThat(path()).as("left over").exists();
    server = VfioUserServer.serve(new GpioModel(), options().withMode(0666));
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
        .isEqualTo("rw-rw-rw-");
    Files.delete(path());
    Files.writeString(path(), "somebody else's");
    server.close();
    assertThat(path()).exists();
    try (var other = new GpioModel()) {
      assertThatThrownBy(() -> VfioUserServer.serve(other, options()))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("something else than a socket");
    }
  }

  @Test
  void servesAtASocketThatListensAlready() throws Exception {
    var listening = UnixSocket.listen(KERNEL, path().toString(), 0600);
    try (var adopted =
            VfioUserServer.serve(device, VfioUserServerOptions.atDescriptor(listening.fd()));
        var client = RawClient.agreed(path())) {
      assertThat(client.value(7, 0, 4)).isEqualTo(0x0dc8_494f);
      assertThat(adopted.clients()).isZero();
    }
    assertThat(path()).exists();
  }

  @Test
  void servesSeveralDevicesWithAndWithoutPolling() throws Exception {
    var second = path().resolveSibling("second.sock");
    var gpio = new GpioModel();
    var changed = new CountDownLatch(1);
    gpio.onOutput((line, level) -> changed.countDown());
    server = VfioUserServer.serve(new EduModel(), options().withPolling());
    try (var other = VfioUserServer.serve(gpio, second);
        var edu = RawClient.agreed(path());
        var card = RawClient.agreed(second)) {
      assertThat(edu.value(0, 0, 4)).isEqualTo(0x0100_00edL);
      assertThat(card.write(2, 0, 1, 4)).isZero();
      assertThat(changed.await(10, TimeUnit.SECONDS)).isTrue();
      int fd = eventFd();
      assertThat(card.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 0, 0, 1, fd)).isZero();
      assertThat(card.value(2, 2, 1)).isZero();
      gpio.setInput(9, true);
      assertThat(KERNEL.awaitReadable(fd, 10_000)).isOne();
      assertThat(card.value(2, 5, 1)).isEqualTo(2);
      KERNEL.close(fd);
      assertThat(other.clients()).isZero();
    }
  }

  @Test
  void closesWhileAClientIsInTheMiddleOfSomething() throws Exception {
    try (var client = start()) {
      client.socket.send(client.out, 5);
      Objects.requireNonNull(server).close();
      client.assertSentAway();
    }
    assertThat(device.journal).endsWith("close");
  }

  @Test
  void givesUpAClientThatBeginsAMessageAndDoesNotEndIt() throws Exception {
    try (var client = start(options().withPatience(Duration.ofMillis(500)))) {
      client.socket.send(client.out, 5);
      client.assertSentAway();
    }
    try (var silent = new RawClient(path())) {
      silent.assertSentAway();
    }
  }
}
