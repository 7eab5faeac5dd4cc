// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Field;
import io.jvfio.linux.uapi.Struct;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.VfioUserServerOptions;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DeviceInfoMessage;
import io.jvfio.user.wire.DirtyBitmap;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.IrqInfoMessage;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.RegionInfoMessage;
import io.jvfio.user.wire.SetIrqsMessage;
import io.jvfio.user.wire.WriteMulti;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Carries out the commands of one client: what each asks for is checked, done by the device, its
 * memory or its interrupts, and answered. Nothing is sent here.
 *
 * <p>Used by the thread of its session, with the device's lock.
 */
final class ServedCommands {
  /** How many writes one message carries out at most. */
  private static final int MOST_WRITES = 1 << 16;

  private final ServedDevice device;
  private final ClientMemory memory;
  private final MigrationServer migration;
  private final VfioUserServerOptions options;

  /** Where replies are written, behind the header. */
  private final MemorySegment reply;

  /** Whether the session has ended, so that long work may stop. */
  private final BooleanSupplier hasEnded;

  /** The most bytes of data that the client takes with one message. */
  private long clientTransfer;

  /** How many descriptors the client takes with one message. */
  private int mostFds;

  /** Null until it is known how many descriptors the client takes. */
  private @Nullable IoEventFds ioEvents;

  private final int[] sharedFd = {-1};
  private int[] replyFds = sharedFd;
  private int replyFdCount;
  private boolean hasLooked;
  private boolean hasReached;

  private MemorySegment command = MemorySegment.NULL;
  private int commandSize;

  ServedCommands(
      ServedDevice device,
      ClientMemory memory,
      MigrationServer migration,
      VfioUserServerOptions options,
      MemorySegment reply,
      BooleanSupplier hasEnded) {
    this.device = device;
    this.memory = memory;
    this.migration = migration;
    this.options = options;
    this.reply = reply;
    this.hasEnded = hasEnded;
  }

  /** A version is agreed: what the client takes is known. */
  void begin(long maxDataTransfer, int maxFds, IoEventFds events) {
    clientTransfer = maxDataTransfer;
    mostFds = maxFds;
    ioEvents = events;
  }

  private IoEventFds events() {
    return Objects.requireNonNull(ioEvents);
  }

  /** The descriptors that go with the last reply; they stay this server's. */
  int[] replyFds() {
    return replyFds;
  }

  /** How many of {@link #replyFds} there are. */
  int replyFdCount() {
    return replyFdCount;
  }

  /**
   * Whether the client has asked for regions and never reached into one, as one does that finds
   * them to be of no use.
   */
  boolean hasOnlyLooked() {
    return hasLooked && !hasReached;
  }

  /** Whether the client has registers as memory, in which it says what it wants. */
  boolean hasGivenRegisters() {
    return sharedFd[0] >= 0;
  }

  void close() {
    if (ioEvents != null) {
      ioEvents.close();
    }
  }

  /**
   * Carries a command out, and writes the reply but for its header.
   *
   * @return the size of the reply with its header, or a negated errno
   */
  int execute(Incoming message) {
    command = message.message();
    commandSize = message.size();
    replyFdCount = 0;
    int fds = message.fdCount();
    var known = Command.of(Header.command(command));
    if (known == null || known.isFromServer()) {
      return Errno.EOPNOTSUPP.result();
    }
    if ((fds > 0 && !mayHaveFds(known)) || commandSize < known.leastSize()) {
      return Errno.EINVAL.result();
    }
    return switch (known) {
      case REGION_READ -> regionRead();
      case REGION_WRITE -> regionWrite();
      case REGION_WRITE_MULTI -> regionWriteMulti();
      case DMA_MAP -> dmaMap(message);
      case DMA_UNMAP -> dmaUnmap();
      case DEVICE_GET_INFO -> deviceInfo();
      case DEVICE_GET_REGION_INFO -> regionInfo();
      case DEVICE_GET_IRQ_INFO -> irqInfo();
      case DEVICE_SET_IRQS -> setIrqs(message);
      case DEVICE_RESET -> deviceReset();
      // It is the first message, and no other.
      case VERSION -> Errno.EINVAL.result();
      case DEVICE_GET_REGION_IO_FDS -> regionIoFds();
      case DEVICE_FEATURE -> withHeader(migration.feature(command, commandSize, reply));
      case MIG_DATA_READ -> withHeader(migration.readData(command, commandSize, reply));
      case MIG_DATA_WRITE -> withHeader(migration.writeData(command, commandSize));
      case DMA_READ, DMA_WRITE -> Errno.EOPNOTSUPP.result();
    };
  }

  /** What comes with an unmap is closed unseen: SPDK sends the descriptor of the map once more. */
  private static boolean mayHaveFds(Command command) {
    return command == Command.DMA_MAP
        || command == Command.DMA_UNMAP
        || command == Command.DEVICE_SET_IRQS;
  }

  private int regionIoFds() {
    int payload = events().answer(command, commandSize, reply);
    int watched = device.watchIoEvents();
    if (watched < 0) {
      return watched;
    }
    replyFds = events().fds();
    replyFdCount = events().fdCount();
    return withHeader(payload);
  }

  private static int withHeader(int payload) {
    return payload < 0 ? payload : Header.SIZE + payload;
  }

  private int regionRead() {
    hasReached = true;
    if (commandSize != RegionAccess.BYTES) {
      return Errno.EINVAL.result();
    }
    long offset = RegionAccess.OFFSET.get(command);
    int region = RegionAccess.REGION.get(command);
    int count = RegionAccess.COUNT.get(command);
    if (count < 0 || count > options.maxDataTransfer() || count > clientTransfer) {
      return Errno.EINVAL.result();
    }
    int result = device.read(region, offset, count, reply, RegionAccess.BYTES);
    if (result < 0) {
      return result;
    }
    RegionAccess.OFFSET.set(reply, offset);
    RegionAccess.REGION.set(reply, region);
    RegionAccess.COUNT.set(reply, count);
    return RegionAccess.BYTES + count;
  }

  private int regionWrite() {
    hasReached = true;
    long offset = RegionAccess.OFFSET.get(command);
    int region = RegionAccess.REGION.get(command);
    int count = RegionAccess.COUNT.get(command);
    if (count < 0
        || count > options.maxDataTransfer()
        || commandSize != RegionAccess.BYTES + count) {
      return Errno.EINVAL.result();
    }
    int result =
        device.write(region, offset, count, data(RegionAccess.BYTES, count), RegionAccess.BYTES);
    if (result < 0) {
      return result;
    }
    RegionAccess.OFFSET.set(reply, offset);
    RegionAccess.REGION.set(reply, region);
    RegionAccess.COUNT.set(reply, count);
    return RegionAccess.BYTES;
  }

  /**
   * Where data of the command are safe while the device works. A single access has read them before
   * the device can want memory; others are copied, since an answer of the client's would come to
   * the same place.
   */
  private MemorySegment data(int offset, int byteSize) {
    if (byteSize <= 1) {
      return command;
    }
    MemorySegment.copy(command, offset, reply, offset, byteSize);
    return reply;
  }

  private int regionWriteMulti() {
    long count = WriteMulti.COUNT.get(command);
    if (count < 0
        || count > MOST_WRITES
        || commandSize != WriteMulti.BYTES + count * WriteMulti.Entry.BYTES) {
      return Errno.EINVAL.result();
    }
    var entries = data(WriteMulti.BYTES, commandSize - WriteMulti.BYTES);
    for (int i = 0; i < count; i++) {
      int bytes = WriteMulti.Entry.COUNT.get(entries, WriteMulti.Entry.at(i));
      if (hasEnded.getAsBoolean()) {
        return Errno.EIO.result(); // each of them may be much work
      }
      if (bytes < 1 || bytes > WriteMulti.MAX_COUNT) {
        return Errno.EINVAL.result();
      }
      int result =
          device.write(
              WriteMulti.Entry.REGION.get(entries, WriteMulti.Entry.at(i)),
              WriteMulti.Entry.OFFSET.get(entries, WriteMulti.Entry.at(i)),
              bytes,
              entries,
              WriteMulti.Entry.data(i));
      if (result < 0) {
        return result;
      }
    }
    WriteMulti.COUNT.set(reply, count);
    return WriteMulti.BYTES;
  }

  private int dmaMap(Incoming message) {
    int fds = message.fdCount();
    if (!hasRoomFor(DmaMapMessage.STRUCT, DmaMapMessage.ARGSZ) || fds > 1) {
      return Errno.EINVAL.result();
    }
    int flags = DmaMapMessage.FLAGS.get(command);
    boolean needsDescriptor = (flags & (DmaMapMessage.MMAP | DmaMapMessage.FILE_IO)) != 0;
    if ((flags & ~0xf) != 0 || (needsDescriptor && fds == 0)) {
      return Errno.EINVAL.result();
    }
    var model = device.model();
    model.quiesce();
    try {
      int result =
          memory.map(
              fds > 0 ? message.takeFd(0) : -1,
              DmaMapMessage.OFFSET.get(command),
              DmaMapMessage.ADDRESS.get(command),
              DmaMapMessage.SIZE.get(command),
              (flags & DmaMapMessage.READABLE) != 0,
              (flags & DmaMapMessage.WRITABLE) != 0);
      return result < 0 ? result : Header.SIZE;
    } finally {
      device.resume();
    }
  }

  private int dmaUnmap() {
    int flags = DmaUnmapMessage.FLAGS.get(command);
    boolean wantsBitmap = (flags & DmaUnmapMessage.GET_DIRTY_BITMAP) != 0;
    boolean isAll = (flags & DmaUnmapMessage.ALL) != 0;
    if ((flags & ~(DmaUnmapMessage.GET_DIRTY_BITMAP | DmaUnmapMessage.ALL)) != 0
        || (wantsBitmap && isAll)
        || commandSize < (wantsBitmap ? DirtyBitmap.BYTES : DmaUnmapMessage.BYTES)) {
      return Errno.EINVAL.result();
    }
    long address = DmaUnmapMessage.ADDRESS.get(command);
    long size = DmaUnmapMessage.SIZE.get(command);
    int replySize = wantsBitmap ? DirtyBitmap.BYTES : DmaUnmapMessage.BYTES;
    // Nothing is given back if the reply would not be taken.
    if ((isAll && (address != 0 || size != 0))
        || Integer.compareUnsigned(DmaUnmapMessage.ARGSZ.get(command), replySize - Header.SIZE)
            < 0) {
      return Errno.EINVAL.result();
    }
    var model = device.model();
    model.quiesce();
    try {
      if (isAll) {
        device.awaitLeases(memory, 0, -1);
        memory.unmapAll();
      } else {
        if (!memory.canUnmap(address, size)) {
          return Errno.ENOENT.result();
        }
        device.awaitLeases(memory, address, size);
        if (wantsBitmap) {
          // What is told of is forgotten.
          memory.markLeased(address, size);
          int bits = dirtyBits(address, size);
          if (bits < 0) {
            return bits;
          }
          replySize += bits;
        }
        int result = memory.unmap(address, size);
        if (result < 0) {
          return result;
        }
      }
    } finally {
      device.resume();
    }
    DmaUnmapMessage.ARGSZ.set(reply, replySize - Header.SIZE);
    DmaUnmapMessage.FLAGS.set(reply, flags);
    DmaUnmapMessage.ADDRESS.set(reply, address);
    DmaUnmapMessage.SIZE.set(reply, size);
    return replySize;
  }

  /** Writes which pages were written into the reply; the size of the bits, or a negated errno. */
  private int dirtyBits(long address, long size) {
    long pageSize = DirtyBitmap.PAGE_SIZE.get(command);
    if (Long.bitCount(pageSize) != 1 || pageSize < ClientMemory.PAGE_SIZE || size <= 0) {
      return Errno.EINVAL.result();
    }
    long pages = (size - 1) / pageSize + 1;
    long bytes = (pages + Long.SIZE - 1) / Long.SIZE * Long.BYTES;
    if (bytes > options.maxDataTransfer()
        || bytes > clientTransfer
        || bytes > DirtyBitmap.BYTE_SIZE.get(command)
        || Integer.toUnsignedLong(DmaUnmapMessage.ARGSZ.get(command))
            < DirtyBitmap.BYTES - Header.SIZE + bytes) {
      return Errno.EINVAL.result();
    }
    DirtyBitmap.PAGE_SIZE.set(reply, pageSize);
    DirtyBitmap.BYTE_SIZE.set(reply, bytes);
    reply.asSlice(DirtyBitmap.BYTES, bytes).fill((byte) 0);
    int result = memory.log().report(address, size, pageSize, reply, DirtyBitmap.BYTES);
    return result < 0 ? result : (int) bytes;
  }

  /** Whether the sender of the command takes as much as this struct. */
  private boolean hasRoomFor(Struct struct, Field.U32 argsz) {
    return Integer.compareUnsigned(argsz.get(command), (int) struct.byteSize()) >= 0;
  }

  /** Begins the reply to such a command: zeros, but for its size. */
  private int reply(Struct struct, Field.U32 argsz) {
    int size = (int) struct.byteSize();
    reply.asSlice(Header.SIZE, size).fill((byte) 0);
    argsz.set(reply, size);
    return Header.SIZE + size;
  }

  private int deviceInfo() {
    if (!hasRoomFor(DeviceInfoMessage.STRUCT, DeviceInfoMessage.ARGSZ)) {
      return Errno.EINVAL.result();
    }
    int size = reply(DeviceInfoMessage.STRUCT, DeviceInfoMessage.ARGSZ);
    DeviceInfoMessage.FLAGS.set(reply, Vfio.VFIO_DEVICE_FLAGS_RESET | Vfio.VFIO_DEVICE_FLAGS_PCI);
    DeviceInfoMessage.NUM_REGIONS.set(reply, ServedDevice.REGIONS);
    DeviceInfoMessage.NUM_IRQS.set(reply, ServedInterrupts.INDEXES);
    return size;
  }

  private int regionInfo() {
    if (!hasRoomFor(RegionInfoMessage.STRUCT, RegionInfoMessage.ARGSZ)) {
      return Errno.EINVAL.result();
    }
    int index = RegionInfoMessage.INDEX.get(command);
    if (index < 0 || index >= ServedDevice.REGIONS) {
      return Errno.EINVAL.result();
    }
    hasLooked = true;
    long bytes = device.regionSize(index);
    int size = reply(RegionInfoMessage.STRUCT, RegionInfoMessage.ARGSZ);
    RegionInfoMessage.INDEX.set(reply, index);
    RegionInfoMessage.SIZE.set(reply, bytes);
    if (bytes > 0) {
      RegionInfoMessage.FLAGS.set(
          reply, Vfio.VFIO_REGION_INFO_FLAG_READ | Vfio.VFIO_REGION_INFO_FLAG_WRITE);
    }
    var shared = device.shared(index);
    return shared == null || mostFds < 1 ? size : size + mappable(shared);
  }

  /**
   * Tells of the part of a region that can be mapped. Who has no room for that is told how much it
   * needs, and nothing else: a flag that there are capabilities would be followed by none, which
   * QEMU takes for an error.
   *
   * @return how much longer the reply is
   */
  private int mappable(SharedRegisters shared) {
    int needed = RegionInfoMessage.BYTES + RegionInfoMessage.AREA_BYTES - Header.SIZE;
    RegionInfoMessage.ARGSZ.set(reply, needed);
    if (Integer.compareUnsigned(RegionInfoMessage.ARGSZ.get(command), needed) < 0) {
      return 0;
    }
    RegionInfoMessage.FLAGS.set(
        reply,
        RegionInfoMessage.FLAGS.get(reply)
            | Vfio.VFIO_REGION_INFO_FLAG_CAPS
            | Vfio.VFIO_REGION_INFO_FLAG_MMAP);
    RegionInfoMessage.writeArea(reply, shared.registers().offset(), shared.registers().byteSize());
    sharedFd[0] = shared.fd();
    replyFds = sharedFd;
    replyFdCount = 1;
    return RegionInfoMessage.AREA_BYTES;
  }

  private int irqInfo() {
    if (!hasRoomFor(IrqInfoMessage.STRUCT, IrqInfoMessage.ARGSZ)) {
      return Errno.EINVAL.result();
    }
    int index = IrqInfoMessage.INDEX.get(command);
    if (index < 0 || index >= ServedInterrupts.INDEXES) {
      return Errno.EINVAL.result();
    }
    int size = reply(IrqInfoMessage.STRUCT, IrqInfoMessage.ARGSZ);
    IrqInfoMessage.FLAGS.set(reply, ServedInterrupts.flags(index));
    IrqInfoMessage.INDEX.set(reply, index);
    IrqInfoMessage.COUNT.set(reply, device.interrupts().count(index));
    return size;
  }

  private int setIrqs(Incoming message) {
    if (!hasRoomFor(SetIrqsMessage.STRUCT, SetIrqsMessage.ARGSZ)) {
      return Errno.EINVAL.result();
    }
    int result =
        device
            .interrupts()
            .set(
                message,
                SetIrqsMessage.FLAGS.get(command),
                SetIrqsMessage.INDEX.get(command),
                SetIrqsMessage.START.get(command),
                SetIrqsMessage.COUNT.get(command),
                SetIrqsMessage.BYTES,
                commandSize - SetIrqsMessage.BYTES);
    return result < 0 ? result : Header.SIZE;
  }

  private int deviceReset() {
    if (commandSize != Header.SIZE) {
      return Errno.EINVAL.result();
    }
    device.reset();
    return Header.SIZE;
  }
}
