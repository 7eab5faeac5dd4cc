// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.Payload;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;

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
    socket = UnixSocket.connect(LinuxKernel.instance(), path.toString());
    call(Command.VERSION, Payload.version(0, 1));
    call(Command.DMA_MAP, Payload.map(DmaMapMessage.READABLE | DmaMapMessage.WRITABLE, 0, 0, 4096));
    write(CONFIG, COMMAND, 2, BUS_MASTER);
    write(0, TARGET, 8, BUFFER);
    write(0, COUNT, 8, 8);
    write(0, COPY, 8, 1);
    receive(Command.DMA_READ);
  }

  private void write(int region, long offset, int width, long value) {
    var bytes = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(value);
    call(
        Command.REGION_WRITE,
        Payload.access(offset, region, width).bytes(Arrays.copyOf(bytes.array(), width)));
  }

  private void call(Command command, Payload payload) {
    var bytes = payload.message(1, command.number(), Header.COMMAND);
    MemorySegment.copy(bytes, 0, message, ValueLayout.JAVA_BYTE, 0, bytes.length);
    assertThat(socket.send(message, 0, bytes.length, new int[0], 0)).isEqualTo(bytes.length);
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
