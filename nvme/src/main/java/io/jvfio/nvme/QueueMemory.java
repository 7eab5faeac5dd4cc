// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaBuffer;
import io.jvfio.DmaSpace;
import java.lang.foreign.MemorySegment;

/**
 * The memory of a queue pair: the two rings, and pages for each command. It is a single {@link
 * DmaBuffer}:
 *
 * <pre>
 *   submission ring | completion ring | pages of slot 0 | pages of slot 1 | ...
 * </pre>
 *
 * <p>The pages of a slot are free for its command to use: for lists, or for the data of an admin
 * command.
 */
final class QueueMemory implements AutoCloseable {
  static final long SUBMISSION_RING = 0;

  private final DmaBuffer buffer;
  private final MemorySegment segment;
  private final long completionRing;
  private final long slotPages;
  private final long slotBytes;

  /**
   * Allocates the memory, zeroed.
   *
   * @param entries of each ring; there is one slot less
   * @param pagesPerSlot pages of 4 KiB
   */
  QueueMemory(DmaSpace dmaSpace, int entries, int pagesPerSlot) {
    completionRing = roundUp((long) entries * SubmissionEntry.SIZE);
    slotPages = completionRing + roundUp((long) entries * CompletionEntry.SIZE);
    slotBytes = (long) pagesPerSlot * PrpList.PAGE_SIZE;
    buffer = dmaSpace.allocate(slotPages + (entries - 1) * slotBytes);
    segment = buffer.segment();
  }

  private static long roundUp(long byteSize) {
    return (byteSize + PrpList.PAGE_SIZE - 1) & -PrpList.PAGE_SIZE;
  }

  /** All of it as this process sees it. */
  MemorySegment segment() {
    return segment;
  }

  /** Where in {@link #segment()} the completion ring is. */
  long completionRing() {
    return completionRing;
  }

  long submissionIova() {
    return buffer.iova();
  }

  long completionIova() {
    return buffer.iova() + completionRing;
  }

  /** Where in {@link #segment()} the pages of a slot are. */
  long slotOffset(int slot) {
    return slotPages + slot * slotBytes;
  }

  /** The pages of slot 0 as the device sees them are this far from {@link #slotOffset}. */
  long iova(long offset) {
    return buffer.iova() + offset;
  }

  /** Frees the memory; the controller must not use it any more. */
  @Override
  public void close() {
    buffer.close();
  }
}
