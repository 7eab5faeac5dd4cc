package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioIrqSet;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.user.VfioUserServerOptions;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DirtyBitmap;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MalformedMessageException;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.VersionMessage;
import io.jvfio.user.wire.WriteMulti;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One client of a server, from its first message to its last. One thread receives commands, carries
 * them out one after the other, and replies.
 *
 * <p>The device may want memory of the client's of which no descriptor came, while a command is
 * being carried out or on the thread that polls the device. Where the client's answer comes by the
 * same socket as its commands, those that come before it are kept and carried out afterwards.
 */
public final class ServerSession {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  /** What a payload may have besides data. */
  private static final int SLACK = 4096;

  /**
   * How often a polling server looks at the device for one look at the socket: while the device has
   * work, and while it has none. A look at the socket is a system call, and one at the device is
   * not.
   */
  private static final int BUSY_ROUNDS = 64;

  private static final int IDLE_ROUNDS = 8;

  /** How long the socket is not looked at, however long the device works in a round. */
  private static final long LOOK_NANOS = 1_000_000;

  /** After a message the socket is looked at every time, so often in vain. */
  private static final int EAGER_LOOKS = 1000;

  private static final int MOST_WRITES = 1 << 16;
  private static final int MOST_FDS = UnixSocket.MAX_DESCRIPTORS;

  private static final String STOPPED = "The server was closed.";
  private static final String TOO_MUCH =
      "It sent more commands than are kept, and no answer to what it was asked.";

  private final ServedDevice device;
  private final DevicePoller poller;
  private final VfioUserServerOptions options;
  private final MessageSocket socket;
  private final ClientMemory memory;
  private final ClientAnswers answers;

  /** Made once, for it is asked for every message. */
  private final BooleanSupplier hasToGive;

  private final MigrationServer migration;

  /** Null until it is known how many descriptors the client takes. */
  private @Nullable IoEventFds ioEvents;

  private final Incoming incoming;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment reply;
  private final int maxMessage;
  private Capabilities client = Capabilities.DEFAULTS;
  private volatile @Nullable MessageSocket twin;
  private long messages;
  private long bytes;
  private volatile boolean isAgreed;

  /** An error has ended it, after which nobody knows the device's state. */
  private boolean hasFailed;

  /** The device has been given the client's memory. */
  private boolean isConnected;

  /** Why this ends, whatever more there may be from the client; null while it goes on. */
  private volatile @Nullable String endReason;

  /** What is being carried out: a message in the socket's buffer, or one that was kept. */
  private Incoming current;

  private MemorySegment command;
  private int commandSize;

  /** A session; by the thread that will {@link #run} it. */
  public ServerSession(
      ServedDevice device,
      DevicePoller poller,
      UnixSocket connection,
      VfioUserServerOptions options) {
    this.device = device;
    this.poller = poller;
    this.options = options;
    maxMessage = options.maxDataTransfer() + SLACK;
    int patience = patienceMillis();
    socket = new MessageSocket(connection, maxMessage, options.maxMessageFds(), patience);
    reply = arena.allocate(maxMessage, Long.BYTES);
    incoming = Incoming.of(socket);
    current = incoming;
    command = incoming.message();
    answers =
        new ClientAnswers(
            socket, incoming, options, device.lock::isHeldByCurrentThread, this::lost);
    hasToGive = answers::areAwaited;
    memory =
        new ClientMemory(
            () -> device.config().isBusMaster() && !device.isHalted(),
            answers,
            options.maxDmaMaps());
    migration =
        new MigrationServer(
            device.model(),
            memory.log(),
            new Migrated(),
            options.maxDataTransfer(),
            MigrationServer.MOST_STATE_BYTES);
  }

  /** What a migration changes for the device's host. */
  private final class Migrated implements MigrationServer.Host {
    @Override
    public void restored() {
      device.restored();
    }

    @Override
    public void resumed() {
      device.watchIoEvents();
      poller.request();
    }
  }

  /** How many messages came; by the session's thread. */
  public long messages() {
    return messages;
  }

  /** How many bytes these had; by the session's thread. */
  public long bytes() {
    return bytes;
  }

  /** Whether a version is agreed, so that the client is one. */
  public boolean isAgreed() {
    return isAgreed;
  }

  /** Ends it, from any thread, since the server does. */
  public void stop() {
    end(STOPPED);
  }

  /** Ends it, from any thread: nothing more is read, carried out or waited for. */
  private void end(String reason) {
    if (endReason == null) {
      endReason = reason;
    }
    socket.shutdown();
    var second = twin;
    if (second != null) {
      second.shutdown();
    }
  }

  private void lost(String reason) {
    if (endReason != null) {
      return; // that is why
    }
    LOG.log(
        Level.WARNING,
        "a client of {0} is cut off: {1}",
        device.model().getClass().getSimpleName(),
        reason);
    end("It was cut off: " + reason + ".");
  }

  /**
   * Serves the client until it goes or is sent away.
   *
   * @return why it ended, as a sentence
   */
  public String run() {
    try {
      return serve();
    } catch (Error e) {
      hasFailed = true;
      throw e;
    } finally {
      answers.end();
    }
  }

  /** Gives back everything of the client's; with the device's lock. */
  public void close() {
    if (isConnected) {
      device.disconnect(options.retainsState() && !hasFailed);
    }
    if (ioEvents != null) {
      ioEvents.close();
    }
    var second = twin;
    if (second != null) {
      second.close();
    }
    answers.close();
    socket.close();
    arena.close();
  }

  private String serve() {
    int size = socket.receiveInTime();
    if (size <= 0) {
      return ended(size);
    }
    messages++;
    bytes += size;
    incoming.received(size);
    take(incoming);
    int result = negotiate();
    if (result < 0) {
      sendError(Errno.ofResult(result));
      return "It spoke another protocol: no version was agreed.";
    }
    device.acquireFirst();
    try {
      var events = new IoEventFds(device.model(), Math.min(client.maxMessageFds(), MOST_FDS));
      ioEvents = events;
      isConnected = true;
      device.connect(memory, events, migration, this::end);
    } finally {
      device.lock.unlock();
    }
    isAgreed = true;
    options.listener().clientCame();
    return options.isPolling() ? poll() : await();
  }

  private int patienceMillis() {
    return (int) Math.min(Integer.MAX_VALUE, options.patience().toMillis());
  }

  private String ended(int result) {
    var known = endReason;
    if (known != null) {
      return known;
    }
    if (result == 0) {
      return "It closed the connection.";
    }
    var errno = Errno.ofResult(result);
    return errno.equals(Errno.ECONNRESET)
        ? "It closed the connection in the middle of a message."
        : errno.equals(Errno.EPROTO)
            ? "It sent a message of a length that no message has."
            : errno.equals(Errno.EMSGSIZE)
                ? "It sent more descriptors than were agreed."
                : errno.equals(Errno.ETIMEDOUT)
                    ? "It began a message and did not end it."
                    : errno.equals(Errno.EAGAIN)
                        ? "It does not read what it is sent."
                        : "The connection failed: " + errno.symbol() + " (" + errno.text() + ").";
  }

  /** Waits in the kernel: one system call brings a command, another one its reply. */
  private String await() {
    while (true) {
      int size = socket.receive(true);
      if (size <= 0) {
        return ended(size);
      }
      var failure = receive(size);
      if (failure != null) {
        return failure;
      }
    }
  }

  /**
   * Looks at the device all the time, and at the socket now and then; or every time, if messages
   * come one after the other.
   */
  private String poll() {
    int rounds = 0;
    int eager = 0;
    long looked = System.nanoTime();
    while (true) {
      boolean worked = pollDevice();
      if (++rounds < (worked ? BUSY_ROUNDS : eager > 0 ? 1 : IDLE_ROUNDS)
          && !(worked && System.nanoTime() - looked >= LOOK_NANOS)) {
        Thread.onSpinWait();
        continue;
      }
      rounds = 0;
      eager = Math.max(0, eager - 1);
      int size = socket.receive(false);
      while (size > 0) {
        eager = EAGER_LOOKS;
        var failure = receive(size);
        if (failure != null) {
          return failure;
        }
        size = socket.receive(false);
      }
      if (size != Errno.EAGAIN.result()) {
        return ended(size);
      }
      looked = System.nanoTime();
    }
  }

  private boolean pollDevice() {
    device.acquireFirst();
    try {
      return device.poll();
    } catch (RuntimeException e) {
      device.failed("poll()", e);
      return false;
    } finally {
      device.lock.unlock();
    }
  }

  /** A message has come: a command to carry out, or the answer that the device waits for. */
  private @Nullable String receive(int size) {
    var known = endReason;
    if (known != null) {
      return known; // what had come before is not carried out any more
    }
    messages++;
    bytes += size;
    incoming.received(size);
    boolean isReply = Header.isReply(incoming.message());
    if (isReply ? !answers.take(size) : !Header.isCommand(incoming.message())) {
      return isReply
          ? "It sent a reply to nothing."
          : "It sent a message that is neither a command nor a reply.";
    }
    if (isReply && !answers.hasKept()) {
      return null;
    }
    if (!device.acquireUnless(hasToGive)) {
      return isReply || answers.keep() ? null : TOO_MUCH;
    }
    try {
      return executeAll(isReply);
    } finally {
      device.lock.unlock();
    }
  }

  /** What was kept comes first; carrying it out may take the place of what has just come. */
  private @Nullable String executeAll(boolean isReply) {
    if (!isReply) {
      if (answers.hasKept()) {
        if (!answers.keep()) {
          return TOO_MUCH;
        }
      } else {
        take(incoming);
        var failure = execute();
        if (failure != null) {
          return failure;
        }
      }
    }
    while (endReason == null) {
      var kept = answers.nextKept();
      if (kept == null) {
        break;
      }
      take(kept);
      try {
        var failure = execute();
        if (failure != null) {
          return failure;
        }
      } finally {
        kept.closeFds();
      }
    }
    return null;
  }

  private void take(Incoming message) {
    current = message;
    command = message.message();
    commandSize = message.size();
  }

  /** Carries out what {@link #command} says, and replies. */
  private @Nullable String execute() {
    int id = Header.id(command);
    int number = Header.command(command);
    boolean isSilent = Header.wantsNoReply(command);
    int result;
    try {
      result = dispatch(number, current.fdCount());
    } catch (RuntimeException e) {
      device.failed(name(number), e);
      result = Errno.EIO.result();
    }
    if (result < 0) {
      var errno = Errno.ofResult(result);
      options.listener().refused(name(number), errno.symbol());
      if (!isSilent) {
        Header.writeError(reply, id, number, errno.number());
        return sent(socket.send(reply, Header.SIZE));
      }
      return null;
    }
    if (isSilent) {
      return null;
    }
    Header.writeReply(reply, id, number, result);
    return sent(
        number == Command.DEVICE_GET_REGION_IO_FDS.number() && ioEvents != null
            ? socket.send(reply, result, ioEvents.fds(), ioEvents.fdCount())
            : socket.send(reply, result));
  }

  private static String name(int number) {
    var known = Command.of(number);
    return known == null ? "command " + number : known.name();
  }

  private @Nullable String sent(int result) {
    return result < 0 ? ended(result) : null;
  }

  private void sendError(Errno errno) {
    Header.writeError(reply, Header.id(command), Header.command(command), errno.number());
    // The client is sent away in any case.
    socket.send(reply, Header.SIZE);
  }

  /** The size of the reply with its header, or a negated errno. */
  private int dispatch(int number, int fds) {
    var known = Command.of(number);
    if (known == null || known.isFromServer()) {
      return Errno.EOPNOTSUPP.result();
    }
    boolean takesFds = known == Command.DMA_MAP || known == Command.DEVICE_SET_IRQS;
    if (fds > 0 && !takesFds) {
      return Errno.EINVAL.result();
    }
    return switch (known) {
      case REGION_READ -> regionRead();
      case REGION_WRITE -> regionWrite();
      case REGION_WRITE_MULTI -> regionWriteMulti();
      case DMA_MAP -> dmaMap(fds);
      case DMA_UNMAP -> dmaUnmap();
      case DEVICE_GET_INFO -> deviceInfo();
      case DEVICE_GET_REGION_INFO -> regionInfo();
      case DEVICE_GET_IRQ_INFO -> irqInfo();
      case DEVICE_SET_IRQS -> setIrqs();
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

  private int regionIoFds() {
    var events = ioEvents;
    if (events == null) {
      return Errno.EOPNOTSUPP.result();
    }
    int payload = events.answer(command, commandSize, reply);
    device.watchIoEvents();
    return withHeader(payload);
  }

  private static int withHeader(int payload) {
    return payload < 0 ? payload : Header.SIZE + payload;
  }

  private int negotiate() {
    if (!Header.isCommand(command)
        || Header.command(command) != Command.VERSION.number()
        || commandSize < VersionMessage.SIZE
        || socket.fdCount() > 0
        || VersionMessage.major(command) != VersionMessage.MAJOR) {
      return Errno.EINVAL.result();
    }
    if (commandSize > VersionMessage.SIZE) {
      try {
        var json =
            command
                .asSlice(VersionMessage.SIZE, commandSize - VersionMessage.SIZE)
                .toArray(ValueLayout.JAVA_BYTE);
        if (json[json.length - 1] != 0) {
          return Errno.EINVAL.result();
        }
        client = Capabilities.parse(Arrays.copyOf(json, json.length - 1));
      } catch (MalformedMessageException _) {
        return Errno.EINVAL.result();
      }
    }
    return answerVersion();
  }

  private int answerVersion() {
    if (client.twinSocket() && options.twinSocket() && client.maxMessageFds() > 0) {
      try {
        var pair = UnixSocket.pair();
        var second = new MessageSocket(pair.first(), maxMessage, 1, patienceMillis());
        twin = second;
        var known = endReason;
        if (known != null) {
          end(known); // which did not know of this socket
        }
        answers.use(second);
        try (var theirs = pair.second()) {
          return sendVersion(new int[] {theirs.fd()}, OptionalInt.of(0));
        }
      } catch (ErrnoException e) {
        LOG.log(Level.WARNING, "no twin socket: {0}", e.getMessage());
      }
    }
    return sendVersion(new int[0], OptionalInt.empty());
  }

  private int sendVersion(int[] fds, OptionalInt twinFd) {
    answers.limit(client.maxDataTransfer());
    migration.limit(client.maxDataTransfer());
    var ours =
        new Capabilities(
            options.maxMessageFds(),
            options.maxDataTransfer(),
            options.maxDmaMaps(),
            ClientMemory.PAGE_SIZE,
            twinFd.isPresent(),
            twinFd,
            client.writeMultiple());
    var json = ours.toJson().getBytes(StandardCharsets.UTF_8);
    int size = VersionMessage.SIZE + json.length + 1;
    Header.writeReply(reply, Header.id(command), Header.command(command), size);
    VersionMessage.major(reply, VersionMessage.MAJOR);
    VersionMessage.minor(reply, Math.min(VersionMessage.minor(command), VersionMessage.MINOR));
    MemorySegment.copy(json, 0, reply, ValueLayout.JAVA_BYTE, VersionMessage.SIZE, json.length);
    reply.set(ValueLayout.JAVA_BYTE, size - 1L, (byte) 0);
    return Header.wantsNoReply(command) ? 0 : socket.send(reply, size, fds, fds.length);
  }

  private int regionRead() {
    if (commandSize != RegionAccess.SIZE) {
      return Errno.EINVAL.result();
    }
    long offset = RegionAccess.offset(command);
    int region = RegionAccess.region(command);
    int count = RegionAccess.count(command);
    if (count < 0 || count > options.maxDataTransfer() || count > client.maxDataTransfer()) {
      return Errno.EINVAL.result();
    }
    int result = device.read(region, offset, count, reply, RegionAccess.SIZE);
    if (result < 0) {
      return result;
    }
    RegionAccess.offset(reply, offset);
    RegionAccess.region(reply, region);
    RegionAccess.count(reply, count);
    return RegionAccess.SIZE + count;
  }

  private int regionWrite() {
    if (commandSize < RegionAccess.SIZE) {
      return Errno.EINVAL.result();
    }
    long offset = RegionAccess.offset(command);
    int region = RegionAccess.region(command);
    int count = RegionAccess.count(command);
    if (count < 0
        || count > options.maxDataTransfer()
        || commandSize != RegionAccess.SIZE + count) {
      return Errno.EINVAL.result();
    }
    int result =
        device.write(region, offset, count, data(RegionAccess.SIZE, count), RegionAccess.SIZE);
    if (result < 0) {
      return result;
    }
    RegionAccess.offset(reply, offset);
    RegionAccess.region(reply, region);
    RegionAccess.count(reply, count);
    return RegionAccess.SIZE;
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
    if (commandSize < WriteMulti.SIZE) {
      return Errno.EINVAL.result();
    }
    long count = WriteMulti.count(command);
    if (count < 0
        || count > MOST_WRITES
        || commandSize != WriteMulti.SIZE + count * WriteMulti.ENTRY_SIZE) {
      return Errno.EINVAL.result();
    }
    var entries = data(WriteMulti.SIZE, commandSize - WriteMulti.SIZE);
    for (int i = 0; i < count; i++) {
      int bytes = WriteMulti.byteCount(entries, i);
      if (endReason != null) {
        return Errno.EIO.result(); // each of them may be much work
      }
      if (bytes < 1 || bytes > WriteMulti.MAX_COUNT) {
        return Errno.EINVAL.result();
      }
      int result =
          device.write(
              WriteMulti.region(entries, i),
              WriteMulti.offset(entries, i),
              bytes,
              entries,
              WriteMulti.dataOffset(i));
      if (result < 0) {
        return result;
      }
    }
    WriteMulti.count(reply, count);
    return WriteMulti.SIZE;
  }

  private int dmaMap(int fds) {
    if (commandSize < DmaMapMessage.SIZE
        || Integer.compareUnsigned(DmaMapMessage.argsz(command), DmaMapMessage.SIZE - Header.SIZE)
            < 0
        || fds > 1) {
      return Errno.EINVAL.result();
    }
    int flags = DmaMapMessage.flags(command);
    boolean needsDescriptor = (flags & (DmaMapMessage.MMAP | DmaMapMessage.FILE_IO)) != 0;
    if ((flags & ~0xf) != 0 || (needsDescriptor && fds == 0)) {
      return Errno.EINVAL.result();
    }
    var model = device.model();
    model.quiesce();
    try {
      int result =
          memory.map(
              fds > 0 ? current.takeFd(0) : -1,
              DmaMapMessage.offset(command),
              DmaMapMessage.address(command),
              DmaMapMessage.size(command),
              (flags & DmaMapMessage.READABLE) != 0,
              (flags & DmaMapMessage.WRITABLE) != 0);
      return result < 0 ? result : Header.SIZE;
    } finally {
      device.resume();
    }
  }

  private int dmaUnmap() {
    if (commandSize < DmaUnmapMessage.SIZE) {
      return Errno.EINVAL.result();
    }
    int flags = DmaUnmapMessage.flags(command);
    boolean wantsBitmap = (flags & DmaUnmapMessage.GET_DIRTY_BITMAP) != 0;
    boolean isAll = (flags & DmaUnmapMessage.ALL) != 0;
    if ((flags & ~(DmaUnmapMessage.GET_DIRTY_BITMAP | DmaUnmapMessage.ALL)) != 0
        || (wantsBitmap && isAll)
        || commandSize < (wantsBitmap ? DirtyBitmap.SIZE : DmaUnmapMessage.SIZE)) {
      return Errno.EINVAL.result();
    }
    long address = DmaUnmapMessage.address(command);
    long size = DmaUnmapMessage.size(command);
    int replySize = wantsBitmap ? DirtyBitmap.SIZE : DmaUnmapMessage.SIZE;
    // Nothing is given back if the reply would not be taken.
    if ((isAll && (address != 0 || size != 0))
        || Integer.compareUnsigned(DmaUnmapMessage.argsz(command), replySize - Header.SIZE) < 0) {
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
    DmaUnmapMessage.argsz(reply, replySize - Header.SIZE);
    DmaUnmapMessage.flags(reply, flags);
    DmaUnmapMessage.address(reply, address);
    DmaUnmapMessage.size(reply, size);
    return replySize;
  }

  /** Writes which pages were written into the reply; the size of the bits, or a negated errno. */
  private int dirtyBits(long address, long size) {
    long pageSize = DirtyBitmap.pageSize(command);
    if (Long.bitCount(pageSize) != 1 || pageSize < ClientMemory.PAGE_SIZE || size <= 0) {
      return Errno.EINVAL.result();
    }
    long pages = (size - 1) / pageSize + 1;
    long bytes = (pages + Long.SIZE - 1) / Long.SIZE * Long.BYTES;
    if (bytes > options.maxDataTransfer()
        || bytes > client.maxDataTransfer()
        || bytes > DirtyBitmap.byteSize(command)
        || Integer.toUnsignedLong(DmaUnmapMessage.argsz(command))
            < DirtyBitmap.SIZE - Header.SIZE + bytes) {
      return Errno.EINVAL.result();
    }
    DirtyBitmap.pageSize(reply, pageSize);
    DirtyBitmap.byteSize(reply, bytes);
    reply.asSlice(DirtyBitmap.SIZE, bytes).fill((byte) 0);
    int result = memory.log().report(address, size, pageSize, reply, DirtyBitmap.SIZE);
    return result < 0 ? result : (int) bytes;
  }

  private int deviceInfo() {
    if (commandSize < Header.SIZE + VfioDeviceInfo.BYTES - Long.BYTES) {
      return Errno.EINVAL.result();
    }
    // The kernel's struct has grown a field that the protocol does not have.
    int size = Integer.BYTES * 4;
    if (Integer.compareUnsigned(command.get(ValueLayout.JAVA_INT, Header.SIZE), size) < 0) {
      return Errno.EINVAL.result();
    }
    reply.set(ValueLayout.JAVA_INT, Header.SIZE, size);
    reply.set(
        ValueLayout.JAVA_INT,
        Header.SIZE + 4L,
        Vfio.VFIO_DEVICE_FLAGS_RESET | Vfio.VFIO_DEVICE_FLAGS_PCI);
    reply.set(ValueLayout.JAVA_INT, Header.SIZE + 8L, ServedDevice.REGIONS);
    reply.set(ValueLayout.JAVA_INT, Header.SIZE + 12L, ServedInterrupts.INDEXES);
    return Header.SIZE + size;
  }

  private int regionInfo() {
    int size = (int) VfioRegionInfo.BYTES;
    if (commandSize < Header.SIZE + size) {
      return Errno.EINVAL.result();
    }
    var asked = command.asSlice(Header.SIZE, size);
    int index = VfioRegionInfo.INDEX.get(asked);
    if (Integer.compareUnsigned(VfioRegionInfo.ARGSZ.get(asked), size) < 0
        || index < 0
        || index >= ServedDevice.REGIONS) {
      return Errno.EINVAL.result();
    }
    long bytes = device.regionSize(index);
    var info = reply.asSlice(Header.SIZE, size);
    info.fill((byte) 0);
    VfioRegionInfo.ARGSZ.set(info, size);
    VfioRegionInfo.INDEX.set(info, index);
    VfioRegionInfo.SIZE.set(info, bytes);
    if (bytes > 0) {
      VfioRegionInfo.FLAGS.set(
          info, Vfio.VFIO_REGION_INFO_FLAG_READ | Vfio.VFIO_REGION_INFO_FLAG_WRITE);
    }
    return Header.SIZE + size;
  }

  private int irqInfo() {
    int size = (int) VfioIrqInfo.BYTES;
    if (commandSize < Header.SIZE + size) {
      return Errno.EINVAL.result();
    }
    var asked = command.asSlice(Header.SIZE, size);
    int index = VfioIrqInfo.INDEX.get(asked);
    if (Integer.compareUnsigned(VfioIrqInfo.ARGSZ.get(asked), size) < 0
        || index < 0
        || index >= ServedInterrupts.INDEXES) {
      return Errno.EINVAL.result();
    }
    var info = reply.asSlice(Header.SIZE, size);
    VfioIrqInfo.ARGSZ.set(info, size);
    VfioIrqInfo.FLAGS.set(info, ServedInterrupts.flags(index));
    VfioIrqInfo.INDEX.set(info, index);
    VfioIrqInfo.COUNT.set(info, device.interrupts().count(index));
    return Header.SIZE + size;
  }

  private int setIrqs() {
    int head = Header.SIZE + (int) VfioIrqSet.BYTES;
    if (commandSize < head) {
      return Errno.EINVAL.result();
    }
    var set = command.asSlice(Header.SIZE, VfioIrqSet.BYTES);
    if (Integer.compareUnsigned(VfioIrqSet.ARGSZ.get(set), (int) VfioIrqSet.BYTES) < 0) {
      return Errno.EINVAL.result();
    }
    int result =
        device
            .interrupts()
            .set(
                current,
                VfioIrqSet.FLAGS.get(set),
                VfioIrqSet.INDEX.get(set),
                VfioIrqSet.START.get(set),
                VfioIrqSet.COUNT.get(set),
                head,
                commandSize - head);
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
