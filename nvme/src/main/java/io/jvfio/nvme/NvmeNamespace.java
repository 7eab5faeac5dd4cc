// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaMapping;
import io.jvfio.VfioException;
import java.io.IOException;
import java.nio.file.OpenOption;
import java.util.Objects;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * A namespace of an open controller: blocks that can be read and written.
 *
 * <p>Data goes between the device and a {@link DmaMapping} of the same device, without copies. A
 * call may be of any length; it is split into commands of the size that the controller takes,
 * several in flight at a time. Reads and writes allocate nothing on the heap.
 *
 * <p>Safe for use by several threads, which work in parallel as far as there are {@linkplain
 * NvmeOptions#sharedQueues() queue pairs} for it. A command that the controller does not offer is
 * an {@link UnsupportedOperationException} before anything is sent. What fails with a status that
 * allows it is tried again, {@link NvmeOptions#retries()} times. After the controller or its device
 * is closed, all I/O throws {@link NvmeClosedException}, and so does what was under way.
 */
public final class NvmeNamespace {
  /** PRP1 has to be a multiple of a dword. */
  private static final long OFFSET_ALIGNMENT = 4;

  /** The largest number of blocks of one command. */
  static final int MAX_BLOCKS = 1 << 16;

  private static final int ASYNCHRONOUS_TRANSFER_BYTES = 64 << 10;
  private static final int ASYNCHRONOUS_TRANSFERS = 32;

  private final Controller controller;
  private final SharedQueues queues;
  private final int optionalCommands;
  private final int id;
  private final IdentifyNamespace identify;
  private final int blockShift;
  private final long blockCount;
  private final BlockClaims claims = new BlockClaims();
  private final FileLocks locks = new FileLocks();

  NvmeNamespace(Controller controller, SharedQueues queues, int id, IdentifyNamespace identify) {
    this.controller = controller;
    this.queues = queues;
    optionalCommands = controller.startup().identity().optionalIoCommands();
    this.id = id;
    this.identify = identify;
    blockCount = identify.sizeBlocks();
    blockShift = Long.numberOfTrailingZeros(identify.format().dataBytes());
  }

  /** The namespace's number, from 1. */
  public int id() {
    return id;
  }

  /** The controller's description of the namespace, as of when it was opened. */
  public IdentifyNamespace identify() {
    return identify;
  }

  /** Bytes of data per block: a power of two from 512. */
  public int blockSize() {
    return 1 << blockShift;
  }

  /** The number of blocks. */
  public long blockCount() {
    return blockCount;
  }

  /** The size in bytes. */
  public long byteSize() {
    return blockCount() << blockShift;
  }

  /**
   * Reads blocks into a buffer. Blocks until all are read.
   *
   * @param lba the first block
   * @param blocks how many blocks, at least 1
   * @param buffer where to; of the controller's device
   * @param offset where in the buffer, in bytes, a multiple of 4
   * @throws IndexOutOfBoundsException if the blocks are not all in the namespace, or the bytes not
   *     all in the buffer
   * @throws IllegalArgumentException if {@code offset} is misaligned
   * @throws NvmeStatusException if the controller completes a command with an error; the content of
   *     the buffer is not known then
   * @throws VfioException if the controller does not answer; it is reset then, and works again if
   *     that helps
   * @throws IllegalStateException if the buffer is closed; {@link NvmeClosedException} if the
   *     controller or its device is
   */
  public void read(long lba, long blocks, DmaMapping buffer, long offset) {
    transfer(Opcode.READ, 0, lba, blocks, buffer, offset);
  }

  /**
   * Writes blocks from a buffer. Blocks until the controller has taken all of them; they are safe
   * from loss of power after {@link #flush()}.
   *
   * @param lba the first block
   * @param blocks how many blocks, at least 1
   * @param buffer where from; of the controller's device
   * @param offset where in the buffer, in bytes, a multiple of 4
   * @throws IndexOutOfBoundsException if the blocks are not all in the namespace, or the bytes not
   *     all in the buffer
   * @throws IllegalArgumentException if {@code offset} is misaligned
   * @throws NvmeStatusException if the controller completes a command with an error; which of the
   *     blocks were written is not known then
   * @throws VfioException if the controller does not answer; it is reset then, and works again if
   *     that helps
   * @throws IllegalStateException if the buffer is closed; {@link NvmeClosedException} if the
   *     controller or its device is
   */
  public void write(long lba, long blocks, DmaMapping buffer, long offset) {
    transfer(Opcode.WRITE, 0, lba, blocks, buffer, offset);
  }

  /**
   * Writes blocks, as {@link #write}, and returns when they are safe from loss of power: as if a
   * {@link #flush()} came after it, of these blocks alone.
   */
  public void writeThrough(long lba, long blocks, DmaMapping buffer, long offset) {
    transfer(Opcode.WRITE, IoCommand.FORCE_UNIT_ACCESS, lba, blocks, buffer, offset);
  }

  /**
   * Brings all data written before to where it survives loss of power.
   *
   * @throws NvmeStatusException if the controller completes the command with an error
   * @throws VfioException if the controller does not answer
   * @throws NvmeClosedException if the controller or its device is closed
   */
  public void flush() {
    var queue = queues.acquire();
    try {
      queue.flush(this);
    } finally {
      queue.release();
    }
  }

  /**
   * Compares blocks with a buffer, without transferring them.
   *
   * @return whether they are equal
   * @throws UnsupportedOperationException if the controller does not offer it
   */
  public boolean compare(long lba, long blocks, DmaMapping buffer, long offset) {
    require(IoCommand.COMPARE);
    try {
      transfer(Opcode.COMPARE, 0, lba, blocks, buffer, offset);
      return true;
    } catch (NvmeStatusException e) {
      if (e.isCompareFailure()) {
        return false;
      }
      throw e;
    }
  }

  /**
   * Sets blocks to zeroes, without transferring them.
   *
   * @throws UnsupportedOperationException if the controller does not offer it
   */
  public void writeZeroes(long lba, long blocks) {
    require(IoCommand.WRITE_ZEROES);
    withoutData(Opcode.WRITE_ZEROES, lba, blocks);
  }

  /**
   * Has the controller read blocks and check them, without transferring them.
   *
   * @throws UnsupportedOperationException if the controller does not offer it
   * @throws NvmeStatusException if a block cannot be read
   */
  public void verify(long lba, long blocks) {
    require(IoCommand.VERIFY);
    withoutData(Opcode.VERIFY, lba, blocks);
  }

  /**
   * Tells the controller that what ranges hold is not needed any more.
   *
   * @throws UnsupportedOperationException if the controller does not offer it
   */
  public void deallocate(NvmeRanges ranges) {
    require(IoCommand.DATASET_MANAGEMENT);
    checkRanges(controller, ranges);
    single(Opcode.DATASET_MANAGEMENT, queue -> queue.deallocate(this, ranges, 0));
  }

  /**
   * Has the controller copy ranges to where they lie behind each other from {@code targetLba}.
   *
   * @throws UnsupportedOperationException if the controller does not offer it
   * @throws IllegalArgumentException if it is more than the controller copies at once; {@link
   *     #identify()} tells how much that is
   */
  public void copy(NvmeRanges sources, long targetLba) {
    require(IoCommand.COPY);
    checkCopy(controller, sources, targetLba);
    single(Opcode.COPY, queue -> queue.copy(this, sources, targetLba, 0));
  }

  /**
   * Reads blocks into several pieces of memory, whose bytes make whole blocks: one command.
   *
   * @throws IllegalArgumentException if it is more than one command transfers
   * @throws UnsupportedOperationException if the pieces are not whole pages, and the controller
   *     does not support SGLs
   */
  public void read(long lba, NvmeScatter scatter) {
    single(Opcode.READ, queue -> queue.read(this, lba, scatter, 0));
  }

  /** Writes blocks from several pieces of memory, as {@link #read(long, NvmeScatter)}. */
  public void write(long lba, NvmeScatter scatter) {
    single(Opcode.WRITE, queue -> queue.write(this, lba, scatter, 0));
  }

  /**
   * Carries out any I/O command for this namespace, as it is: a way to what this driver has no
   * method for.
   *
   * @param buffer the data, from its first byte to its last; null for a command without data
   * @return dword 0 of the completion
   */
  public int command(NvmeCommand command, @Nullable DmaMapping buffer) {
    var queue = queues.acquire();
    try {
      return queue.single(
          "I/O command 0x%02x".formatted(command.opcode()),
          "namespace " + id,
          pair -> pair.command(command, id, buffer, 0));
    } finally {
      queue.release();
    }
  }

  /** Opens the namespace as a file channel with {@link NvmeChannelOptions#of}. */
  public NvmeFileChannel openChannel(OpenOption... options) {
    return openChannel(NvmeChannelOptions.of(options));
  }

  /**
   * Opens the namespace as a file channel. To be closed before the controller.
   *
   * @throws VfioException if its memory cannot be allocated or mapped
   * @throws NvmeClosedException if the controller or its device is closed
   */
  public NvmeFileChannel openChannel(NvmeChannelOptions options) {
    return new NvmeFileChannel(this, options);
  }

  /**
   * Opens the namespace as an asynchronous file channel with 32 pieces of 64 KiB, whose completion
   * handlers are run by virtual threads.
   */
  public NvmeAsynchronousFileChannel openAsynchronousChannel(OpenOption... options) {
    return openAsynchronousChannel(
        NvmeChannelOptions.of(options)
            .withTransferBytes(ASYNCHRONOUS_TRANSFER_BYTES)
            .withTransfers(ASYNCHRONOUS_TRANSFERS),
        task -> Thread.ofVirtual().name("nvme-channel-handler").start(task));
  }

  /**
   * Opens the namespace as an asynchronous file channel. To be closed before the controller.
   *
   * @param handlers runs the completion handlers; one that does so in the calling thread keeps the
   *     channel waiting meanwhile
   * @throws VfioException if the controller has no queue left, or memory cannot be allocated or
   *     mapped
   * @throws NvmeStatusException if the controller does not create a queue
   * @throws NvmeClosedException if the controller or its device is closed
   */
  public NvmeAsynchronousFileChannel openAsynchronousChannel(
      NvmeChannelOptions options, Executor handlers) {
    var queue = controller.openQueue();
    try {
      int bytes = (int) Math.min(pieceBytes(options), queue.maxTransferBytes());
      var pieces = new BounceBuffers(controller.dmaSpace(), options.transfers(), bytes);
      return new NvmeAsynchronousFileChannel(this, options, queue, pieces, handlers);
    } catch (RuntimeException e) {
      abandon(queue, e);
      throw controller.explained(e);
    } catch (Error e) {
      abandon(queue, e);
      throw e;
    }
  }

  private static void abandon(NvmeQueue queue, Throwable cause) {
    var closing = new CloseSteps();
    closing.run(queue::close);
    closing.suppressInto(cause);
  }

  private int pieceBytes(NvmeChannelOptions options) {
    return Math.max(options.transferBytes(), blockSize());
  }

  /** Which blocks the channels of this object are writing. */
  BlockClaims claims() {
    return claims;
  }

  /** The locks that the channels of this object hold. */
  FileLocks locks() {
    return locks;
  }

  BounceBuffers bounceBuffers(NvmeChannelOptions options) {
    try {
      return new BounceBuffers(controller.dmaSpace(), options.transfers(), pieceBytes(options));
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  /** What was thrown; or that the controller or its device is closed, if that is behind it. */
  RuntimeException explained(RuntimeException thrown) {
    return controller.explained(thrown);
  }

  /** What to throw for a write at or beyond the end. */
  IOException noSpace(long position) {
    return new IOException(
        "No space at %d: namespace %d of %s ends at %d, and its size is fixed."
            .formatted(position, id, controller.name(), byteSize()));
  }

  /** What to throw for a command of a channel's queue that ended with an error. */
  RuntimeException failure(NvmeQueue queue, int status, String command) {
    if (status == NvmeStatusException.ABORTED_BY_HOST) {
      return controller.stopped();
    }
    var failure = queue.failure(status, command);
    return NvmeStatusException.isAbort(status) ? controller.explained(failure) : failure;
  }

  /** Refuses to cut the namespace down. */
  void requireNotLarger(long size) throws IOException {
    if (size < byteSize()) {
      throw new IOException(
          "Cannot truncate namespace %d of %s to %d bytes: its size is fixed at %d."
              .formatted(id, controller.name(), size, byteSize()));
    }
  }

  /** The exponent of {@link #blockSize()}. */
  int blockShift() {
    return blockShift;
  }

  /** Checks that this is a namespace of the controller. */
  void check(Controller expected) {
    if (controller != expected) {
      throw new IllegalArgumentException("the namespace is of another controller");
    }
  }

  /** Checks the blocks of one command. */
  void checkBlocks(Controller expected, long lba, int blocks) {
    check(expected);
    if (blocks < 1 || blocks > MAX_BLOCKS) {
      throw new IndexOutOfBoundsException(blocks + " blocks");
    }
    Objects.checkFromIndexSize(lba, blocks, blockCount);
  }

  /** Checks that there are ranges, all in the namespace. */
  void checkRanges(Controller expected, NvmeRanges ranges) {
    check(expected);
    if (ranges.size() == 0) {
      throw new IllegalArgumentException("there are no ranges");
    }
    for (int i = 0; i < ranges.size(); i++) {
      Objects.checkFromIndexSize(ranges.lba(i), ranges.blocks(i), blockCount);
    }
  }

  /** Checks what one Copy can do. */
  void checkCopy(Controller expected, NvmeRanges sources, long targetLba) {
    checkRanges(expected, sources);
    Objects.checkFromIndexSize(targetLba, sources.blockCount(), blockCount);
    int ranges = Math.min(identify.copyRanges(), IoCommand.MAX_COPY_RANGES);
    if (sources.size() > ranges || sources.blockCount() > identify.copyBlocks()) {
      throw new IllegalArgumentException(
          "%d ranges of %d blocks: the controller copies up to %d ranges and %d blocks at once"
              .formatted(sources.size(), sources.blockCount(), ranges, identify.copyBlocks()));
    }
    for (int i = 0; i < sources.size(); i++) {
      if (sources.blocks(i) > Math.min(identify.copyRangeBlocks(), MAX_BLOCKS)) {
        throw new IllegalArgumentException(
            "a range of %d blocks: the controller copies ranges of up to %d"
                .formatted(sources.blocks(i), identify.copyRangeBlocks()));
      }
    }
  }

  /** Checks that the controller offers a command. */
  void require(IoCommand command) {
    if (!command.isOffered(optionalCommands)) {
      throw new UnsupportedOperationException(
          "%s does not offer %s (ONCS bit %d)"
              .formatted(controller.name(), command.label(), command.bit()));
    }
  }

  private void single(Opcode opcode, SharedQueue.Put put) {
    var queue = queues.acquire();
    try {
      queue.single(opcode.label(), "namespace " + id, put);
    } finally {
      queue.release();
    }
  }

  private void withoutData(Opcode opcode, long lba, long blocks) {
    checkAllBlocks(lba, blocks);
    var queue = queues.acquire();
    try {
      queue.transfer(opcode, 0, this, lba, blocks, null, 0);
    } finally {
      queue.release();
    }
  }

  private void checkAllBlocks(long lba, long blocks) {
    if (blocks < 1) {
      throw new IndexOutOfBoundsException(blocks + " blocks");
    }
    Objects.checkFromIndexSize(lba, blocks, blockCount);
  }

  private void transfer(
      Opcode opcode, int flags, long lba, long blocks, DmaMapping buffer, long offset) {
    checkAllBlocks(lba, blocks);
    if (offset % OFFSET_ALIGNMENT != 0) {
      throw new IllegalArgumentException("offset %d is not a multiple of 4".formatted(offset));
    }
    if (!buffer.segment().scope().isAlive()) {
      throw controller.explained(new IllegalStateException("the buffer is closed"));
    }
    Objects.checkFromIndexSize(offset, blocks << blockShift, buffer.byteSize());
    var queue = queues.acquire();
    try {
      queue.transfer(opcode, flags, this, lba, blocks, buffer, offset);
    } finally {
      queue.release();
    }
  }

  @Override
  public String toString() {
    return "namespace %d of %,d blocks of %d bytes".formatted(id(), blockCount(), blockSize());
  }
}
