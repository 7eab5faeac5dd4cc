package io.jvfio.nvme;

import io.jvfio.DmaMapping;

/**
 * An I/O queue pair of one's own: the asynchronous face of the driver. Commands are put into the
 * queue, shown to the controller in one go by {@link #ring()}, and their completions taken by
 * {@link #poll} or {@link #await}. Nothing here allocates, locks, or boxes.
 *
 * <p>Not safe for use by several threads at once, but for {@link #close()}.
 */
public final class NvmeQueue implements AutoCloseable {
  NvmeQueue() {}

  /** The queue's number at the controller, from 1. */
  public int id() {
    throw new UnsupportedOperationException();
  }

  /** How many commands can be in flight. */
  public int depth() {
    throw new UnsupportedOperationException();
  }

  /** How many commands are put and not completed. */
  public int inFlight() {
    throw new UnsupportedOperationException();
  }

  /** Bytes that one command can transfer. */
  public long maxTransferBytes() {
    throw new UnsupportedOperationException();
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
    throw new UnsupportedOperationException();
  }

  /** Puts a Write, as {@link #read}. */
  public boolean write(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    throw new UnsupportedOperationException();
  }

  /** Puts a Compare, as {@link #read}. */
  public boolean compare(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    throw new UnsupportedOperationException();
  }

  /** Puts a Flush. */
  public boolean flush(NvmeNamespace namespace, long token) {
    throw new UnsupportedOperationException();
  }

  /** Puts a Write Zeroes. */
  public boolean writeZeroes(NvmeNamespace namespace, long lba, int blocks, long token) {
    throw new UnsupportedOperationException();
  }

  /** Puts a Verify. */
  public boolean verify(NvmeNamespace namespace, long lba, int blocks, long token) {
    throw new UnsupportedOperationException();
  }

  /** Shows the controller all commands put so far: one doorbell write, or none. */
  public void ring() {
    throw new UnsupportedOperationException();
  }

  /**
   * Takes the completions there are, without waiting.
   *
   * @return how many
   */
  public int poll(NvmeCompletionHandler handler) {
    throw new UnsupportedOperationException();
  }

  /**
   * Takes completions, and waits for the first: by interrupt where the controller was opened with
   * interrupts, by polling otherwise.
   *
   * @param timeoutNanos how long to wait
   * @return how many; 0 when the time is over or nothing is in flight
   */
  public int await(NvmeCompletionHandler handler, long timeoutNanos) {
    throw new UnsupportedOperationException();
  }

  /**
   * What to throw for a completion with an error.
   *
   * @param status as given to {@link NvmeCompletionHandler}
   * @param command what failed, in the caller's words, such as {@code Read of block 7}
   */
  public NvmeStatusException failure(int status, String command) {
    throw new UnsupportedOperationException();
  }

  /**
   * Deletes the queue at the controller and frees its memory after that. Commands in flight are
   * ended. Idempotent, and safe from another thread.
   */
  @Override
  public void close() {
    throw new UnsupportedOperationException();
  }
}
