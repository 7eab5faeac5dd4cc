package io.jvfio.nvme;

import io.jvfio.DmaMapping;
import java.util.Objects;

/**
 * An I/O queue pair of one's own: the asynchronous face of the driver. Commands are put into the
 * queue, shown to the controller in one go by {@link #ring()}, and their completions taken by
 * {@link #poll} or {@link #await}. Nothing here allocates, locks, or boxes.
 *
 * <p>Not safe for use by several threads at once, but for {@link #close()}.
 */
public final class NvmeQueue implements AutoCloseable {
  private final NvmeController controller;
  private final int id;
  private final long maxTransfer;
  private final QueueMemory memory;
  private final SubmissionRing submissions;
  private final CompletionRing completions;
  private final CommandSlots slots;
  private volatile boolean isClosed;

  NvmeQueue(
      NvmeController controller,
      int id,
      long maxTransfer,
      QueueMemory memory,
      SubmissionRing submissions,
      CompletionRing completions,
      CommandSlots slots) {
    this.controller = controller;
    this.id = id;
    this.maxTransfer = maxTransfer;
    this.memory = memory;
    this.submissions = submissions;
    this.completions = completions;
    this.slots = slots;
  }

  /** The queue's number at the controller, from 1. */
  public int id() {
    return id;
  }

  /** How many commands can be in flight. */
  public int depth() {
    return slots.count();
  }

  /** How many commands are put and not completed. */
  public int inFlight() {
    return slots.takenCount();
  }

  /** Bytes that one command can transfer. */
  public long maxTransferBytes() {
    return maxTransfer;
  }

  /**
   * Puts a Read of {@code blocks} blocks from {@code lba} into the queue.
   *
   * @param buffer where to; of the controller's device
   * @param offset where in the buffer, in bytes, a multiple of 4
   * @param token comes back with the completion
   * @return false if the queue is full; nothing was put then
   */
  public boolean read(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    return transfer(Opcode.READ.code(), namespace, lba, blocks, buffer, offset, token);
  }

  /** Puts a Write, as {@link #read}. */
  public boolean write(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    return transfer(Opcode.WRITE.code(), namespace, lba, blocks, buffer, offset, token);
  }

  /** Puts a Compare, as {@link #read}. */
  public boolean compare(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    return transfer(Opcode.COMPARE.code(), namespace, lba, blocks, buffer, offset, token);
  }

  private boolean transfer(
      int opcode,
      NvmeNamespace namespace,
      long lba,
      int blocks,
      DmaMapping buffer,
      long offset,
      long token) {
    checkOpen();
    namespace.checkBlocks(lba, blocks);
    long bytes = (long) blocks << namespace.blockShift();
    Objects.checkFromIndexSize(offset, bytes, buffer.byteSize());
    if ((offset & 3) != 0 || bytes > maxTransfer) {
      throw wrongTransfer(offset, bytes);
    }
    if (!slots.hasFree()) {
      return false;
    }
    long iova = buffer.iova() + offset;
    int slot = slots.take(token);
    long pages = memory.slotOffset(slot);
    long prp2 = PrpList.describe(iova, bytes, memory.segment(), pages, memory.iova(pages));
    submissions.put(opcode | slot << 16, namespace.id(), iova, prp2, lba, blocks - 1, 0);
    return true;
  }

  private IllegalArgumentException wrongTransfer(long offset, long bytes) {
    return new IllegalArgumentException(
        "%d bytes at offset %d: a command transfers up to %d, from a multiple of 4"
            .formatted(bytes, offset, maxTransfer));
  }

  /** Puts a Flush. */
  public boolean flush(NvmeNamespace namespace, long token) {
    return put(Opcode.FLUSH.code(), namespace.id(), 0, 0, token);
  }

  /** Puts a Write Zeroes. */
  public boolean writeZeroes(NvmeNamespace namespace, long lba, int blocks, long token) {
    namespace.checkBlocks(lba, blocks);
    return put(Opcode.WRITE_ZEROES.code(), namespace.id(), lba, blocks - 1, token);
  }

  /** Puts a Verify. */
  public boolean verify(NvmeNamespace namespace, long lba, int blocks, long token) {
    namespace.checkBlocks(lba, blocks);
    return put(Opcode.VERIFY.code(), namespace.id(), lba, blocks - 1, token);
  }

  private boolean put(int opcode, int namespaceId, long cdw10and11, long cdw12and13, long token) {
    checkOpen();
    if (!slots.hasFree()) {
      return false;
    }
    int slot = slots.take(token);
    submissions.put(opcode | slot << 16, namespaceId, 0, 0, cdw10and11, cdw12and13, 0);
    return true;
  }

  private void checkOpen() {
    if (isClosed) {
      throw new IllegalStateException("the queue is closed");
    }
  }

  /** Shows the controller all commands put so far: one doorbell write, or none. */
  public void ring() {
    checkOpen();
    submissions.show();
  }

  /**
   * Takes the completions there are, without waiting.
   *
   * @return how many
   */
  public int poll(NvmeCompletionHandler handler) {
    checkOpen();
    int count = 0;
    try {
      long last = completions.peek();
      while (last != CompletionRing.NONE) {
        int slot = CompletionEntry.commandId((int) last);
        if (!slots.isTaken(slot)) {
          throw controller.unknownCompletion(slot);
        }
        long token = slots.token(slot);
        int result = completions.result();
        completions.take();
        slots.give(slot);
        count++;
        handler.completed(token, CompletionEntry.status((int) last), result);
        last = completions.peek();
      }
    } finally {
      completions.acknowledge();
    }
    return count;
  }

  /**
   * Takes completions, and waits for the first: by interrupt where the controller was opened with
   * interrupts, by polling otherwise.
   *
   * @param timeoutNanos how long to wait
   * @return how many; 0 when the time is over or nothing is in flight
   */
  public int await(NvmeCompletionHandler handler, long timeoutNanos) {
    var backoff = new Backoff(timeoutNanos);
    while (true) {
      boolean expired = backoff.isExpired();
      int count = poll(handler);
      if (count > 0 || expired || slots.takenCount() == 0) {
        return count;
      }
      backoff.pause();
    }
  }

  /**
   * What to throw for a completion with an error.
   *
   * @param status as given to {@link NvmeCompletionHandler}
   * @param command what failed, in the caller's words, such as {@code Read of block 7}
   */
  public NvmeStatusException failure(int status, String command) {
    return controller.failure(command, id, status);
  }

  /**
   * Deletes the queue at the controller and frees its memory after that. Commands in flight are
   * ended. Idempotent, and safe from another thread.
   */
  @Override
  public void close() {
    if (!isClosed) {
      isClosed = true;
      controller.closeQueue(this, memory);
    }
  }
}
