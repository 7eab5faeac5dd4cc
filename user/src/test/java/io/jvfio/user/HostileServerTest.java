// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.user.ScriptedServer.Exchange;
import io.jvfio.user.ScriptedServer.Script;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.RegionIoFds;
import io.jvfio.user.wire.SubRegion;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A server that answers as none may: the call fails and says why, and nothing stays open. */
class HostileServerTest extends ScriptedServerTest {
  private static final VfioUserOptions OPTIONS =
      VfioUserOptions.defaults().withRequestTimeout(Duration.ofSeconds(5));

  /**
   * What a server does, and what is said of it.
   *
   * @param said a part of the message
   */
  record Misdeed(String name, Script script, String said) {
    @Override
    public String toString() {
      return name;
    }
  }

  /** Answers a command by a reply that is changed on its way. */
  private static Script changed(Command command, long size, Consumer<MemorySegment> change) {
    return exchange -> {
      if (!exchange.is(command)) {
        return false;
      }
      var reply = exchange.reply(size);
      change.accept(reply);
      return exchange.send(reply);
    };
  }

  private static Script version(int major, int minor, String json) {
    return exchange ->
        exchange.is(Command.VERSION)
            && exchange.send(ScriptedServer.version(exchange, major, minor, json));
  }

  private static Script withFds(
      Command command, int count, long size, Consumer<MemorySegment> fill) {
    return exchange -> {
      if (!exchange.is(command)) {
        return false;
      }
      var fds = new int[count];
      for (int i = 0; i < count; i++) {
        fds[i] = LinuxKernel.instance().eventFd(0, 0);
      }
      var reply = exchange.reply(size);
      fill.accept(reply);
      exchange.send(reply, fds);
      for (int fd : fds) {
        LinuxKernel.instance().close(fd);
      }
      return true;
    };
  }

  private static Script region(int index, Consumer<MemorySegment> change) {
    return exchange -> {
      if (!exchange.is(Command.DEVICE_GET_REGION_INFO)
          || VfioRegionInfo.INDEX.get(exchange.message.asSlice(Header.SIZE)) != index) {
        return false;
      }
      var reply = exchange.reply(Header.SIZE + VfioRegionInfo.BYTES);
      var info = reply.asSlice(Header.SIZE);
      VfioRegionInfo.ARGSZ.set(info, (int) VfioRegionInfo.BYTES);
      VfioRegionInfo.FLAGS.set(info, 3);
      VfioRegionInfo.SIZE.set(info, 256);
      change.accept(info);
      return exchange.send(reply);
    };
  }

  static Stream<Misdeed> misdeedsOnOpening() {
    return Stream.of(
        new Misdeed("another major version", version(1, 0, "{}"), "version 1.0"),
        new Misdeed("a later minor version", version(0, 9, "{}"), "version 0.9"),
        new Misdeed("no JSON", version(0, 1, "}"), "no JSON"),
        new Misdeed("JSON of no object", version(0, 1, "[]"), "no JSON object"),
        new Misdeed(
            "a limit of no number",
            version(0, 1, "{\"capabilities\":{\"max_msg_fds\":\"8\"}}"),
            "max_msg_fds"),
        new Misdeed(
            "room for no data",
            version(0, 1, "{\"capabilities\":{\"max_data_xfer_size\":0}}"),
            "max_data_xfer_size of 0"),
        new Misdeed(
            "a twin socket without a descriptor",
            version(0, 1, "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}"),
            "a twin socket at descriptor -1 of 0"),
        new Misdeed(
            "a twin socket at a descriptor that is not there",
            version(
                0, 1, "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}"),
            "a twin socket at descriptor 0 of 0"),
        new Misdeed(
            "a short version",
            changed(Command.VERSION, 18, _ -> {}),
            "its reply to VERSION has 18 bytes"),
        new Misdeed(
            "a refused version",
            exchange -> exchange.is(Command.VERSION) && exchange.fail(Errno.EINVAL.number()),
            "VFIO_USER_VERSION"),
        new Misdeed(
            "hanging up",
            exchange -> exchange.is(Command.VERSION) && exchange.hangUp(),
            "did not agree on a version"),
        new Misdeed(
            "hanging up when bus mastering is looked at",
            exchange -> exchange.is(Command.REGION_READ) && exchange.hangUp(),
            "has closed the connection"),
        new Misdeed(
            "a device of no kind",
            changed(Command.DEVICE_GET_INFO, 32, reply -> reply.asSlice(0, 4).fill((byte) 0)),
            "it replied to command 0"),
        new Misdeed(
            "no PCI device",
            changed(Command.DEVICE_GET_INFO, 32, reply -> reply.asSlice(16).fill((byte) 0)),
            "no PCI device"),
        new Misdeed(
            "too many regions",
            changed(
                Command.DEVICE_GET_INFO,
                32,
                reply -> {
                  reply.set(Layouts.U32, 20, 3);
                  reply.set(Layouts.U32, 24, -1);
                }),
            "the device has 4294967295 regions"),
        new Misdeed(
            "too few regions",
            changed(
                Command.DEVICE_GET_INFO,
                32,
                reply -> {
                  reply.set(Layouts.U32, 20, 3);
                  reply.set(Layouts.U32, 24, 2);
                }),
            "at least 8 regions"),
        new Misdeed(
            "no configuration space",
            region(7, info -> VfioRegionInfo.SIZE.set(info, 0)),
            "0 bytes of configuration space"),
        new Misdeed(
            "more configuration space than there is",
            region(7, info -> VfioRegionInfo.SIZE.set(info, 1L << 32)),
            "4,294,967,296 bytes of configuration space"),
        new Misdeed(
            "another region", region(3, info -> VfioRegionInfo.INDEX.set(info, 4)), "index 4"),
        new Misdeed(
            "a region of a negative size",
            region(0, info -> VfioRegionInfo.SIZE.set(info, -5)),
            "-"),
        new Misdeed(
            "a region larger than any",
            region(0, info -> VfioRegionInfo.SIZE.set(info, 1L << 45)),
            "35184372088832"),
        new Misdeed(
            "a description longer than its reply",
            region(0, info -> VfioRegionInfo.ARGSZ.set(info, 1 << 30)),
            "argsz 1073741824"),
        new Misdeed(
            "capabilities outside of the reply",
            region(
                0,
                info -> {
                  VfioRegionInfo.FLAGS.set(info, 11);
                  VfioRegionInfo.CAP_OFFSET.set(info, 1000);
                }),
            "The server describes it with"),
        new Misdeed(
            "two descriptors for a region",
            withFds(
                Command.DEVICE_GET_REGION_INFO,
                2,
                Header.SIZE + VfioRegionInfo.BYTES,
                reply -> {
                  VfioRegionInfo.ARGSZ.set(reply.asSlice(16), 32);
                  VfioRegionInfo.FLAGS.set(reply.asSlice(16), 7);
                }),
            "2 descriptors"),
        new Misdeed(
            "more descriptors than there is room for",
            withFds(Command.DEVICE_GET_INFO, 65, 32, _ -> {}),
            "more descriptors than it may"),
        new Misdeed(
            "other interrupts than were asked for",
            changed(
                Command.DEVICE_GET_IRQ_INFO,
                32,
                reply -> VfioIrqInfo.INDEX.set(reply.asSlice(16), 4)),
            "index 4"),
        new Misdeed(
            "interrupts without number",
            changed(
                Command.DEVICE_GET_IRQ_INFO,
                32,
                reply -> VfioIrqInfo.COUNT.set(reply.asSlice(16), -1)),
            "4294967295 interrupts"),
        new Misdeed(
            "a reset with something to say",
            changed(Command.DEVICE_RESET, 20, _ -> {}),
            "its reply to DEVICE_RESET has 20 bytes"));
  }

  @ParameterizedTest
  @MethodSource("misdeedsOnOpening")
  void isRefusedOnOpening(Misdeed misdeed) {
    server.script = misdeed.script;
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> VfioUser.open(path, OPTIONS))
        .withMessageContaining(misdeed.said);
  }

  private static Script reads(long size, Consumer<MemorySegment> change) {
    return changed(Command.REGION_READ, size, change);
  }

  private static boolean raw(Exchange exchange, int... words) {
    if (!exchange.is(Command.REGION_READ)) {
      return false;
    }
    var bytes = Arena.ofAuto().allocate(4L * words.length, 8);
    for (int i = 0; i < words.length; i++) {
      bytes.set(ValueLayout.JAVA_INT, 4L * i, words[i]);
    }
    return exchange.send(bytes);
  }

  private static int idAnd(Exchange exchange, int command) {
    return Header.id(exchange.message) | command << 16;
  }

  static Stream<Misdeed> misdeedsOnReading() {
    return Stream.of(
        new Misdeed(
            "less than a header", e -> raw(e, idAnd(e, 9), 8, 1, 0), "length that none has"),
        new Misdeed("endless", e -> raw(e, idAnd(e, 9), -1, 1, 0), "length that none has"),
        new Misdeed(
            "neither command nor reply", e -> raw(e, idAnd(e, 9), 16, 2, 0), "neither command"),
        new Misdeed("another command", e -> raw(e, idAnd(e, 10), 16, 1, 0), "was not given"),
        new Misdeed(
            "an id that is nobody's", e -> raw(e, 0xffff | 9 << 16, 16, 1, 0), "was not given"),
        new Misdeed(
            "the id of one before",
            e -> raw(e, ((Header.id(e.message) - 64) & 0xffff) | 9 << 16, 16, 1, 0),
            "was not given"),
        new Misdeed("no data", reads(32, _ -> {}), "data of another length"),
        new Misdeed(
            "too many data",
            reads(40, reply -> RegionAccess.COUNT.set(reply, 8)),
            "40 bytes, not 32 to 36"),
        new Misdeed(
            "data of another length than it says",
            reads(36, reply -> RegionAccess.COUNT.set(reply, 2)),
            "data of another length"),
        new Misdeed(
            "another region",
            reads(36, reply -> RegionAccess.REGION.set(reply, 1)),
            "another place"),
        new Misdeed(
            "another offset",
            reads(36, reply -> RegionAccess.OFFSET.set(reply, 4)),
            "another place"),
        new Misdeed(
            "the end in the middle of a message",
            exchange -> {
              if (!exchange.is(Command.REGION_READ)) {
                return false;
              }
              exchange.socket.send(exchange.reply(36), 20);
              return exchange.hangUp();
            },
            "has closed the connection"));
  }

  @ParameterizedTest
  @MethodSource("misdeedsOnReading")
  void isRefusedOnReading(Misdeed misdeed) {
    try (var device = VfioUser.open(path, OPTIONS)) {
      var registers = device.region(0).registers();
      server.script = misdeed.script;
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.read32(0))
          .withMessageContaining(misdeed.said);
      assertThatExceptionOfType(VfioException.class)
          .as("nothing is read any more")
          .isThrownBy(() -> device.config().read16(0))
          .withMessageContaining(misdeed.said);
    }
  }

  @Test
  void isRefusedWithoutHavingBeenAsked() {
    try (var device = VfioUser.open(path, OPTIONS)) {
      var reply = Arena.ofAuto().allocate(16, 8);
      Header.writeReply(reply, 5, Command.DEVICE_RESET.number(), 16);
      server.send(reply);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> readForAWhile(device))
          .withMessageContaining("which it was not given");
    }
  }

  private static void readForAWhile(VfioUserDevice device) {
    for (int i = 0; i < 1_000_000; i++) {
      device.config().read16(0);
    }
  }

  private boolean isWatched() {
    return Thread.getAllStackTraces().keySet().stream()
        .anyMatch(thread -> thread.getName().equals("jvfio unix:" + path));
  }

  @Test
  void beginsAMessageAfterItsReplyAndDoesNotEndIt() throws Exception {
    var options = OPTIONS.withRequestTimeout(Duration.ofSeconds(1));
    try (var device = VfioUser.open(path, options)) {
      var registers = device.region(0).registers();
      registers.read32(0);
      server.script =
          exchange -> {
            if (!exchange.is(Command.REGION_READ)) {
              return false;
            }
            var reply = exchange.reply(RegionAccess.BYTES + 4L + 1);
            reply.set(Layouts.U32, 4, RegionAccess.BYTES + 4);
            return exchange.send(reply);
          };
      long begin = System.nanoTime();
      registers.read32(0);
      assertThat(System.nanoTime() - begin).isLessThan(10_000_000_000L); // it took 16 s once
      server.script = _ -> false;
      // Nobody waits for anything, and the connection is given up all the same.
      for (int i = 0; i < 600 && isWatched(); i++) {
        Thread.sleep(100);
      }
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.read32(0))
          .withMessageContaining("The server did not send the rest of a message");
    }
  }

  @Test
  void mayRefuseAWriteInPart() {
    try (var device = VfioUser.open(path, OPTIONS)) {
      var registers = device.region(0).registers();
      server.script = changed(Command.REGION_WRITE, 32, reply -> RegionAccess.COUNT.set(reply, 2));
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.write32(0, 1))
          .withMessageContaining("Only 2 of 4 bytes");
      server.script = changed(Command.REGION_WRITE, 32, reply -> RegionAccess.COUNT.set(reply, 5));
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.write32(0, 1))
          .withMessageContaining("more data than were sent");
    }
  }

  @Test
  void unmapsWhatItWasToldToUnmap() {
    try (var device = VfioUser.open(path, OPTIONS)) {
      var buffer = device.dmaSpace().allocate(4096);
      server.script =
          changed(
              Command.DMA_UNMAP,
              DmaUnmapMessage.BYTES,
              reply -> DmaUnmapMessage.SIZE.set(reply, 1));
      // The connection is given up, and with it all that the server could reach.
      buffer.close();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.config().read16(0))
          .withMessageContaining("other memory than was to be unmapped");
    }
  }

  @Test
  void cannotCutTheMemoryShortThatItIsGiven() throws IOException {
    try (var device = VfioUser.open(path, OPTIONS)) {
      var buffer = device.dmaSpace().allocate(4096);
      var file = Path.of("/proc/self/fd/" + buffer.fileDescriptor().getAsInt());
      assertThatExceptionOfType(IOException.class)
          .isThrownBy(
              () -> {
                try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                  channel.truncate(0);
                }
              });
      buffer.segment().fill((byte) 1);
    }
  }

  @Test
  void givesAFileForARegionThatIsTooShort() {
    int fd = LinuxKernel.instance().memoryFile("short", 0, 4096);
    server.script =
        exchange -> {
          if (!exchange.is(Command.DEVICE_GET_REGION_INFO)
              || VfioRegionInfo.INDEX.get(exchange.message.asSlice(Header.SIZE)) != 0) {
            return false;
          }
          var reply = exchange.reply(Header.SIZE + VfioRegionInfo.BYTES);
          var info = reply.asSlice(Header.SIZE);
          VfioRegionInfo.ARGSZ.set(info, (int) VfioRegionInfo.BYTES);
          VfioRegionInfo.FLAGS.set(info, 7);
          VfioRegionInfo.SIZE.set(info, 1 << 20);
          return exchange.send(reply, fd);
        };
    try (var device = VfioUser.open(path, OPTIONS)) {
      var registers = device.region(0).registers();
      registers.write32(0, 1);
      for (int i = 0; i < 20_000; i++) {
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> registers.read32(8192))
            .withMessageContaining("did not answer");
      }
    } finally {
      LinuxKernel.instance().close(fd);
    }
  }

  @Test
  void maySayThatARegionCanBeMappedAndGiveNoFile() {
    server.script = region(0, info -> VfioRegionInfo.FLAGS.set(info, 7));
    try (var device = VfioUser.open(path, OPTIONS)) {
      assertThat(device.region(0).info().mappable()).isFalse();
      assertThat(device.region(0).mappableAreas()).isEmpty();
      assertThat(device.region(0).registers().read32(0)).isZero();
    }
  }

  @Test
  void givesSomethingElseThanASocketAsItsTwin() {
    var json = "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}";
    int fd = LinuxKernel.instance().eventFd(0, 0);
    server.script =
        exchange ->
            exchange.is(Command.VERSION)
                && exchange.send(ScriptedServer.version(exchange, 0, 1, json), fd);
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> VfioUser.open(path, OPTIONS))
        .withMessageContaining("no socket");
    LinuxKernel.instance().close(fd);
  }

  static Stream<Misdeed> misdeedsOnIoFds() {
    return Stream.of(
        new Misdeed(
            "no descriptor",
            changed(Command.DEVICE_GET_REGION_IO_FDS, 72, reply -> part(reply, 0, 4, 0)),
            "a part of 4 bytes at 0x0"),
        new Misdeed(
            "a descriptor that is not there",
            withFds(Command.DEVICE_GET_REGION_IO_FDS, 1, 72, reply -> part(reply, 0, 4, 1)),
            "a part of 4 bytes at 0x0"),
        new Misdeed(
            "a part outside of the region",
            withFds(Command.DEVICE_GET_REGION_IO_FDS, 1, 72, reply -> part(reply, 4 << 20, 4, 0)),
            "a part of 4 bytes at 0x400000"),
        new Misdeed(
            "a part of a negative size",
            withFds(Command.DEVICE_GET_REGION_IO_FDS, 1, 72, reply -> part(reply, 0, -4, 0)),
            "a part of -4 bytes"),
        new Misdeed(
            "more parts than there are",
            withFds(
                Command.DEVICE_GET_REGION_IO_FDS,
                1,
                72,
                reply -> {
                  part(reply, 0, 4, 0);
                  RegionIoFds.COUNT.set(reply, 1 << 30);
                }),
            "1073741824 parts in 40 bytes"));
  }

  private static void part(MemorySegment reply, long offset, long byteSize, int fdIndex) {
    RegionIoFds.COUNT.set(reply, 1);
    SubRegion.write(
        reply, 0, SubRegion.BYTES, offset, byteSize, fdIndex, SubRegion.IOEVENTFD, 0, 0);
  }

  @ParameterizedTest
  @MethodSource("misdeedsOnIoFds")
  void isRefusedWithEventfds(Misdeed misdeed) {
    try (var device = VfioUser.open(path, OPTIONS)) {
      server.script = misdeed.script;
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.ioEventFds(0))
          .withMessageContaining(misdeed.said);
    }
  }

  /** Answers with one eventfd, which is given back as the sender's own. */
  private int givesEventFd(int fd) {
    server.script =
        exchange -> {
          if (!exchange.is(Command.DEVICE_GET_REGION_IO_FDS)) {
            return false;
          }
          var reply = exchange.reply(RegionIoFds.BYTES + (long) SubRegion.BYTES);
          part(reply, 8, 4, 0);
          return exchange.send(reply, fd);
        };
    return fd;
  }

  @Test
  void givesSomethingElseThanAnEventfd() throws Exception {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    try (var device = VfioUser.open(path, OPTIONS)) {
      givesEventFd(pair.first().fd());
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.ioEventFds(0))
          .withMessageContaining("that is no eventfd");
    }
    pair.first().close();
    pair.second().close();
  }

  @Test
  void givesAnEventfdThatIsFullAndWaits() throws Exception {
    var kernel = LinuxKernel.instance();
    int fd = givesEventFd(kernel.eventFd(0, 0));
    try (var device = VfioUser.open(path, OPTIONS);
        var arena = Arena.ofShared()) {
      var full = arena.allocateFrom(ValueLayout.JAVA_LONG, -2);
      try (var events = device.ioEventFds(0)) {
        kernel.write(fd, full);
        events.all().getFirst().write(1); // is signalled already
      }
      // One that waits only later, which nobody can see before: closing frees who waits.
      int quick = givesEventFd(kernel.eventFd(0, Kernel.EFD_NONBLOCK));
      var events = device.ioEventFds(0);
      assertThat(kernel.ioctl(quick, new Ioctl("FIONBIO", 'T', 0x21), arena.allocate(4))).isZero();
      kernel.write(quick, full);
      var writing = Thread.ofPlatform().start(() -> events.all().getFirst().write(1));
      while (writing.getState() == Thread.State.NEW) {
        Thread.onSpinWait();
      }
      Thread.sleep(100);
      events.close();
      assertThat(writing.join(Duration.ofSeconds(60))).isTrue();
      kernel.close(quick);
    }
    kernel.close(fd);
  }

  @Test
  void givesEventfdsThatCanBeSignalled() {
    try (var device = VfioUser.open(path, OPTIONS);
        var arena = Arena.ofConfined()) {
      int event = LinuxKernel.instance().eventFd(0, Kernel.EFD_NONBLOCK);
      int memory = LinuxKernel.instance().memoryFile("shadow", 0, 4096);
      server.script =
          exchange -> {
            if (!exchange.is(Command.DEVICE_GET_REGION_IO_FDS)) {
              return false;
            }
            var reply = exchange.reply(RegionIoFds.BYTES + 2L * SubRegion.SHADOW_BYTES);
            RegionIoFds.COUNT.set(reply, 2);
            SubRegion.write(
                reply,
                0,
                SubRegion.SHADOW_BYTES,
                8,
                4,
                0,
                SubRegion.IOEVENTFD,
                SubRegion.IS_MATCHED,
                3);
            SubRegion.write(
                reply, 1, SubRegion.SHADOW_BYTES, 16, 8, 0, SubRegion.IOEVENTFD_SHADOW, 0, 0);
            SubRegion.writeShadow(reply, 1, 1, 64);
            return exchange.send(reply, event, memory);
          };
      try (var events = device.ioEventFds(0)) {
        var matching = events.all().get(0);
        assertThat(matching.match()).hasValue(3);
        matching.write(3);
        assertThat(matching.offset()).isEqualTo(8);
        var count = arena.allocate(8, 8);
        assertThat(LinuxKernel.instance().read(event, count)).isEqualTo(8);
        var shadowed = events.all().get(1);
        shadowed.write(0x1122_3344_5566L);
        assertThat(LinuxKernel.instance().read(event, count)).isEqualTo(8);
        var seen = arena.allocate(8, 8);
        LinuxKernel.instance().pread(memory, seen, 64);
        assertThat(seen.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x1122_3344_5566L);
      }
      LinuxKernel.instance().close(event);
      LinuxKernel.instance().close(memory);
    }
  }
}
