// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.lang.foreign.MemorySegment;

/**
 * Memory that the device reaches at an address of its own.
 *
 * <p>The address stays taken until {@link #close()}. In between, {@link #unmap()} and {@link
 * #map()} take the memory away from the device and give it back: one system call each, nothing
 * allocated.
 *
 * <p>Safe for use by several threads. A mapping that is no longer reachable and was not closed is
 * told in the log with the place that made it, and stays mapped until its space is closed.
 */
public interface DmaMapping extends AutoCloseable {
  /** The memory as this process sees it. */
  MemorySegment segment();

  /**
   * The address of the first byte as the device sees it; the rest follows without a gap.
   *
   * @throws IllegalStateException if closed
   */
  long iova();

  /** The length in bytes. */
  default long byteSize() {
    return segment().byteSize();
  }

  /** The accesses that the device is allowed. */
  DmaAccess access();

  /** Whether the device reaches the memory now. */
  boolean isMapped();

  /**
   * Takes the memory away from the device, and keeps the address. No effect if it is away already.
   *
   * @throws VfioException if the kernel refuses; the device may reach the memory then
   * @throws IllegalStateException if closed
   */
  void unmap();

  /**
   * Gives the memory back to the device at the same address. No effect if it has it already.
   *
   * @throws VfioException if the kernel refuses; the device does not reach the memory then
   * @throws IllegalStateException if closed
   */
  void map();

  /**
   * Takes other memory with the same content, such as another view of the same memory file, while
   * the device goes on undisturbed: what a program needs that replaces itself.
   *
   * @param memory native memory of the same length
   * @throws UnsupportedOperationException for a buffer, which keeps its own memory
   * @throws VfioException if this IOMMU cannot, or the kernel refuses
   */
  void rebase(MemorySegment memory);

  /** Unmaps, and gives up the address. Idempotent. */
  @Override
  void close();
}
