// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.MigrationData;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.RegionIoFds;
import io.jvfio.user.wire.SubRegion;
import io.jvfio.user.wire.VersionMessage;
import io.jvfio.user.wire.WriteMulti;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A server that answers as servers do, spoiled: each connection is the same each time for the same
 * seed. Serves one client after the other on a thread of its own.
 */
final class HostileServer implements AutoCloseable {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final int[] NONE = {};
  private static final int BAR_BYTES = 8192;
  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
  private static final int CONFIG_BYTES = 256;
  private static final int PATIENCE_MILLIS = 30_000;
  private static final MemorySegment ONE = Arena.global().allocateFrom(ValueLayout.JAVA_LONG, 1);
  private static final String[] VERSIONS = {
    "{\"capabilities\":{\"max_msg_fds\":16,\"write_multiple\":true}}",
    "{\"capabilities\":{\"max_msg_fds\":2,\"max_data_xfer_size\":64,\"max_dma_maps\":3}}",
    "{\"capabilities\":{\"max_msg_fds\":16,\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}",
    "{\"capabilities\":{\"max_msg_fds\":0}}",
    "{}",
    "",
  };

  private final UnixSocket listener;
  private final LongUnaryOperator seeds;
  private final Fates fates;
  private final Thread thread;
  private final AtomicLong connections = new AtomicLong();

  /** What made the thread of the server end, which nothing should. */
  private volatile @Nullable Throwable failure;

  /**
   * Listens.
   *
   * @param seeds the seed of each connection, by its number
   */
  HostileServer(Path path, LongUnaryOperator seeds, Fates fates) throws ErrnoException {
    this.seeds = seeds;
    this.fates = fates;
    listener = UnixSocket.listen(KERNEL, path.toString(), 0600);
    thread = Thread.ofPlatform().name("hostile server").daemon().start(this::run);
  }

  /** How many connections there were. */
  long connections() {
    return connections.get();
  }

  @Nullable Throwable failure() {
    return failure;
  }

  private void run() {
    try {
      while (true) {
        UnixSocket accepted;
        try {
          accepted = listener.accept();
          accepted.limitWaits(0, PATIENCE_MILLIS);
        } catch (ErrnoException e) {
          return; // shut down
        }
        try (var session = new Session(accepted, seeds.applyAsLong(connections.get()), fates)) {
          session.serve();
        }
        connections.incrementAndGet();
      }
    } catch (RuntimeException | Error e) {
      failure = e;
    }
  }

  @Override
  public void close() {
    listener.shutdown();
    try {
      thread.join(PATIENCE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    listener.close();
  }

  private static final class Session implements AutoCloseable {
    private final SplittableRandom random;
    private final Mutator mutator;
    private final HostileFiles files;
    private final Fates fates;
    private final MessageSocket socket;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment out = arena.allocate(3 << 20, 8);
    private final MemorySegment ignored = arena.allocate(1 << 14);
    private final MemorySegment config = arena.allocate(CONFIG_BYTES, 8);
    private final List<Integer> interrupts = new ArrayList<>();
    private final List<long[]> maps = new ArrayList<>();

    /** One of so many replies is spoiled. */
    private final int odds;

    /** How many replies are as they should be, so that a client gets somewhere. */
    private int honest;

    private @Nullable UnixSocket twin;
    private int[] fds = NONE;

    Session(UnixSocket accepted, long seed, Fates fates) {
      random = new SplittableRandom(seed);
      mutator = new Mutator(random);
      files = new HostileFiles(random);
      socket = new MessageSocket(accepted, 2 << 20, 64, PATIENCE_MILLIS);
      this.fates = fates;
      odds = 2 + random.nextInt(40);
      honest = random.nextInt(4) == 0 ? 0 : random.nextInt(60);
      fillConfig();
    }

    private void fillConfig() {
      config.set(ValueLayout.JAVA_INT, 0, 0x0bad_1234);
      config.set(ValueLayout.JAVA_INT, 4, 0x0010_0000);
      config.set(ValueLayout.JAVA_INT, 8, 0xff00_0001);
      config.set(ValueLayout.JAVA_BYTE, 0x34, (byte) 0x40);
      config.set(ValueLayout.JAVA_BYTE, 0x3d, (byte) 1);
      config.set(ValueLayout.JAVA_INT, 0x40, 0x0007_5011);
      config.set(ValueLayout.JAVA_INT, 0x44, 4);
      config.set(ValueLayout.JAVA_INT, 0x48, 0x0804);
      config.set(ValueLayout.JAVA_INT, 0x50, 0x0001_0005);
      if (random.nextInt(8) == 0) {
        for (int i = 0; i < 4; i++) {
          config.set(ValueLayout.JAVA_BYTE, 0x34 + random.nextInt(0x30), (byte) random.nextInt());
        }
      }
    }

    void serve() {
      while (true) {
        int size = socket.receive(true);
        if (size <= 0) {
          fates.connection("client left");
          return;
        }
        var message = socket.message();
        if (Header.isReply(message)) {
          if (Header.isError(message)) {
            fates.refused(Header.command(message), Header.error(message));
          } else {
            fates.answered(Header.command(message));
          }
        } else if (!answer(message, size)) {
          fates.connection("hung up");
          return;
        }
      }
    }

    private boolean answer(MemorySegment message, int size) {
      int number = Header.command(message);
      int id = Header.id(message);
      var command = Command.of(number);
      keepFds(command, message);
      if (random.nextInt(12) == 0) {
        ask();
        if (hasLostClient()) {
          return false;
        }
      }
      fds = NONE;
      int reply = command == null ? -95 : reply(command, message, size);
      boolean silent = Header.wantsNoReply(message);
      if (silent && random.nextInt(50) != 0) {
        return true;
      }
      if (reply < 0) {
        Header.writeError(out, id, number, -reply);
        reply = Header.SIZE;
      } else {
        Header.writeReply(out, id, number, reply);
      }
      return send(number, reply);
    }

    /** Sends what is in {@link #out}, spoiled or not; whether there is more to come. */
    private boolean send(int number, int size) {
      int sent = size;
      if (honest > 0) {
        honest--;
      } else if (random.nextInt(odds) == 0) {
        switch (random.nextInt(20)) {
          case 0 -> {
            // No reply, ever, for which a client waits a while: so this is rarer than the rest.
            return random.nextInt(30) == 0;
          }
          case 1 -> Header.writeError(out, Header.id(out), number, random.nextInt(140));
          case 2 -> fds = anyFds();
          case 3 -> {
            put(size); // twice
          }
          case 4 -> out.set(ValueLayout.JAVA_SHORT, 0, (short) (Header.id(out) + 64));
          case 5 -> {
            put(random.nextInt(1, size + 1));
            return false;
          }
          default -> sent = mutator.spoil(out, size);
        }
        if (Header.isError(out) && random.nextInt(4) != 0) {
          sent = Math.min(sent, Header.SIZE);
          out.set(ValueLayout.JAVA_INT, 4, sent);
        }
      }
      fates.sent(number);
      boolean isReply = Header.isReply(out);
      return put(sent) && !hasLostClient() && (isReply || random.nextInt(10) == 0);
    }

    /**
     * A client waits a while for a reply, or the rest of a message, that will not come: mostly it
     * need not, so that there is time for more.
     */
    private boolean hasLostClient() {
      return mutator.lostFraming() && random.nextInt(30) != 0;
    }

    private boolean put(int size) {
      return socket.send(out, size, fds, Math.min(fds.length, 253)) == 0;
    }

    private int[] anyFds() {
      var some = new int[random.nextInt(8) == 0 ? random.nextInt(1, 80) : random.nextInt(1, 4)];
      int one = files.anything();
      for (int i = 0; i < some.length; i++) {
        some[i] = some.length > 4 ? one : files.anything();
      }
      return some;
    }

    private void keepFds(@Nullable Command command, MemorySegment message) {
      for (int i = 0; i < socket.fdCount(); i++) {
        if (command == Command.DEVICE_SET_IRQS && interrupts.size() < 64) {
          interrupts.add(socket.takeFd(i));
        } else if (command == Command.DMA_MAP && random.nextInt(4) == 0) {
          // A client's buffer is its own to use, whatever its server does with the file.
          SharedFile.tryResize(socket.fd(i), 0);
        }
      }
      if (command == Command.DMA_MAP && maps.size() < 1000) {
        maps.add(new long[] {DmaMapMessage.ADDRESS.get(message), DmaMapMessage.SIZE.get(message)});
      }
      if (!interrupts.isEmpty() && random.nextInt(4) == 0) {
        int fd = interrupts.get(random.nextInt(interrupts.size()));
        KERNEL.write(fd, ONE);
      }
    }

    /** Commands of the server's own, sensible and not, and replies that nobody asked for. */
    private void ask() {
      fds = NONE;
      for (int count = 1 + random.nextInt(4); count > 0; count--) {
        boolean isRead = random.nextBoolean();
        var map = maps.isEmpty() ? new long[] {0, 4096} : maps.get(random.nextInt(maps.size()));
        int bytes = 1 + random.nextInt(random.nextInt(8) == 0 ? 9000 : 64);
        var command = isRead ? Command.DMA_READ : Command.DMA_WRITE;
        int size = DmaAccessMessage.BYTES + (isRead ? 0 : bytes);
        Header.writeCommand(out, random.nextInt(1 << 16), command, size);
        DmaAccessMessage.ADDRESS.set(out, map[0] + random.nextInt(4096));
        DmaAccessMessage.COUNT.set(out, bytes);
        if (honest == 0 && random.nextInt(3) == 0) {
          size = mutator.spoil(out, size);
        }
        if (honest == 0 && random.nextInt(30) == 0) {
          fds = anyFds();
        }
        fates.sent(Header.command(out));
        var second = twin;
        if (second != null && random.nextInt(8) != 0) {
          second.send(out, 0, size, fds, fds.length);
          while (KERNEL.awaitReadable(second.fd(), 1) > 0
              && second.receive(ignored, 0, ignored.byteSize(), new int[1], 0, false) > 0) {
            fates.answered(command.number());
          }
        } else {
          put(size);
        }
        fds = NONE;
      }
    }

    private void int32(long at, int value) {
      out.set(ValueLayout.JAVA_INT, Header.SIZE + at, value);
    }

    private void int64(long at, long value) {
      out.set(ValueLayout.JAVA_LONG, Header.SIZE + at, value);
    }

    /** A sensible reply: its size with header, or a negated errno. */
    private int reply(Command command, MemorySegment message, int size) {
      MemorySegment.copy(message, 0, out, 0, Math.min(size, 1 << 16));
      return switch (command) {
        case VERSION -> version();
        case DEVICE_GET_INFO -> {
          int32(0, 16);
          int32(4, Vfio.VFIO_DEVICE_FLAGS_PCI | Vfio.VFIO_DEVICE_FLAGS_RESET);
          int32(8, 9);
          int32(12, 5);
          yield Header.SIZE + 16;
        }
        case DEVICE_GET_REGION_INFO -> regionInfo(message.get(ValueLayout.JAVA_INT, 24));
        case DEVICE_GET_REGION_IO_FDS -> ioFds();
        case DEVICE_GET_IRQ_INFO -> {
          int index = message.get(ValueLayout.JAVA_INT, 24);
          int32(0, 16);
          int32(4, index == 0 ? 7 : 1);
          int32(12, index == 2 ? 8 : 1);
          yield Header.SIZE + 16;
        }
        case REGION_READ -> regionRead(message);
        case REGION_WRITE -> {
          if (RegionAccess.REGION.get(message) == CONFIG) {
            long offset = RegionAccess.OFFSET.get(message);
            int count = Math.min(RegionAccess.COUNT.get(message), size - RegionAccess.BYTES);
            if (offset >= 4 && offset + count <= CONFIG_BYTES && count > 0) {
              MemorySegment.copy(message, RegionAccess.BYTES, config, offset, count);
            }
          }
          yield RegionAccess.BYTES;
        }
        case REGION_WRITE_MULTI -> WriteMulti.BYTES;
        case DMA_UNMAP -> Header.SIZE + 24;
        case DMA_MAP, DEVICE_SET_IRQS, DEVICE_RESET, MIG_DATA_WRITE -> Header.SIZE;
        case DEVICE_FEATURE -> feature(message, size);
        case MIG_DATA_READ -> {
          int count = Math.min(MigrationData.SIZE.get(message), random.nextInt(3000));
          MigrationData.ARGSZ.set(out, count + 8);
          MigrationData.SIZE.set(out, count);
          yield MigrationData.BYTES + count;
        }
        case DMA_READ, DMA_WRITE -> -95;
      };
    }

    private int version() {
      int which = random.nextInt(4) == 0 ? random.nextInt(VERSIONS.length) : 0;
      var text = VERSIONS[which];
      if (text.contains("twin") && twin == null) {
        try {
          var pair = UnixSocket.pair(KERNEL);
          twin = pair.first();
          files.own(pair.second());
          fds = new int[] {pair.second().fd()};
        } catch (ErrnoException e) {
          throw new AssertionError(e);
        }
      }
      var bytes = (text.isEmpty() ? text : text + "\0").getBytes(StandardCharsets.UTF_8);
      MemorySegment.copy(bytes, 0, out, ValueLayout.JAVA_BYTE, VersionMessage.BYTES, bytes.length);
      return VersionMessage.BYTES + bytes.length;
    }

    private int regionInfo(int index) {
      long bytes = index == 0 ? BAR_BYTES : index == 4 ? 4096 : index == CONFIG ? 256 : 0;
      boolean isMapped = index == 0 && random.nextBoolean();
      boolean isSparse = isMapped && random.nextBoolean();
      int size = isSparse ? 32 + 8 + 8 + 16 : 32;
      int32(0, size);
      int32(4, bytes == 0 ? 0 : 3 | (isMapped ? 4 : 0) | (isSparse ? 8 : 0));
      int32(8, index);
      int32(12, isSparse ? 32 : 0);
      int64(16, bytes);
      int64(24, 0);
      if (isSparse) {
        int32(32, 0x0001_0001);
        int32(36, 0);
        int32(40, 1);
        int32(44, 0);
        int64(48, 4096);
        int64(56, 4096);
      }
      if (isMapped) {
        fds = new int[] {files.memory(random.nextInt(8) == 0 ? 4096 : BAR_BYTES)};
      }
      return Header.SIZE + size;
    }

    private int ioFds() {
      int count = random.nextInt(4);
      int entry = random.nextBoolean() ? SubRegion.BYTES : SubRegion.SHADOW_BYTES;
      RegionIoFds.ARGSZ.set(out, 16 + count * entry);
      RegionIoFds.FLAGS.set(out, 0);
      RegionIoFds.COUNT.set(out, count);
      fds = new int[count];
      for (int i = 0; i < count; i++) {
        fds[i] = random.nextInt(8) == 0 ? files.anything() : files.eventFd();
        SubRegion.write(out, i, entry, 8L * i, 4, i, SubRegion.IOEVENTFD, 0, 0);
      }
      return RegionIoFds.BYTES + count * entry;
    }

    private int regionRead(MemorySegment message) {
      int count = RegionAccess.COUNT.get(message);
      long offset = RegionAccess.OFFSET.get(message);
      if (RegionAccess.REGION.get(message) == CONFIG && offset + count <= CONFIG_BYTES) {
        MemorySegment.copy(config, offset, out, RegionAccess.BYTES, count);
      } else {
        for (int i = 0; i < count; i += 8) {
          out.set(
              ValueLayout.JAVA_LONG_UNALIGNED, RegionAccess.BYTES + (long) i, random.nextLong());
        }
      }
      return RegionAccess.BYTES + count;
    }

    private int feature(MemorySegment message, int size) {
      int flags = message.get(ValueLayout.JAVA_INT, Header.SIZE + 4L);
      boolean isProbe = (flags & Vfio.VFIO_DEVICE_FEATURE_PROBE) != 0;
      boolean isGet = (flags & Vfio.VFIO_DEVICE_FEATURE_GET) != 0;
      int payload = size - Header.SIZE;
      if (isGet && !isProbe) {
        switch (flags & Vfio.VFIO_DEVICE_FEATURE_MASK) {
          case Vfio.VFIO_DEVICE_FEATURE_MIGRATION -> {
            int64(8, 1 | random.nextInt(8));
            payload = 16;
          }
          case Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE -> {
            int32(8, random.nextInt(8) == 0 ? random.nextInt(8) : 2);
            int32(12, 0);
            payload = 16;
          }
          case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT -> {
            payload = message.get(ValueLayout.JAVA_INT, Header.SIZE);
            payload = Math.clamp(payload, 32, 1 << 20);
          }
          default -> {
            return -22;
          }
        }
      }
      int32(0, payload);
      return Header.SIZE + payload;
    }

    @Override
    public void close() {
      socket.close();
      interrupts.forEach(KERNEL::close);
      files.close();
      var second = twin;
      if (second != null) {
        second.close();
      }
      arena.close();
    }
  }
}
