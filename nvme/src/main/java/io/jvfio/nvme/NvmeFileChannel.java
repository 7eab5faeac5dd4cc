// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaBuffer;
import io.jvfio.VfioException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.NonReadableChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A namespace as a file of fixed size, for code that knows {@code java.nio} and not NVMe.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="channel"}
 *
 * <p>Bytes can be read and written anywhere, as in a file; where a write begins or ends within a
 * block, the rest of the block is read first and written again. Writes through channels that were
 * opened of the same {@link NvmeNamespace} object do not disturb each other in this; writes by
 * {@link NvmeNamespace#write} are not waited for.
 *
 * <p>What differs from a file is what differs in a block device of Linux: a write that reaches
 * beyond the end writes what fits, and one that begins there fails with {@link IOException};
 * truncation is refused; {@link #force} flushes whatever {@code metaData} says. Memory mapping is
 * not supported. Locks are held on behalf of this process, which nobody shares the device with.
 *
 * <p>Failures of the driver are {@link NvmeIoException}. A call that throws leaves the positions of
 * the channel and of the buffers as they were; what it wrote until then is written.
 *
 * <p>Safe for use by several threads. Operations at a given position run beside each other, as many
 * as {@link NvmeChannelOptions#transfers()}. Closing waits for commands at the controller, ends the
 * operations with {@link AsynchronousCloseException}, and gives the memory back. Close the channel
 * before the controller.
 */
public final class NvmeFileChannel extends FileChannel {
  /** How much goes to or from another channel at a time. */
  private static final int COPY_BYTES = 128 << 10;

  private final NvmeNamespace namespace;
  private final NvmeChannelOptions options;
  private final BounceBuffers pieces;
  private final int blockMask;
  private final int blockShift;

  /** Held during an operation at {@link #position}. */
  private final ReentrantLock positionLock = new ReentrantLock();

  private long position;

  NvmeFileChannel(NvmeNamespace namespace, NvmeChannelOptions options) {
    this.namespace = namespace;
    this.options = options;
    pieces = namespace.bounceBuffers(options);
    blockMask = namespace.blockSize() - 1;
    blockShift = Integer.numberOfTrailingZeros(namespace.blockSize());
  }

  private void requireOpen() throws ClosedChannelException {
    if (!isOpen()) {
      throw new ClosedChannelException();
    }
  }

  private void requireReadable() throws ClosedChannelException {
    requireOpen();
    if (!options.isReadable()) {
      throw new NonReadableChannelException();
    }
  }

  private void requireWritable() throws ClosedChannelException {
    requireOpen();
    if (!options.isWritable()) {
      throw new NonWritableChannelException();
    }
  }

  private static void requireNotNegative(String what, long value) {
    if (value < 0) {
      throw new IllegalArgumentException("%s is negative: %d".formatted(what, value));
    }
  }

  /** What its data goes through. */
  DmaBuffer memory() {
    return pieces.buffer();
  }

  // --- one operation ---

  /** The part of an operation between the checks and the answer. */
  private interface Operation {
    /**
     * Returns bytes, or -1 at the end; throws {@link ClosedChannelException} when closed midway.
     */
    long run(BufferSequence buffers, long position) throws IOException;
  }

  private long run(Operation operation, BufferSequence buffers, long at) throws IOException {
    boolean completed = false;
    try {
      begin();
      long count = operation.run(buffers, at);
      completed = true;
      return count;
    } catch (NvmeStatusException | VfioException | IllegalStateException e) {
      throw new NvmeIoException(namespace.explained(e));
    } finally {
      if (!completed) {
        buffers.rewind();
      }
      end(completed);
    }
  }

  private long runAtPosition(Operation operation, BufferSequence buffers) throws IOException {
    positionLock.lock();
    try {
      long count = run(operation, buffers, position);
      position += Math.max(count, 0);
      return count;
    } finally {
      positionLock.unlock();
    }
  }

  private int takePiece() throws ClosedChannelException {
    int piece = pieces.take();
    if (piece == BounceBuffers.NONE) {
      throw new ClosedChannelException();
    }
    return piece;
  }

  private long read(BufferSequence target, long at) throws IOException {
    long count = Math.min(target.remaining(), namespace.byteSize() - at);
    if (target.remaining() == 0) {
      return 0;
    }
    if (count <= 0) {
      return -1;
    }
    int piece = takePiece();
    try {
      var memory = pieces.segment(piece);
      long done = 0;
      while (done < count) {
        requireOpen();
        long start = at + done;
        int lead = (int) start & blockMask;
        long step = Math.min(count - done, pieces.byteSize() - lead);
        namespace.read(
            start >> blockShift,
            (lead + step + blockMask) >> blockShift,
            pieces.buffer(),
            pieces.offset(piece));
        target.put(memory.asSlice(lead, step));
        done += step;
      }
    } finally {
      pieces.give(piece);
    }
    return count;
  }

  private long write(BufferSequence source, long at) throws IOException {
    long count = Math.min(source.remaining(), namespace.byteSize() - at);
    if (source.remaining() == 0) {
      return 0;
    }
    if (count <= 0) {
      throw namespace.noSpace(at);
    }
    var claim = namespace.claims().await(at >> blockShift, (at + count - 1) >> blockShift);
    try {
      int piece = takePiece();
      try {
        long done = 0;
        while (done < count) {
          requireOpen();
          done += writeStep(source, at + done, count - done, piece);
        }
      } finally {
        pieces.give(piece);
      }
      if (options.isSynchronous()) {
        namespace.flush();
      }
    } finally {
      claim.release();
    }
    return count;
  }

  /** Writes as much as a piece holds, with what its first and last block have besides. */
  private long writeStep(BufferSequence source, long start, long left, int piece) {
    int lead = (int) start & blockMask;
    long step = Math.min(left, pieces.byteSize() - lead);
    long lba = start >> blockShift;
    long blocks = (lead + step + blockMask) >> blockShift;
    boolean endsWithin = ((lead + step) & blockMask) != 0;
    long offset = pieces.offset(piece);
    if (lead != 0 || (endsWithin && blocks == 1)) {
      namespace.read(lba, 1, pieces.buffer(), offset);
    }
    if (endsWithin && blocks > 1) {
      long last = blocks - 1;
      namespace.read(lba + last, 1, pieces.buffer(), offset + (last << blockShift));
    }
    source.get(pieces.segment(piece).asSlice(lead, step));
    namespace.write(lba, blocks, pieces.buffer(), offset);
    return step;
  }

  // --- reading and writing ---

  private static BufferSequence sequence(ByteBuffer... buffers) {
    return new BufferSequence(buffers, 0, buffers.length);
  }

  private static BufferSequence sequence(ByteBuffer[] buffers, int offset, int length) {
    Objects.checkFromIndexSize(offset, length, buffers.length);
    return new BufferSequence(buffers, offset, length);
  }

  @Override
  public int read(ByteBuffer dst) throws IOException {
    requireReadable();
    var target = sequence(dst);
    target.requireWritable();
    return (int) runAtPosition(this::read, target);
  }

  @Override
  public long read(ByteBuffer[] dsts, int offset, int length) throws IOException {
    var target = sequence(dsts, offset, length);
    requireReadable();
    target.requireWritable();
    return runAtPosition(this::read, target);
  }

  @Override
  public int read(ByteBuffer dst, long position) throws IOException {
    requireNotNegative("position", position);
    requireReadable();
    var target = sequence(dst);
    target.requireWritable();
    return (int) run(this::read, target, position);
  }

  @Override
  public int write(ByteBuffer src) throws IOException {
    requireWritable();
    return (int) runAtPosition(this::write, sequence(src));
  }

  @Override
  public long write(ByteBuffer[] srcs, int offset, int length) throws IOException {
    var source = sequence(srcs, offset, length);
    requireWritable();
    return runAtPosition(this::write, source);
  }

  @Override
  public int write(ByteBuffer src, long position) throws IOException {
    requireNotNegative("position", position);
    requireWritable();
    return (int) run(this::write, sequence(src), position);
  }

  // --- position and size ---

  @Override
  public long position() throws IOException {
    requireOpen();
    positionLock.lock();
    try {
      return position;
    } finally {
      positionLock.unlock();
    }
  }

  @Override
  public FileChannel position(long newPosition) throws IOException {
    requireOpen();
    requireNotNegative("position", newPosition);
    positionLock.lock();
    try {
      position = newPosition;
    } finally {
      positionLock.unlock();
    }
    return this;
  }

  /** The size of the namespace in bytes. */
  @Override
  public long size() throws IOException {
    requireOpen();
    return namespace.byteSize();
  }

  /**
   * Changes nothing but a position beyond {@code size}, as with a file that is not longer.
   *
   * @throws IOException if the namespace is larger than {@code size}
   */
  @Override
  public FileChannel truncate(long size) throws IOException {
    requireOpen();
    requireNotNegative("size", size);
    requireWritable();
    namespace.requireNotLarger(size);
    positionLock.lock();
    try {
      position = Math.min(position, size);
    } finally {
      positionLock.unlock();
    }
    return this;
  }

  /** Flushes: all that was written before survives loss of power when this returns. */
  @Override
  public void force(boolean metaData) throws IOException {
    requireOpen();
    run(
        (_, _) -> {
          namespace.flush();
          return 0;
        },
        sequence(),
        0);
  }

  // --- other channels ---

  @Override
  public long transferTo(long position, long count, WritableByteChannel target) throws IOException {
    requireReadable();
    if (!target.isOpen()) {
      throw new ClosedChannelException();
    }
    requireNotNegative("position", position);
    requireNotNegative("count", count);
    long wanted = Math.min(count, namespace.byteSize() - position);
    long done = 0;
    while (done < wanted) {
      var copy = ByteBuffer.allocate((int) Math.min(wanted - done, COPY_BYTES));
      read(copy, position + done);
      copy.flip();
      int taken = target.write(copy);
      done += taken;
      if (copy.hasRemaining()) {
        break;
      }
    }
    return done;
  }

  @Override
  public long transferFrom(ReadableByteChannel src, long position, long count) throws IOException {
    requireWritable();
    if (!src.isOpen()) {
      throw new ClosedChannelException();
    }
    requireNotNegative("position", position);
    requireNotNegative("count", count);
    long room = namespace.byteSize() - position;
    if (room < 0 || count == 0) {
      return 0;
    }
    if (room == 0) {
      throw namespace.noSpace(position);
    }
    long wanted = Math.min(count, room);
    long done = 0;
    while (done < wanted) {
      var copy = ByteBuffer.allocate((int) Math.min(wanted - done, COPY_BYTES));
      int given = src.read(copy);
      if (given <= 0) {
        break;
      }
      write(copy.flip(), position + done);
      done += given;
    }
    return done;
  }

  /**
   * Throws, since a namespace cannot be mapped.
   *
   * @throws UnsupportedOperationException always: a namespace is behind commands, not in memory
   */
  @Override
  public MappedByteBuffer map(MapMode mode, long position, long size) {
    throw new UnsupportedOperationException(
        "a namespace cannot be mapped: its data is reached by commands; read it into a buffer");
  }

  // --- locks ---

  @Override
  public FileLock lock(long position, long size, boolean shared) throws IOException {
    if (shared) {
      requireReadable();
    } else {
      requireWritable();
    }
    requireNotNegative("position", position);
    requireNotNegative("size", size);
    long length = size == 0 ? Long.MAX_VALUE - position : size;
    var locks = namespace.locks();
    var lock = locks.add(new NvmeFileLock(locks, this, position, length, shared));
    if (!isOpen()) {
      // Closed meanwhile, and the locks of the channel were perhaps released before this one.
      locks.removeAll(this);
      throw new AsynchronousCloseException();
    }
    return lock;
  }

  /** Locks as {@link #lock(long, long, boolean)} does: no other process can hold a lock. */
  @Override
  public @Nullable FileLock tryLock(long position, long size, boolean shared) throws IOException {
    return lock(position, size, shared);
  }

  @Override
  protected void implCloseChannel() throws IOException {
    namespace.locks().removeAll(this);
    try {
      pieces.close();
    } catch (VfioException e) {
      throw new NvmeIoException(e);
    }
  }

  @Override
  public String toString() {
    return "channel to " + namespace;
  }
}
