package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.VersionMessage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A client that sends what a test wants, well-formed or not, and gives the answer back. */
final class RawClient implements AutoCloseable {
  static final int CONFIG = 7;
  static final int MASK = 1 << 3;
  static final int UNMASK = 1 << 4;
  static final int TRIGGER = 1 << 5;
  static final int NONE = 1;
  static final int BOOL = 2;
  static final int EVENTFD = 4;

  private static final int TIMEOUT_MILLIS = 20_000;

  final MessageSocket socket;
  final MemorySegment out = Arena.ofAuto().allocate(4 << 20, 8);
  private int id;

  /** Connects, and says nothing. */
  RawClient(Path path) throws ErrnoException {
    socket = new MessageSocket(UnixSocket.connect(path.toString()), 4 << 20, 16, TIMEOUT_MILLIS);
  }

  /** Connects, and agrees on a version. */
  static RawClient agreed(Path path) throws ErrnoException {
    var client = new RawClient(path);
    assertThat(client.version("{\"capabilities\":{\"max_msg_fds\":16}}")).isZero();
    return client;
  }

  int version(String json) {
    var bytes = (json + "\0").getBytes(StandardCharsets.UTF_8);
    MemorySegment.copy(bytes, 0, out, ValueLayout.JAVA_BYTE, VersionMessage.SIZE, bytes.length);
    VersionMessage.major(out, 0);
    VersionMessage.minor(out, 1);
    return call(Command.VERSION, VersionMessage.SIZE + bytes.length);
  }

  /** Sends a command whose payload is in {@link #out}; 0, or the errno of the answer. */
  int call(Command command, int size, int... fds) {
    return call(command.number(), size, 0, fds);
  }

  int call(int command, int size, int flags, int... fds) {
    id = (id + 1) & 0xffff;
    Header.write(out, id, command, size, flags, 0);
    assertThat(socket.send(out, size, fds, fds.length)).isZero();
    return (flags & Header.NO_REPLY) != 0 ? 0 : answer(command);
  }

  /** Waits for the answer to what was sent last. */
  int answer(int command) {
    int received = receive();
    assertThat(received).as("size of the answer").isGreaterThanOrEqualTo(Header.SIZE);
    var in = socket.message();
    assertThat(Header.isReply(in)).isTrue();
    assertThat(Header.id(in)).isEqualTo(id);
    assertThat(Header.command(in)).isEqualTo(command);
    if (Header.isError(in)) {
      assertThat(received).isEqualTo(Header.SIZE);
      return Header.error(in);
    }
    return 0;
  }

  /** The next message; a server that says nothing for long fails the test. */
  int receive() {
    if (!socket.hasMore()) {
      assertThat(LinuxKernel.instance().awaitReadable(socket.fd(), TIMEOUT_MILLIS)).isOne();
    }
    return socket.receive(true);
  }

  /** The server has sent this client away. */
  void assertSentAway() {
    assertThat(receive()).isLessThanOrEqualTo(0);
  }

  MemorySegment in() {
    return socket.message();
  }

  int access(Command command, int region, long offset, int count, int size) {
    RegionAccess.region(out, region);
    RegionAccess.offset(out, offset);
    RegionAccess.count(out, count);
    return call(command, size);
  }

  int read(int region, long offset, int count) {
    return access(Command.REGION_READ, region, offset, count, RegionAccess.SIZE);
  }

  /** Reads a register that must be there. */
  long value(int region, long offset, int width) {
    assertThat(read(region, offset, width)).isZero();
    long value = 0;
    for (int i = width - 1; i >= 0; i--) {
      value =
          value << 8
              | Byte.toUnsignedLong(in().get(ValueLayout.JAVA_BYTE, RegionAccess.SIZE + (long) i));
    }
    return value;
  }

  int write(int region, long offset, int width, long value) {
    for (int i = 0; i < width; i++) {
      out.set(ValueLayout.JAVA_BYTE, RegionAccess.SIZE + (long) i, (byte) (value >>> (8 * i)));
    }
    return access(Command.REGION_WRITE, region, offset, width, RegionAccess.SIZE + width);
  }

  int irqs(int flags, int index, int start, int count, int... fds) {
    return irqs(flags, index, start, count, new byte[0], fds);
  }

  int irqs(int flags, int index, int start, int count, byte[] data, int... fds) {
    int size = Header.SIZE + 20 + data.length;
    int[] fields = {size - Header.SIZE, flags, index, start, count};
    for (int i = 0; i < fields.length; i++) {
      out.set(ValueLayout.JAVA_INT, Header.SIZE + 4L * i, fields[i]);
    }
    MemorySegment.copy(data, 0, out, ValueLayout.JAVA_BYTE, Header.SIZE + 20L, data.length);
    return call(Command.DEVICE_SET_IRQS, size, fds);
  }

  int map(long iova, long byteSize, int flags, int... fds) {
    DmaMapMessage.argsz(out, DmaMapMessage.SIZE - Header.SIZE);
    DmaMapMessage.flags(out, flags);
    DmaMapMessage.offset(out, 0);
    DmaMapMessage.address(out, iova);
    DmaMapMessage.size(out, byteSize);
    return call(Command.DMA_MAP, DmaMapMessage.SIZE, fds);
  }

  int unmap(long iova, long byteSize, int flags) {
    DmaUnmapMessage.argsz(out, DmaUnmapMessage.SIZE - Header.SIZE);
    DmaUnmapMessage.flags(out, flags);
    DmaUnmapMessage.address(out, iova);
    DmaUnmapMessage.size(out, byteSize);
    return call(Command.DMA_UNMAP, DmaUnmapMessage.SIZE);
  }

  @Override
  public void close() {
    socket.close();
  }
}
