package io.jvfio.nvme;

import static io.jvfio.nvme.LittleEndian.LE32;
import static io.jvfio.nvme.LittleEndian.LE64;
import static io.jvfio.nvme.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What a controller says of a namespace. Source: NVM Command Set Specification, "Identify Namespace
 * data structure".
 *
 * @param sizeBlocks NSZE: blocks that can be addressed
 * @param capacityBlocks NCAP: blocks that can be in use at once
 * @param utilisationBlocks NUSE: blocks in use
 * @param formats the LBA formats that the namespace can have
 * @param formatIndex which of them it has
 * @param metadataInline whether metadata follows the data of each block, rather than being apart
 */
public record IdentifyNamespace(
    long sizeBlocks,
    long capacityBlocks,
    long utilisationBlocks,
    List<LbaFormat> formats,
    int formatIndex,
    boolean metadataInline) {

  private static final long NSZE = 0;
  private static final long NCAP = 8;
  private static final long NUSE = 16;
  private static final long NLBAF = 25;
  private static final long FLBAS = 26;
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
        (current & 0x10) != 0);
  }

  /** The LBA format that the namespace has. */
  public LbaFormat format() {
    return formats.get(formatIndex);
  }
}
