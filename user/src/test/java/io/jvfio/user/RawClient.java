// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.VersionMessage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A client that sends what a test wants, well-formed or not, and gives the answer back. */
public final class RawClient implements AutoCloseable {
  public static final int CONFIG = 7;
  public static final int MASK = 1 << 3;
  public static final int UNMASK = 1 << 4;
  public static final int TRIGGER = 1 << 5;
  public static final int NONE = 1;
  public static final int BOOL = 2;
  public static final int EVENTFD = 4;

  private static final int TIMEOUT_MILLIS = 20_000;

  public final MessageSocket socket;
  public final MemorySegment out = Arena.ofAuto().allocate(4 << 20, 8);
  private int id;

  /** Connects, and says nothing. */
  public RawClient(Path path) throws ErrnoException {
    socket =
        new MessageSocket(
            UnixSocket.connect(LinuxKernel.instance(), path.toString()),
            4 << 20,
            16,
            TIMEOUT_MILLIS);
  }

  /** Connects, and agrees on a version. */
  public static RawClient agreed(Path path) throws ErrnoException {
    var client = new RawClient(path);
    assertThat(client.version("{\"capabilities\":{\"max_msg_fds\":16}}")).isZero();
    return client;
  }

  public int version(String json) {
    var bytes = (json + "\0").getBytes(StandardCharsets.UTF_8);
    MemorySegment.copy(bytes, 0, out, ValueLayout.JAVA_BYTE, VersionMessage.BYTES, bytes.length);
    VersionMessage.MAJOR.set(out, (short) 0);
    VersionMessage.MINOR.set(out, (short) 1);
    return call(Command.VERSION, VersionMessage.BYTES + bytes.length);
  }

  /** Sends a command whose payload is in {@link #out}; 0, or the errno of the answer. */
  public int call(Command command, int size, int... fds) {
    return call(command.number(), size, 0, fds);
  }

  public int call(int command, int size, int flags, int... fds) {
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
  public int receive() {
    if (!socket.hasMore()) {
      assertThat(LinuxKernel.instance().awaitReadable(socket.fd(), TIMEOUT_MILLIS)).isOne();
    }
    return socket.receive(true);
  }

  /** The server has sent this client away. */
  public void assertSentAway() {
    assertThat(receive()).isLessThanOrEqualTo(0);
  }

  public MemorySegment in() {
    return socket.message();
  }

  public int access(Command command, int region, long offset, int count, int size) {
    RegionAccess.REGION.set(out, region);
    RegionAccess.OFFSET.set(out, offset);
    RegionAccess.COUNT.set(out, count);
    return call(command, size);
  }

  public int read(int region, long offset, int count) {
    return access(Command.REGION_READ, region, offset, count, RegionAccess.BYTES);
  }

  /** Reads a register that must be there. */
  public long value(int region, long offset, int width) {
    assertThat(read(region, offset, width)).isZero();
    long value = 0;
    for (int i = width - 1; i >= 0; i--) {
      value =
          value << 8
              | Byte.toUnsignedLong(in().get(ValueLayout.JAVA_BYTE, RegionAccess.BYTES + (long) i));
    }
    return value;
  }

  public int write(int region, long offset, int width, long value) {
    for (int i = 0; i < width; i++) {
      out.set(ValueLayout.JAVA_BYTE, RegionAccess.BYTES + (long) i, (byte) (value >>> (8 * i)));
    }
    return access(Command.REGION_WRITE, region, offset, width, RegionAccess.BYTES + width);
  }

  public int irqs(int flags, int index, int start, int count, int... fds) {
    return irqs(flags, index, start, count, new byte[0], fds);
  }

  public int irqs(int flags, int index, int start, int count, byte[] data, int... fds) {
    int size = Header.SIZE + 20 + data.length;
    int[] fields = {size - Header.SIZE, flags, index, start, count};
    for (int i = 0; i < fields.length; i++) {
      out.set(ValueLayout.JAVA_INT, Header.SIZE + 4L * i, fields[i]);
    }
    MemorySegment.copy(data, 0, out, ValueLayout.JAVA_BYTE, Header.SIZE + 20L, data.length);
    return call(Command.DEVICE_SET_IRQS, size, fds);
  }

  public int map(long iova, long byteSize, int flags, int... fds) {
    DmaMapMessage.ARGSZ.set(out, DmaMapMessage.BYTES - Header.SIZE);
    DmaMapMessage.FLAGS.set(out, flags);
    DmaMapMessage.OFFSET.set(out, 0);
    DmaMapMessage.ADDRESS.set(out, iova);
    DmaMapMessage.SIZE.set(out, byteSize);
    return call(Command.DMA_MAP, DmaMapMessage.BYTES, fds);
  }

  public int unmap(long iova, long byteSize, int flags) {
    DmaUnmapMessage.ARGSZ.set(out, DmaUnmapMessage.BYTES - Header.SIZE);
    DmaUnmapMessage.FLAGS.set(out, flags);
    DmaUnmapMessage.ADDRESS.set(out, iova);
    DmaUnmapMessage.SIZE.set(out, byteSize);
    return call(Command.DMA_UNMAP, DmaUnmapMessage.BYTES);
  }

  @Override
  public void close() {
    socket.close();
  }
}
