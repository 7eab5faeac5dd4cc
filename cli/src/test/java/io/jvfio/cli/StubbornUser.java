package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.VersionMessage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/**
 * A client of an EDU device that has it copy memory, and does not answer when that is asked for.
 */
final class StubbornUser implements AutoCloseable {
  private static final int CONFIG = 7;
  private static final int COMMAND = 4;
  private static final int BUS_MASTER = 4;
  private static final int BUFFER = 0x40000;
  private static final int TARGET = 0x88;
  private static final int COUNT = 0x90;
  private static final int COPY = 0x98;

  private final UnixSocket socket;
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment message = arena.allocate(4096, Long.BYTES);

  /** Connects, and waits until it is asked for its memory. */
  StubbornUser(Path path) throws IOException {
    socket = UnixSocket.connect(path.toString());
    VersionMessage.major(message, 0);
    VersionMessage.minor(message, 1);
    call(Command.VERSION, VersionMessage.SIZE);
    DmaMapMessage.argsz(message, DmaMapMessage.SIZE - Header.SIZE);
    DmaMapMessage.flags(message, DmaMapMessage.READABLE | DmaMapMessage.WRITABLE);
    DmaMapMessage.offset(message, 0);
    DmaMapMessage.address(message, 0);
    DmaMapMessage.size(message, 4096);
    call(Command.DMA_MAP, DmaMapMessage.SIZE);
    write(CONFIG, COMMAND, 2, BUS_MASTER);
    write(0, TARGET, 8, BUFFER);
    write(0, COUNT, 8, 8);
    write(0, COPY, 8, 1);
    receive(Command.DMA_READ);
  }

  private void write(int region, long offset, int width, long value) {
    RegionAccess.region(message, region);
    RegionAccess.offset(message, offset);
    RegionAccess.count(message, width);
    message.set(ValueLayout.JAVA_LONG_UNALIGNED, RegionAccess.SIZE, value);
    call(Command.REGION_WRITE, RegionAccess.SIZE + width);
  }

  private void call(Command command, int size) {
    Header.writeCommand(message, 1, command, size);
    assertThat(socket.send(message, 0, size, new int[0], 0)).isEqualTo(size);
    receive(command);
  }

  private void receive(Command command) {
    fill(0, Header.SIZE);
    fill(Header.SIZE, (int) Header.size(message));
    assertThat(Header.command(message)).isEqualTo(command.number());
    assertThat(Header.isError(message)).isFalse();
  }

  /** Receives a part of a message, and nothing of the next one. */
  private void fill(int from, int end) {
    for (int at = from; at < end; ) {
      long came = socket.receive(message, at, end - at, new int[1], 0, true);
      assertThat(came).isPositive();
      at += (int) came;
    }
  }

  /** Answers, but not what was asked. */
  void answerSomethingElse() {
    Header.writeReply(message, 4711, Command.DMA_READ.number(), Header.SIZE);
    assertThat(socket.send(message, 0, Header.SIZE, new int[0], 0)).isEqualTo(Header.SIZE);
  }

  @Override
  public void close() {
    socket.close();
    arena.close();
  }
}
