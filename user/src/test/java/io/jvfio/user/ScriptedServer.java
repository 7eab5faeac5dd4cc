// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioIrqSet;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.VersionMessage;
import io.jvfio.user.wire.WriteMulti;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A server that does what a test tells it: a device of a few registers, and a script that can
 * answer any command in its place. One client at a time; a thread serves it.
 */
public final class ScriptedServer implements AutoCloseable {
  static final int BAR_BYTES = 4 << 20;
  static final int CONFIG_BYTES = 256;
  static final int VECTORS = 20;
  static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;

  private static final Capabilities USUAL =
      new Capabilities(8, 1 << 20, 65_535, 4096, false, OptionalInt.empty(), true);

  final MemorySegment config = Arena.ofAuto().allocate(CONFIG_BYTES);
  final MemorySegment bar = Arena.ofAuto().allocate(BAR_BYTES);

  /** Which commands came, in order, with what tests want to see of them. */
  final List<String> told = new CopyOnWriteArrayList<>();

  /** The eventfds of the vectors, or -1. */
  final int[] vectors = new int[VECTORS];

  int errorFd = -1;
  public volatile Script script;

  private final LinuxKernel kernel = LinuxKernel.instance();
  private final Path path;
  private final UnixSocket listener;
  private final Thread thread;
  private final Capabilities capabilities;
  private final BlockingQueue<MemorySegment> answers = new ArrayBlockingQueue<>(16);
  private final List<Integer> regionFiles = new ArrayList<>();
  private volatile @Nullable MessageSocket client;
  private volatile @Nullable UnixSocket twin;
  private volatile boolean closed;

  /** A message, and how to answer it. */
  public interface Script {
    /**
     * Looks at a message.
     *
     * @return whether it was dealt with
     */
    boolean answers(Exchange exchange);
  }

  /** A message that came. */
  public static final class Exchange {
    final MessageSocket socket;
    public final MemorySegment message;
    public final int size;

    Exchange(MessageSocket socket, int size) {
      this.socket = socket;
      this.message = socket.message();
      this.size = size;
    }

    public Command command() {
      return requireNonNull(Command.of(Header.command(message)));
    }

    boolean is(Command command) {
      return command() == command;
    }

    /** A reply of this many bytes, with header, which has what the command had. */
    public MemorySegment reply(long byteSize) {
      var reply = Arena.ofAuto().allocate(Math.max(byteSize, Header.SIZE), Long.BYTES);
      MemorySegment.copy(message, 0, reply, 0, Math.min(size, byteSize));
      Header.writeReply(reply, Header.id(message), Header.command(message), byteSize);
      return reply;
    }

    public boolean send(MemorySegment reply, int... fds) {
      socket.send(reply, (int) reply.byteSize(), fds, fds.length);
      return true;
    }

    public boolean succeed() {
      return send(reply(Header.SIZE));
    }

    public boolean fail(int errno) {
      var reply = reply(Header.SIZE);
      Header.writeError(reply, Header.id(message), Header.command(message), errno);
      return send(reply);
    }

    /** Hangs up. */
    public boolean hangUp() {
      socket.shutdown();
      return true;
    }
  }

  private ScriptedServer(Path path, Capabilities capabilities, Script script)
      throws ErrnoException {
    this.path = path;
    this.script = script;
    this.capabilities = capabilities;
    Arrays.fill(vectors, -1);
    config.set(Layouts.U32, 0, 0x1234_5678);
    config.set(Layouts.U32, 8, 0x0108_0201);
    listener = UnixSocket.listen(LinuxKernel.instance(), path.toString(), 0600);
    thread = new Thread(this::run, "scripted server");
    thread.setDaemon(true);
    thread.start();
  }

  public static ScriptedServer at(Path path) {
    return at(path, USUAL);
  }

  public static ScriptedServer at(Path path, Capabilities capabilities) {
    return at(path, capabilities, _ -> false);
  }

  /** A server that does what a script says from the first message on. */
  public static ScriptedServer at(Path path, Script script) {
    return at(path, USUAL, script);
  }

  private static ScriptedServer at(Path path, Capabilities capabilities, Script script) {
    try {
      return new ScriptedServer(path, capabilities, script);
    } catch (ErrnoException e) {
      throw new AssertionError(e);
    }
  }

  /** Gives region 0 a file, which clients can map. */
  MemorySegment mapBar() {
    int fd = kernel.memoryFile("bar", 0, BAR_BYTES);
    regionFiles.add(fd);
    long address = kernel.mmap(BAR_BYTES, 3, LinuxKernel.MAP_SHARED, fd, 0);
    return kernel.memory(address, BAR_BYTES, Arena.ofAuto());
  }

  private void run() {
    while (!closed) {
      try (var socket = new MessageSocket(listener.accept(), 2 << 20, 16)) {
        client = socket;
        serve(socket);
        forgetClient();
      } catch (ErrnoException e) {
        return; // shut down
      }
    }
  }

  private void forgetClient() {
    client = null;
    var other = twin;
    if (other != null) {
      other.close();
      twin = null;
    }
    for (int i = 0; i < VECTORS; i++) {
      close(vectors[i]);
      vectors[i] = -1;
    }
    close(errorFd);
    errorFd = -1;
  }

  private void close(int fd) {
    if (fd >= 0) {
      kernel.close(fd);
    }
  }

  private void serve(MessageSocket socket) {
    while (true) {
      int size = socket.receive(true);
      if (size <= 0) {
        return;
      }
      if (Header.isReply(socket.message())) {
        var copy = Arena.ofAuto().allocate(size, Long.BYTES);
        MemorySegment.copy(socket.message(), 0, copy, 0, size);
        answers.add(copy);
        continue;
      }
      var exchange = new Exchange(socket, size);
      if (!script.answers(exchange)) {
        answer(exchange);
      }
    }
  }

  private void answer(Exchange exchange) {
    var command = exchange.command();
    var message = exchange.message;
    switch (command) {
      case VERSION -> version(exchange);
      case DEVICE_GET_INFO -> {
        var reply = exchange.reply(Header.SIZE + 16);
        var info = reply.asSlice(Header.SIZE);
        info.set(Layouts.U32, 0, 16);
        info.set(Layouts.U32, 4, Vfio.VFIO_DEVICE_FLAGS_PCI | Vfio.VFIO_DEVICE_FLAGS_RESET);
        info.set(Layouts.U32, 8, 9);
        info.set(Layouts.U32, 12, 5);
        exchange.send(reply);
      }
      case DEVICE_GET_REGION_INFO -> regionInfo(exchange);
      case DEVICE_GET_IRQ_INFO -> {
        var reply = exchange.reply(Header.SIZE + VfioIrqInfo.BYTES);
        var info = reply.asSlice(Header.SIZE);
        int index = VfioIrqInfo.INDEX.get(info);
        VfioIrqInfo.FLAGS.set(info, 1);
        VfioIrqInfo.COUNT.set(info, index == 2 ? VECTORS : index == 3 ? 1 : 0);
        exchange.send(reply);
      }
      case DEVICE_SET_IRQS -> setIrqs(exchange);
      case REGION_READ -> {
        int count = RegionAccess.COUNT.get(message);
        told.add("read %d bytes".formatted(count));
        var reply = exchange.reply(RegionAccess.BYTES + (long) count);
        MemorySegment.copy(
            region(message), RegionAccess.OFFSET.get(message), reply, RegionAccess.BYTES, count);
        exchange.send(reply);
      }
      case REGION_WRITE -> {
        int count = RegionAccess.COUNT.get(message);
        told.add(
            (RegionAccess.REGION.get(message) == CONFIG ? "config " : "write ")
                + count
                + " bytes"
                + (Header.wantsNoReply(message) ? ", no reply" : ""));
        MemorySegment.copy(
            message, RegionAccess.BYTES, region(message), RegionAccess.OFFSET.get(message), count);
        if (!Header.wantsNoReply(message)) {
          exchange.send(exchange.reply(RegionAccess.BYTES));
        }
      }
      case REGION_WRITE_MULTI -> {
        int count = (int) WriteMulti.COUNT.get(message);
        told.add("%d writes".formatted(count));
        for (int i = 0; i < count; i++) {
          MemorySegment.copy(
              message,
              WriteMulti.Entry.data(i),
              bar,
              WriteMulti.Entry.OFFSET.get(message, WriteMulti.Entry.at(i)),
              WriteMulti.Entry.COUNT.get(message, WriteMulti.Entry.at(i)));
        }
        exchange.send(exchange.reply(WriteMulti.BYTES));
      }
      case DMA_MAP -> {
        told.add(
            "map 0x%x %s"
                .formatted(
                    DmaMapMessage.ADDRESS.get(message),
                    exchange.socket.fdCount() > 0 ? "file" : "memory"));
        exchange.succeed();
      }
      case DMA_UNMAP -> {
        told.add("unmap 0x%x".formatted(DmaUnmapMessage.ADDRESS.get(message)));
        exchange.send(exchange.reply(DmaUnmapMessage.BYTES));
      }
      case DEVICE_RESET -> {
        told.add("reset");
        exchange.succeed();
      }
      default -> exchange.fail(Errno.EOPNOTSUPP.number());
    }
  }

  private MemorySegment region(MemorySegment message) {
    return RegionAccess.REGION.get(message) == CONFIG ? config : bar;
  }

  /** The reply to VERSION. */
  void version(Exchange exchange) {
    @Nullable UnixSocket theirs = null;
    if (capabilities.twinSocket()) {
      try {
        var pair = UnixSocket.pair(LinuxKernel.instance());
        twin = pair.first();
        theirs = pair.second();
      } catch (ErrnoException e) {
        throw new AssertionError(e);
      }
    }
    exchange.send(
        version(exchange, 0, 1, capabilities.toJson()),
        theirs == null ? new int[0] : new int[] {theirs.fd()});
    if (theirs != null) {
      theirs.close();
    }
  }

  /** A reply to VERSION that says so. */
  static MemorySegment version(Exchange exchange, int major, int minor, String json) {
    var text = json.getBytes(StandardCharsets.UTF_8);
    var reply = exchange.reply(VersionMessage.BYTES + text.length + 1L);
    VersionMessage.MAJOR.set(reply, (short) major);
    VersionMessage.MINOR.set(reply, (short) minor);
    MemorySegment.copy(text, 0, reply, ValueLayout.JAVA_BYTE, VersionMessage.BYTES, text.length);
    reply.set(ValueLayout.JAVA_BYTE, VersionMessage.BYTES + text.length, (byte) 0);
    return reply;
  }

  private void regionInfo(Exchange exchange) {
    var reply = exchange.reply(Header.SIZE + VfioRegionInfo.BYTES);
    var info = reply.asSlice(Header.SIZE);
    int index = VfioRegionInfo.INDEX.get(info);
    boolean mappable = index == 0 && !regionFiles.isEmpty();
    VfioRegionInfo.ARGSZ.set(info, (int) VfioRegionInfo.BYTES);
    VfioRegionInfo.FLAGS.set(info, mappable ? 7 : 3);
    VfioRegionInfo.SIZE.set(info, index == CONFIG ? CONFIG_BYTES : index == 0 ? BAR_BYTES : 0);
    exchange.send(reply, mappable ? new int[] {regionFiles.getFirst()} : new int[0]);
  }

  private void setIrqs(Exchange exchange) {
    var set = exchange.message.asSlice(Header.SIZE);
    int index = VfioIrqSet.INDEX.get(set);
    int start = VfioIrqSet.START.get(set);
    int count = VfioIrqSet.COUNT.get(set);
    int fds = exchange.socket.fdCount();
    told.add("irqs %d: %d from %d, %d fds".formatted(index, count, start, fds));
    if (index == 3) {
      close(errorFd);
      errorFd = fds == 1 ? exchange.socket.takeFd(0) : -1;
    } else if (index == 2 && count == 0) {
      forgetVectors();
    } else if (index == 2) {
      for (int i = 0; i < count; i++) {
        close(vectors[start + i]);
        vectors[start + i] = fds > 0 ? exchange.socket.takeFd(i) : -1;
      }
    }
    exchange.succeed();
  }

  private void forgetVectors() {
    for (int i = 0; i < VECTORS; i++) {
      close(vectors[i]);
      vectors[i] = -1;
    }
  }

  /** Signals a vector. */
  void signal(int vector) {
    try (var arena = Arena.ofConfined()) {
      kernel.write(vectors[vector], arena.allocateFrom(ValueLayout.JAVA_LONG, 1));
    }
  }

  /** Reads or writes the client's memory over the socket that is for it, and waits. */
  MemorySegment dma(Command command, long address, long count, byte[] data) {
    var message = dmaMessage(command, address, count, data);
    var other = twin;
    if (other == null) {
      send(message);
      try {
        var answer = answers.poll(30, TimeUnit.SECONDS);
        if (answer == null) {
          throw new AssertionError("no answer to " + command);
        }
        return answer;
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
    other.send(message, new int[0], 0);
    var answer = Arena.ofAuto().allocate(2 << 20, Long.BYTES);
    long size = other.receive(answer, new int[0]);
    return answer.asSlice(0, size);
  }

  static MemorySegment dmaMessage(Command command, long address, long count, byte[] data) {
    long size = (long) DmaAccessMessage.BYTES + data.length;
    var message = Arena.ofAuto().allocate(size, Long.BYTES);
    Header.writeCommand(message, 77, command, size);
    DmaAccessMessage.ADDRESS.set(message, address);
    DmaAccessMessage.COUNT.set(message, count);
    MemorySegment.copy(
        data, 0, message, ValueLayout.JAVA_BYTE, DmaAccessMessage.BYTES, data.length);
    return message;
  }

  /** Sends any bytes to the client. */
  void send(MemorySegment message, int... fds) {
    var socket = client;
    if (socket == null) {
      throw new AssertionError("there is no client");
    }
    socket.send(message, (int) message.byteSize(), fds, fds.length);
  }

  /** Hangs up on the client; the next one is served. */
  void hangUp() {
    var socket = client;
    if (socket != null) {
      socket.shutdown();
    }
  }

  boolean hasClient() {
    return client != null;
  }

  @Override
  public void close() {
    closed = true;
    listener.shutdown();
    hangUp();
    try {
      thread.join(30_000);
      Files.deleteIfExists(path);
    } catch (InterruptedException | IOException e) {
      throw new AssertionError(e);
    }
    listener.close();
    regionFiles.forEach(this::close);
  }
}
