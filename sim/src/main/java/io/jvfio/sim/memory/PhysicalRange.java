// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

/**
 * The place of memory in physical memory: in blocks, of which neighbours in the address space are
 * none here, so a driver that takes them for such is found out.
 *
 * @param start its first physical address
 * @param byteSize how much memory it holds
 * @param blockSize what is together, as huge pages make it; a power of two
 */
public record PhysicalRange(long start, long byteSize, long blockSize) {
  private long blocks() {
    return (byteSize + blockSize - 1) / blockSize;
  }

  /** The first physical address after it. */
  long end() {
    return start + blocks() * blockSize;
  }

  /** The physical address of the byte at {@code offset}. */
  long addressOf(long offset) {
    return start + (blocks() - 1 - offset / blockSize) * blockSize + offset % blockSize;
  }

  /** The offset of the byte at a physical address, or -1 if it holds none. */
  long offsetOf(long address) {
    long block = blocks() - 1 - (address - start) / blockSize;
    long offset = block * blockSize + (address - start) % blockSize;
    return block < 0 || offset >= byteSize ? -1 : offset;
  }

  /** How many bytes there are together from {@code offset} on. */
  long together(long offset) {
    return Math.min(blockSize - offset % blockSize, byteSize - offset);
  }
}
