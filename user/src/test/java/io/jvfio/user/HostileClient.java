// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.VfioIrqSet;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DirtyBitmap;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MigrationData;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.RegionIoFds;
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
import org.jspecify.annotations.Nullable;

/**
 * A client that sends a server what clients send, spoiled: one connection of it, which is the same
 * each time for the same seed.
 */
final class HostileClient implements AutoCloseable {
  /** How long a server may take before it is said to hang. */
  static final int LIMIT_MILLIS = 60_000;

  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final int BUFFER = 4 << 20;
  private static final int MOST_DATA = 8192;
  private static final int CONFIG = 7;
  private static final int[] NONE = {};
  private static final String[] VERSIONS = {
    "{\"capabilities\":{\"max_msg_fds\":16,\"write_multiple\":true}}",
    "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":true}}}",
    "{\"capabilities\":{\"max_data_xfer_size\":4096,\"pgsizes\":4096,\"max_dma_maps\":10}}",
    "{\"capabilities\":{\"max_msg_fds\":0,\"max_data_xfer_size\":1}}",
    "{\"capabilities\":{\"max_data_xfer_size\":0,\"twin_socket\":{\"supported\":true}}}",
    "{\"capabilities\":{}}",
    "{}",
  };

  private final SplittableRandom random;
  private final Mutator mutator;
  private final HostileFiles files;
  private final Fates fates;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment out = arena.allocate(1 << 17, 8);
  private final MemorySegment in = arena.allocate(BUFFER, 8);
  private final MemorySegment asked = arena.allocate(1 << 21, 8);
  private final List<long[]> maps = new ArrayList<>();
  private final int[] received = new int[16];
  private @Nullable UnixSocket socket;
  private @Nullable UnixSocket twin;
  private int inEnd;
  private boolean isOver;
  private boolean lostFraming;
  private int awaitedId = -1;
  private int[] fds = NONE;

  HostileClient(long seed, Fates fates) {
    random = new SplittableRandom(seed);
    mutator = new Mutator(random);
    files = new HostileFiles(random);
    this.fates = fates;
  }

  /** Connects, misbehaves, and leaves. */
  void run(Path path) throws ErrnoException {
    try (var connected = UnixSocket.connect(KERNEL, path.toString())) {
      socket = connected;
      if (random.nextInt(40) != 0) {
        version();
      }
      int count = 1 + random.nextInt(random.nextInt(4) == 0 ? 400 : 60);
      // With or without waiting for answers, which decides how far a server gets.
      boolean waits = random.nextInt(4) != 0;
      for (int i = 0; i < count && !isOver; i++) {
        message();
        if (waits && lastWantsReply && !lostFraming) {
          KERNEL.awaitReadable(connected.fd(), 20);
        }
        if (waits || random.nextBoolean()) {
          drain(connected);
        }
        if (lostFraming && random.nextInt(4) == 0) {
          break;
        }
      }
      lostFraming |= mutator.lostFraming();
      fates.connection(end(connected));
    } finally {
      var second = twin;
      if (second != null) {
        second.close();
      }
    }
  }

  private String end(UnixSocket connected) {
    if (isOver) {
      return "sent away";
    }
    if (lostFraming) {
      return "left in the middle";
    }
    if (random.nextInt(4) == 0) {
      return "left without a word";
    }
    // Whatever went before: the server answers, or has sent this client away.
    awaitedId = 0xabc;
    int size = deviceInfo();
    Header.writeCommand(out, awaitedId, Command.DEVICE_GET_INFO, size);
    send(connected, size);
    long limit = System.nanoTime() + LIMIT_MILLIS * 1_000_000L;
    while (!isOver && awaitedId >= 0) {
      if (System.nanoTime() > limit) {
        throw new AssertionError("the server hangs: it neither answers nor sends its client away");
      }
      KERNEL.awaitReadable(connected.fd(), 5);
      drain(connected);
    }
    return isOver ? "sent away" : "served to the end";
  }

  private int long64(int at, long value) {
    out.set(ValueLayout.JAVA_LONG_UNALIGNED, at, value);
    return at + Long.BYTES;
  }

  private int int32(int at, int value) {
    out.set(ValueLayout.JAVA_INT_UNALIGNED, at, value);
    return at + Integer.BYTES;
  }

  private void version() {
    var json = VERSIONS[random.nextInt(4) == 0 ? random.nextInt(VERSIONS.length) : 0] + "\0";
    var bytes = json.getBytes(StandardCharsets.UTF_8);
    MemorySegment.copy(bytes, 0, out, ValueLayout.JAVA_BYTE, VersionMessage.BYTES, bytes.length);
    VersionMessage.MAJOR.set(out, (short) 0);
    VersionMessage.MINOR.set(out, (short) random.nextInt(3));
    finish(Command.VERSION.number(), VersionMessage.BYTES + bytes.length, 30);
    var connected = socket;
    long limit = System.nanoTime() + LIMIT_MILLIS * 1_000_000L;
    while (connected != null && inEnd == 0 && !isOver && !lostFraming) {
      if (System.nanoTime() > limit) {
        throw new AssertionError("the server hangs: it says nothing of the version");
      }
      if (KERNEL.awaitReadable(connected.fd(), 20) == 0 && !lastWantsReply) {
        return;
      }
      if (drain(connected) > 0) {
        return;
      }
    }
  }

  private boolean lastWantsReply;

  /** Completes a message, spoils it as often as not, and sends it. */
  private void finish(int command, int size, int odds) {
    Header.write(out, random.nextInt(1 << 16), command, size, Header.COMMAND, 0);
    if (random.nextInt(20) == 0) {
      Header.write(out, random.nextInt(1 << 16), command, size, Header.NO_REPLY, 0);
    }
    int sent = size;
    if (random.nextInt(odds) == 0) {
      sent = mutator.spoil(out, size);
      lostFraming |= mutator.lostFraming();
    }
    if (random.nextInt(25) == 0) {
      fds = anyFds();
    }
    var connected = socket;
    if (connected != null) {
      lastWantsReply = !Header.wantsNoReply(out) && Header.isCommand(out);
      fates.sent(Header.command(out));
      if (random.nextInt(200) == 0 && sent > 1) {
        sendInPieces(connected, sent);
      } else {
        send(connected, sent);
      }
      if (random.nextInt(50) == 0 && !isOver) {
        fates.sent(Header.command(out)); // once more, as it is
        send(connected, sent);
      }
    }
    fds = NONE;
  }

  private int[] anyFds() {
    var some = new int[random.nextInt(8) == 0 ? random.nextInt(1, 40) : random.nextInt(1, 4)];
    int one = files.anything();
    for (int i = 0; i < some.length; i++) {
      some[i] = some.length > 4 ? one : files.anything();
    }
    return some;
  }

  private void send(UnixSocket to, int size) {
    send(to, 0, size);
  }

  private void send(UnixSocket to, int from, int size) {
    int sent = from;
    while (sent < size && !isOver) {
      long result = to.send(out, sent, size - sent, fds, sent == from ? fds.length : 0);
      if (result < 0) {
        isOver = true;
      } else {
        sent += (int) result;
      }
    }
  }

  private void sendInPieces(UnixSocket to, int size) {
    int first = random.nextInt(1, size);
    send(to, 0, first);
    if (random.nextInt(3) == 0) {
      lostFraming = true;
      isOver = random.nextBoolean(); // hangs up in the middle, or goes on with something else
      return;
    }
    fds = NONE;
    send(to, first, size);
  }

  private void message() {
    if (random.nextInt(30) == 0) {
      files.resizeOne();
    }
    int command = command();
    int size =
        switch (command) {
          case 2 -> dmaMap();
          case 3 -> dmaUnmap();
          case 4 -> deviceInfo();
          case 5, 8 -> command == 5 ? regionInfo() : setIrqs();
          case 6 -> ioFds();
          case 7 -> irqInfo();
          case 9 -> regionRead();
          case 10 -> regionWrite();
          case 11, 12 -> dmaAccess(command == 12);
          case 13 -> Header.SIZE;
          case 15 -> writeMulti();
          case 16 -> feature();
          case 17 -> migrationRead();
          case 18 -> migrationWrite();
          default -> garbage();
        };
    finish(command, size, 3);
  }

  private int command() {
    int dice = random.nextInt(100);
    if (dice < 12) {
      return 2;
    }
    if (dice < 18) {
      return 3;
    }
    if (dice < 30) {
      return 8;
    }
    if (dice < 42) {
      return 9;
    }
    if (dice < 66) {
      return 10;
    }
    if (dice < 74) {
      return 16;
    }
    return random.nextInt(20);
  }

  private int deviceInfo() {
    int32(int32(int32(int32(Header.SIZE, 16), 0), 0), 0);
    return Header.SIZE + 16;
  }

  private int regionInfo() {
    int at = int32(int32(Header.SIZE, 32 + random.nextInt(3) * 32), 0);
    at = int32(int32(at, random.nextInt(10)), 0);
    return long64(long64(at, 0), 0);
  }

  private int irqInfo() {
    int at = int32(int32(Header.SIZE, 16), 0);
    return int32(int32(at, random.nextInt(6)), 0);
  }

  private int ioFds() {
    RegionIoFds.ARGSZ.set(out, random.nextInt(3) == 0 ? 16 : 16 + random.nextInt(2000));
    RegionIoFds.FLAGS.set(out, 0);
    RegionIoFds.INDEX.set(out, random.nextInt(4));
    RegionIoFds.COUNT.set(out, 0);
    return RegionIoFds.BYTES;
  }

  private int dmaMap() {
    long size = 4096L << random.nextInt(6);
    long iova = random.nextInt(24) * 0x8000L;
    boolean withFile = random.nextInt(3) != 0;
    DmaMapMessage.ARGSZ.set(out, 32);
    DmaMapMessage.FLAGS.set(out, random.nextInt(8) == 0 ? random.nextInt(16) : 3);
    DmaMapMessage.OFFSET.set(out, withFile && random.nextInt(4) == 0 ? 4096 : 0);
    DmaMapMessage.ADDRESS.set(out, iova);
    DmaMapMessage.SIZE.set(out, size);
    if (withFile) {
      fds =
          new int[] {
            random.nextInt(6) == 0
                ? files.anything()
                : files.memory(size + (random.nextInt(8) == 0 ? -4096 : 4096))
          };
    }
    maps.add(new long[] {iova, size});
    return DmaMapMessage.BYTES;
  }

  private int dmaUnmap() {
    int kind = random.nextInt(12);
    var map = maps.isEmpty() ? new long[] {0, 4096} : maps.get(random.nextInt(maps.size()));
    DmaUnmapMessage.ARGSZ.set(out, 24);
    DmaUnmapMessage.FLAGS.set(out, 0);
    DmaUnmapMessage.ADDRESS.set(out, map[0]);
    DmaUnmapMessage.SIZE.set(out, map[1]);
    if (kind == 0) {
      DmaUnmapMessage.FLAGS.set(out, DmaUnmapMessage.ALL);
      DmaUnmapMessage.ADDRESS.set(out, 0);
      DmaUnmapMessage.SIZE.set(out, 0);
    } else if (kind < 4) {
      DmaUnmapMessage.ARGSZ.set(out, 24 + 16 + 64);
      DmaUnmapMessage.FLAGS.set(out, DmaUnmapMessage.GET_DIRTY_BITMAP);
      DirtyBitmap.PAGE_SIZE.set(out, 4096);
      DirtyBitmap.BYTE_SIZE.set(out, 64);
      return DirtyBitmap.BYTES;
    }
    return DmaUnmapMessage.BYTES;
  }

  private int setIrqs() {
    int kind = 1 << random.nextInt(3);
    int action = 8 << random.nextInt(3);
    int index = random.nextInt(5);
    int start = random.nextInt(8) == 0 ? random.nextInt(6) : 0;
    int count = random.nextInt(3) == 0 ? random.nextInt(6) : 1;
    if (random.nextInt(4) == 0) {
      kind = 4; // as most clients do
      action = 32;
      index = random.nextInt(3);
    }
    int head = Header.SIZE + (int) VfioIrqSet.BYTES;
    int data = kind == 2 ? count : 0;
    int at = int32(int32(Header.SIZE, (int) VfioIrqSet.BYTES + data), kind | action);
    int32(int32(int32(at, index), start), count);
    for (int i = 0; i < data; i++) {
      out.set(ValueLayout.JAVA_BYTE, head + i, (byte) random.nextInt(2));
    }
    if (kind == 4 && random.nextInt(6) != 0) {
      fds = new int[count];
      for (int i = 0; i < count; i++) {
        fds[i] = random.nextInt(10) == 0 ? files.anything() : files.eventFd();
      }
    }
    return head + data;
  }

  private void place(int count) {
    int region = random.nextInt(3) == 0 ? CONFIG : random.nextInt(8) == 0 ? random.nextInt(10) : 0;
    long offset =
        switch (random.nextInt(4)) {
          case 0 -> random.nextInt(64);
          case 1 -> 0x1000 + random.nextInt(16);
          case 2 -> 8L * random.nextInt(24);
          default -> 4L * random.nextInt(region == CONFIG ? 80 : 4096);
        };
    RegionAccess.OFFSET.set(out, offset);
    RegionAccess.REGION.set(out, region);
    RegionAccess.COUNT.set(out, count);
  }

  private int count() {
    return random.nextInt(12) == 0 ? random.nextInt(MOST_DATA) : 1 << random.nextInt(4);
  }

  private int regionRead() {
    place(count());
    return RegionAccess.BYTES;
  }

  private int regionWrite() {
    int count = count();
    place(count);
    for (int i = 0; i < count; i += 8) {
      out.set(ValueLayout.JAVA_LONG_UNALIGNED, RegionAccess.BYTES + (long) i, register());
    }
    return RegionAccess.BYTES + count;
  }

  /** What is written to registers: addresses of maps above all, and small numbers. */
  private long register() {
    return switch (random.nextInt(6)) {
      case 0 -> random.nextInt(24) * 0x8000L;
      case 1 -> random.nextInt(24) * 0x8000L + random.nextInt(4096);
      case 2 -> random.nextInt(256);
      case 3 -> 0x0046_0001;
      case 4 -> mutator.value();
      default -> random.nextLong();
    };
  }

  private int writeMulti() {
    int count = random.nextInt(6) == 0 ? random.nextInt(200) : random.nextInt(8);
    WriteMulti.COUNT.set(out, count);
    for (int i = 0; i < count; i++) {
      int at = WriteMulti.BYTES + i * WriteMulti.Entry.BYTES;
      at = long64(at, 4L * random.nextInt(64));
      at = int32(at, random.nextInt(4) == 0 ? CONFIG : 0);
      at = int32(at, 1 << random.nextInt(4));
      long64(at, register());
    }
    return WriteMulti.BYTES + count * WriteMulti.Entry.BYTES;
  }

  private int dmaAccess(boolean write) {
    int count = random.nextInt(256);
    DmaAccessMessage.ADDRESS.set(out, 0);
    DmaAccessMessage.COUNT.set(out, count);
    return DmaAccessMessage.BYTES + (write ? count : 0);
  }

  private int feature() {
    int[] features = {1, 2, 2, 2, 6, 7, 8, 9, 0, 3};
    int feature = features[random.nextInt(features.length)];
    int operation = 1 << (16 + random.nextInt(3));
    if (random.nextInt(4) != 0) {
      operation = feature == 1 || feature == 8 ? 1 << 16 : 1 << 17;
    }
    int at = int32(Header.SIZE, 4096);
    at = int32(at, feature | operation);
    switch (feature) {
      case 2 -> at = int32(int32(at, random.nextInt(7)), -1);
      case 6 -> {
        int ranges = random.nextInt(4);
        at = int32(int32(long64(at, 4096L << random.nextInt(4)), ranges), 0);
        for (int i = 0; i < ranges; i++) {
          at = long64(long64(at, i * 0x10000L), 0x8000);
        }
      }
      case 8 -> at = long64(long64(long64(at, 0), 0x10000L << random.nextInt(8)), 4096);
      default -> at = long64(at, random.nextInt());
    }
    out.set(ValueLayout.JAVA_INT, Header.SIZE, random.nextInt(8) == 0 ? at - Header.SIZE : 4096);
    return at;
  }

  private int migrationRead() {
    int size = random.nextInt(2) == 0 ? 4096 : random.nextInt(100_000);
    MigrationData.ARGSZ.set(out, size + 8);
    MigrationData.SIZE.set(out, size);
    return MigrationData.BYTES;
  }

  private int migrationWrite() {
    int count = random.nextInt(2000);
    MigrationData.ARGSZ.set(out, count + 8);
    MigrationData.SIZE.set(out, count);
    for (int i = 0; i < count; i += 8) {
      long64(MigrationData.BYTES + i, random.nextLong());
    }
    return MigrationData.BYTES + count;
  }

  private int garbage() {
    int size = Header.SIZE + random.nextInt(random.nextInt(8) == 0 ? 20_000 : 100);
    for (int i = 0; i < size; i += 8) {
      long64(i, random.nextLong());
    }
    return size;
  }

  /** Takes what the server has sent by now; how many messages there were. */
  private int drain(UnixSocket from) {
    int messages = 0;
    while (!isOver) {
      long result = from.receive(in, inEnd, BUFFER - inEnd, received, 0, false);
      if (result <= 0) {
        isOver = result == 0 || result != -11;
        break;
      }
      takeTwin(from.received());
      inEnd += (int) result;
      messages += take(from);
    }
    var second = twin;
    if (second != null && !isOver) {
      answerTwin(second);
    }
    return messages;
  }

  private void takeTwin(int count) {
    for (int i = 0; i < count; i++) {
      if (twin == null) {
        twin = UnixSocket.adopt(KERNEL, received[i]);
      } else {
        KERNEL.close(received[i]);
      }
    }
  }

  private int take(UnixSocket from) {
    int at = 0;
    int messages = 0;
    while (inEnd - at >= Header.SIZE) {
      var message = in.asSlice(at, inEnd - (long) at);
      long size = message.get(ValueLayout.JAVA_INT_UNALIGNED, 4);
      if (size < Header.SIZE || size > BUFFER) {
        throw new AssertionError("the server sends a message of %d bytes".formatted(size));
      }
      if (size > inEnd - at) {
        break;
      }
      look(from, message);
      messages++;
      at += (int) size;
    }
    MemorySegment.copy(in, at, in, 0, inEnd - (long) at);
    inEnd -= at;
    return messages;
  }

  private void look(UnixSocket from, MemorySegment message) {
    int id = Short.toUnsignedInt(message.get(ValueLayout.JAVA_SHORT_UNALIGNED, 0));
    int command = Short.toUnsignedInt(message.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2));
    int flags = message.get(ValueLayout.JAVA_INT_UNALIGNED, 8);
    if ((flags & Header.TYPE_MASK) == Header.COMMAND) {
      answer(from, message, id, command);
      return;
    }
    if (id == awaitedId) {
      awaitedId = -1;
    }
    if ((flags & Header.ERROR) != 0) {
      fates.refused(command, message.get(ValueLayout.JAVA_INT_UNALIGNED, 12));
    } else {
      fates.answered(command);
    }
  }

  /** Answers what the server asks: mostly as it must, so that more than this is reached. */
  private void answer(UnixSocket to, MemorySegment question, int id, int command) {
    long address = question.get(ValueLayout.JAVA_LONG_UNALIGNED, 16);
    long count = question.get(ValueLayout.JAVA_LONG_UNALIGNED, 24);
    if (random.nextInt(400) == 0) {
      return; // never
    }
    boolean isRead = command == Command.DMA_READ.number();
    int size = DmaAccessMessage.BYTES + (isRead ? (int) Math.min(count, 100_000) : 0);
    DmaAccessMessage.ADDRESS.set(out, address);
    DmaAccessMessage.COUNT.set(out, count);
    Header.writeReply(out, id, command, size);
    if (random.nextInt(20) == 0) {
      Header.writeError(out, id, command, random.nextInt(40));
      size = Header.SIZE;
    }
    int sent = size;
    if (random.nextInt(20) == 0) {
      sent = mutator.spoil(out, size);
      lostFraming |= mutator.lostFraming();
    }
    fates.sent(command);
    fds = NONE;
    send(to, sent);
  }

  private void answerTwin(UnixSocket second) {
    long result = second.receive(asked, 0, asked.byteSize(), received, 0, false);
    while (result >= DmaAccessMessage.BYTES && !isOver) {
      answer(
          second,
          asked,
          Short.toUnsignedInt(asked.get(ValueLayout.JAVA_SHORT, 0)),
          Short.toUnsignedInt(asked.get(ValueLayout.JAVA_SHORT, 2)));
      result = second.receive(asked, 0, asked.byteSize(), received, 0, false);
    }
  }

  @Override
  public void close() {
    files.close();
    arena.close();
  }
}
