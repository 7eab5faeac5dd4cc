package io.jvfio.nvme;

import io.jvfio.DmaMapping;
import io.jvfio.VfioException;
import java.io.IOException;
import java.nio.file.OpenOption;
import java.util.Objects;
import java.util.concurrent.Executor;

/**
 * A namespace of an open controller: blocks that can be read and written.
 *
 * <p>Data goes between the device and a {@link DmaMapping} of the same device, without copies. A
 * call may be of any length; it is split into commands of the size that the controller takes,
 * several in flight at a time. Reads and writes allocate nothing on the heap.
 *
 * <p>Safe for use by several threads: one call at a time goes to the controller, the others wait.
 * After the controller is closed, all I/O throws {@link IllegalStateException}.
 */
public final class NvmeNamespace {
  /** PRP1 has to be a multiple of a dword. */
  private static final long OFFSET_ALIGNMENT = 4;

  /** The largest number of blocks of one command. */
  private static final int MAX_BLOCKS = 1 << 16;

  private static final int ASYNCHRONOUS_TRANSFER_BYTES = 64 << 10;
  private static final int ASYNCHRONOUS_TRANSFERS = 32;

  private final NvmeController controller;
  private final int id;
  private final IdentifyNamespace identify;
  private final int blockShift;
  private final BlockClaims claims = new BlockClaims();
  private final FileLocks locks = new FileLocks();
  private final long blockCount;

  NvmeNamespace(NvmeController controller, int id, IdentifyNamespace identify) {
    this.controller = controller;
    this.id = id;
    this.identify = identify;
    blockCount = identify.sizeBlocks();
    blockShift = Long.numberOfTrailingZeros(identify.format().dataBytes());
  }

  /** The namespace's number, from 1. */
  public int id() {
    return id;
  }

  /** What the controller said of the namespace when it was opened. */
  public IdentifyNamespace identify() {
    return identify;
  }

  /** Bytes of data per block: a power of two from 512. */
  public int blockSize() {
    return 1 << blockShift;
  }

  /** Number of blocks. */
  public long blockCount() {
    return blockCount;
  }

  /** Size in bytes. */
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
   * @throws VfioException if the controller does not answer; it is stopped then, and can only be
   *     closed
   * @throws IllegalStateException if the controller or the buffer is closed
   */
  public void read(long lba, long blocks, DmaMapping buffer, long offset) {
    transfer(Opcode.READ, lba, blocks, buffer, offset);
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
   * @throws VfioException if the controller does not answer; it is stopped then, and can only be
   *     closed
   * @throws IllegalStateException if the controller or the buffer is closed
   */
  public void write(long lba, long blocks, DmaMapping buffer, long offset) {
    transfer(Opcode.WRITE, lba, blocks, buffer, offset);
  }

  /**
   * Brings all data written before to where it survives loss of power.
   *
   * @throws NvmeStatusException if the controller completes the command with an error
   * @throws VfioException if the controller does not answer; it is stopped then, and can only be
   *     closed
   * @throws IllegalStateException if the controller is closed
   */
  public void flush() {
    controller.flush(id);
  }

  /** Opens the namespace as a file channel with {@link NvmeChannelOptions#of}. */
  public NvmeFileChannel openChannel(OpenOption... options) {
    return openChannel(NvmeChannelOptions.of(options));
  }

  /**
   * Opens the namespace as a file channel. To be closed before the controller.
   *
   * @throws VfioException if its memory cannot be allocated or mapped
   * @throws IllegalStateException if the controller is closed
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
   * @throws IllegalStateException if the controller is closed
   */
  public NvmeAsynchronousFileChannel openAsynchronousChannel(
      NvmeChannelOptions options, Executor handlers) {
    var queue = controller.openQueue();
    try {
      int bytes = (int) Math.min(pieceBytes(options), queue.maxTransferBytes());
      var pieces = new BounceBuffers(controller.dmaSpace(), options.transfers(), bytes);
      return new NvmeAsynchronousFileChannel(this, options, queue, pieces, handlers);
    } catch (RuntimeException | Error e) {
      var closing = new CloseSteps();
      closing.run(queue::close);
      closing.suppressInto(e);
      throw e;
    }
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
    return new BounceBuffers(controller.dmaSpace(), options.transfers(), pieceBytes(options));
  }

  /** What to throw for a write at or beyond the end. */
  IOException noSpace(long position) {
    return new IOException(
        "No space at %d: namespace %d of %s ends at %d, and its size is fixed."
            .formatted(position, id, controller.name(), byteSize()));
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

  /** Checks the blocks of one command. */
  void checkBlocks(long lba, int blocks) {
    if (blocks < 1 || blocks > MAX_BLOCKS) {
      throw new IndexOutOfBoundsException(blocks + " blocks");
    }
    Objects.checkFromIndexSize(lba, blocks, blockCount);
  }

  private void transfer(Opcode opcode, long lba, long blocks, DmaMapping buffer, long offset) {
    if (blocks < 1) {
      throw new IndexOutOfBoundsException(blocks + " blocks");
    }
    Objects.checkFromIndexSize(lba, blocks, blockCount());
    if (offset % OFFSET_ALIGNMENT != 0) {
      throw new IllegalArgumentException("offset %d is not a multiple of 4".formatted(offset));
    }
    if (!buffer.segment().scope().isAlive()) {
      throw new IllegalStateException("the buffer is closed");
    }
    Objects.checkFromIndexSize(offset, blocks << blockShift, buffer.byteSize());
    controller.transfer(opcode, id, blockShift, lba, blocks, buffer.iova() + offset);
  }
}
