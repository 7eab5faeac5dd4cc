// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.sim.memory.UserFault;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The kernel's record of which pages of a Type1 mapping are dirty. Every page is, whenever somebody
 * asks: a device that writes by itself could have written each of them. Source: {@code
 * update_user_bitmap} of {@code drivers/vfio/vfio_iommu_type1.c}.
 */
final class DirtyBitmap {
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

  private final long pages;

  /** One word more than the pages need, for moving them by up to a word. */
  private final long[] words;

  DirtyBitmap(long pages) {
    this.pages = pages;
    this.words = new long[Math.toIntExact(wordsFor(pages)) + 1];
  }

  private static long wordsFor(long bits) {
    return (bits + Long.SIZE - 1) / Long.SIZE;
  }

  /** How many bytes a bitmap of so many pages has. */
  static long bytesFor(long pages) {
    return wordsFor(pages) * Long.BYTES;
  }

  /**
   * Writes the pages into the user's bitmap: whole words, of which the first keeps the bits that it
   * has, when the pages do not start at its first bit.
   *
   * @param bitmap the user's bitmap, as far as it can be written
   * @param firstBit the first page's place in it
   */
  void copyOut(MemorySegment bitmap, long firstBit) throws UserFault {
    int shift = (int) (firstBit % Long.SIZE);
    long offset = firstBit / Long.SIZE * Long.BYTES;
    set();
    if (shift > 0) {
      shiftLeft(shift);
      words[0] |= part(bitmap, offset, Long.BYTES).get(WORD, 0);
    }
    long bytes = bytesFor(pages + shift);
    MemorySegment.copy(MemorySegment.ofArray(words), 0, part(bitmap, offset, bytes), 0, bytes);
  }

  private static MemorySegment part(MemorySegment bitmap, long offset, long byteSize)
      throws UserFault {
    if (bitmap.byteSize() < offset + byteSize) {
      throw new UserFault();
    }
    return bitmap.asSlice(offset, byteSize);
  }

  /**
   * Forgets what was dirty. Bits that were moved past the last page stay: the kernel's stay too.
   */
  void clear() {
    int whole = (int) (pages / Long.SIZE);
    Arrays.fill(words, 0, whole, 0);
    words[whole] &= -1L << pages % Long.SIZE;
  }

  private void set() {
    int whole = (int) (pages / Long.SIZE);
    Arrays.fill(words, 0, whole, -1);
    words[whole] |= (1L << pages % Long.SIZE) - 1;
  }

  private void shiftLeft(int shift) {
    for (int i = Math.toIntExact(wordsFor(pages + shift)) - 1; i > 0; i--) {
      words[i] = words[i] << shift | words[i - 1] >>> (Long.SIZE - shift);
    }
    words[0] <<= shift;
  }
}
