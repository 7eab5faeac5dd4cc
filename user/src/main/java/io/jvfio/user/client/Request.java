// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Struct;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.MessageSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A command on its way and its reply, with memory for both that is used again by the next. It
 * belongs to one thread from {@link Link#begin} to {@link Link#end}; another thread touches it only
 * while it waits, to hand the reply over.
 */
public final class Request {
  /** Nothing is waited for. */
  static final int IDLE = 0;

  /** The reply is waited for. */
  static final int WAITING = 1;

  /** Another thread is about to hand the reply over. */
  static final int TAKEN = 2;

  /** The reply is here. */
  static final int ANSWERED = 3;

  /** The connection ended before it. */
  static final int LOST = 4;

  private static final int SMALL = 4096;
  private static final int GENERATIONS = 1 << Short.SIZE;

  final int index;
  final AtomicInteger state = new AtomicInteger(IDLE);

  /** Descriptors to send. */
  final int[] sent = new int[UnixSocket.MAX_DESCRIPTORS];

  private final Kernel kernel;
  private final Arena arena;
  private @Nullable MemorySegment message;
  private @Nullable MemorySegment copy;
  private MemorySegment reply = MemorySegment.NULL;
  private int replySize;
  private final int[] received = new int[UnixSocket.MAX_DESCRIPTORS];
  private int receivedCount;

  private int generation;

  /** What the message is called; differs from that of the last one in the same place. */
  int id;

  /** The number of the command. */
  int command;

  /** Who waits; set before {@link #state} says so. */
  @Nullable Thread waiter;

  /** Whether it waits for another thread that reads; see {@link Link}. */
  volatile boolean isParked;

  /** Whether its thread still has the right to read, and the reply lies in the socket's buffer. */
  boolean reads;

  /** Whether all of it was sent, so that the server may have carried it out. */
  boolean wasSent;

  Request(Kernel kernel, int index, Arena arena) {
    this.kernel = kernel;
    this.index = index;
    this.arena = arena;
  }

  /** Makes it a new one. */
  void start(Command kind, int places) {
    generation = (generation + places) % GENERATIONS;
    id = generation | index;
    command = kind.number();
    wasSent = false;
    receivedCount = 0;
  }

  /** Memory for the command, of at least {@code byteSize} bytes; what was in it may be lost. */
  public MemorySegment message(long byteSize) {
    var memory = message;
    if (memory == null || memory.byteSize() < byteSize) {
      memory = NativeMemory.allocate(room(byteSize), Long.BYTES, arena);
      message = memory;
    }
    return memory;
  }

  private static long room(long byteSize) {
    return Math.max(SMALL, Long.highestOneBit(byteSize) << (Long.bitCount(byteSize) > 1 ? 1 : 0));
  }

  /** The command as it is to be sent. */
  public MemorySegment message() {
    return message(SMALL);
  }

  /** Memory for a command whose payload is this struct: zeros, and its size where it tells it. */
  MemorySegment message(Struct struct) {
    var memory = message();
    memory.asSlice(struct.start(), struct.byteSize()).fill((byte) 0);
    struct.sized().ifPresent(field -> field.set(memory, (int) struct.byteSize()));
    return memory;
  }

  /** By the thread that reads, which is another one: keeps what will not stay where it is. */
  void keep(MessageSocket socket, int size) {
    var memory = copy;
    if (memory == null || memory.byteSize() < size) {
      memory = NativeMemory.allocate(room(size), Long.BYTES, arena);
      copy = memory;
    }
    MemorySegment.copy(socket.message(), 0, memory, 0, size);
    answer(memory, size);
    takeDescriptors(socket);
  }

  /** By its own thread, which reads: the reply is used where it is. */
  void use(MessageSocket socket, int size) {
    answer(socket.message(), size);
    takeDescriptors(socket);
  }

  private void answer(MemorySegment memory, int size) {
    reply = memory;
    replySize = size;
  }

  private void takeDescriptors(MessageSocket socket) {
    receivedCount = socket.fdCount();
    for (int i = 0; i < receivedCount; i++) {
      received[i] = socket.takeFd(i);
    }
  }

  /** The reply, from its header on. */
  public MemorySegment reply() {
    return reply;
  }

  /** Size of the reply with its header, in bytes. */
  public int replySize() {
    return replySize;
  }

  /** How many descriptors came with the reply. */
  public int receivedCount() {
    return receivedCount;
  }

  /** A descriptor that came with the reply; the caller's from now on. */
  public int take(int i) {
    int fd = received[i];
    received[i] = -1;
    return fd;
  }

  /** Closes the descriptors that nobody took. */
  void closeDescriptors() {
    for (int i = 0; i < receivedCount; i++) {
      if (received[i] >= 0) {
        kernel.close(received[i]);
      }
    }
    receivedCount = 0;
  }
}
