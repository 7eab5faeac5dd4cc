// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A controller's description of a namespace. Source: NVM Command Set Specification, "Identify
 * Namespace data structure".
 *
 * @param sizeBlocks NSZE: blocks that can be addressed
 * @param capacityBlocks NCAP: blocks that can be in use at once
 * @param utilisationBlocks NUSE: blocks in use
 * @param formats the LBA formats that the namespace can have
 * @param formatIndex which of them it has
 * @param metadataInline whether metadata follows the data of each block, rather than being apart
 * @param copyRangeBlocks MSSRL: blocks that one source range of a Copy can have
 * @param copyBlocks MCL: blocks that a Copy can copy
 * @param copyRanges MSRC: source ranges that a Copy can have
 */
public record IdentifyNamespace(
    long sizeBlocks,
    long capacityBlocks,
    long utilisationBlocks,
    List<LbaFormat> formats,
    int formatIndex,
    boolean metadataInline,
    int copyRangeBlocks,
    long copyBlocks,
    int copyRanges) {

  private static final long NSZE = 0;
  private static final long NCAP = 8;
  private static final long NUSE = 16;
  private static final long NLBAF = 25;
  private static final long FLBAS = 26;
  private static final long MSSRL = 74;
  private static final long MCL = 76;
  private static final long MSRC = 80;
  private static final long LBAF0 = 128;
  private static final int MAX_FORMATS = 64;

  /** A namespace whose format is one of its formats. */
  public IdentifyNamespace {
    formats = List.copyOf(formats);
    if (formatIndex < 0 || formatIndex >= formats.size()) {
      throw new IllegalArgumentException(
          "LBA format %d of %d".formatted(formatIndex, formats.size()));
    }
  }

  /** Decodes the 4096 bytes of the data structure. */
  static IdentifyNamespace decode(MemorySegment page) {
    int count = Math.min(Byte.toUnsignedInt(page.get(LE8, NLBAF)) + 1, MAX_FORMATS);
    int current = page.get(LE8, FLBAS);
    // Bits 6:5 extend the index where there are more formats than 16.
    int index = (current & 0xf) | (count > 16 ? (current & 0x60) >> 1 : 0);
    return new IdentifyNamespace(
        page.get(LE64, NSZE),
        page.get(LE64, NCAP),
        page.get(LE64, NUSE),
        IntStream.rangeClosed(0, Math.max(count - 1, index))
            .mapToObj(i -> LbaFormat.of(page.get(LE32, LBAF0 + (long) i * Integer.BYTES)))
            .toList(),
        index,
        (current & 0x10) != 0,
        Short.toUnsignedInt(page.get(LE16, MSSRL)),
        Integer.toUnsignedLong(page.get(LE32, MCL)),
        Byte.toUnsignedInt(page.get(LE8, MSRC)) + 1);
  }

  /** The LBA format that the namespace has. */
  public LbaFormat format() {
    return formats.get(formatIndex);
  }
}
