// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * The options of a buffer: the memory that it is made of, and how that is mapped.
 *
 * @param map where and how it is mapped
 * @param pageSize the pages wished for, in bytes: 0 for the system's, or a size of huge pages such
 *     as 2 MiB; where the machine has none left the buffer has the system's pages and {@link
 *     DmaBuffer#fallback} says why
 * @param shared whether the memory is a memory file, which other processes can be given
 */
public record BufferOptions(MapOptions map, long pageSize, boolean shared) {
  private static final BufferOptions ANONYMOUS = new BufferOptions(MapOptions.anywhere(), 0, false);

  /**
   * Checks the page size.
   *
   * @throws IllegalArgumentException if the page size is neither 0 nor a power of two
   */
  public BufferOptions {
    if (pageSize != 0 && Long.bitCount(pageSize) != 1) {
      throw new IllegalArgumentException(
          "a page size is a power of two, not 0x" + Long.toHexString(pageSize));
    }
  }

  /** Options for memory of the system's page size that no other process has, mapped anywhere. */
  public static BufferOptions anonymous() {
    return ANONYMOUS;
  }

  /** Options for memory of huge pages of {@code pageSize} bytes, mapped anywhere. */
  public static BufferOptions hugePages(long pageSize) {
    return new BufferOptions(MapOptions.anywhere(), pageSize, false);
  }

  /** The same, mapped so. */
  public BufferOptions mapped(MapOptions map) {
    return new BufferOptions(map, pageSize, shared);
  }

  /** The same, of a memory file. */
  public BufferOptions asFile() {
    return new BufferOptions(map, pageSize, true);
  }
}
