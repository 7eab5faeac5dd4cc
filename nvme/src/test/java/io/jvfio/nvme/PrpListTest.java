// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PrpListTest {
  private static final long LIST_IOVA = 0xabc_d000L;
  private static final long LIST_OFFSET = 4096;

  /** What a transfer needs: PRP2, or the entries of a list. */
  record Transfer(long iova, long byteSize, long prp2, List<Long> list) {
    static Transfer ofTwo(long iova, long byteSize, long prp2) {
      return new Transfer(iova, byteSize, prp2, List.of());
    }

    static Transfer ofList(long iova, long byteSize, Long... list) {
      return new Transfer(iova, byteSize, LIST_IOVA, List.of(list));
    }
  }

  static Stream<Transfer> transfers() {
    return Stream.of(
        Transfer.ofTwo(0x100_0000, 0x200, 0),
        Transfer.ofTwo(0x100_0000, 0x1000, 0),
        Transfer.ofTwo(0x100_0000, 0x1008, 0x100_1000),
        Transfer.ofTwo(0x100_0000, 0x2000, 0x100_1000),
        Transfer.ofList(0x100_0000, 0x2010, 0x100_1000L, 0x100_2000L),
        Transfer.ofList(0x100_0000, 0x3000, 0x100_1000L, 0x100_2000L),
        Transfer.ofTwo(0x100_0004, 0x200, 0),
        Transfer.ofTwo(0x100_0ffc, 0x4, 0),
        Transfer.ofTwo(0x100_0ffc, 0x200, 0x100_1000),
        Transfer.ofTwo(0x100_0004, 0xffc, 0),
        Transfer.ofTwo(0x100_0004, 0x1000, 0x100_1000),
        Transfer.ofTwo(0x100_0004, 0x1ffc, 0x100_1000),
        Transfer.ofList(0x100_0ffc, 0x1008, 0x100_1000L, 0x100_2000L),
        Transfer.ofList(0x100_0004, 0x2000, 0x100_1000L, 0x100_2000L),
        Transfer.ofList(0x100_0004, 0x3000, 0x100_1000L, 0x100_2000L, 0x100_3000L),
        // beyond 32 bits, as in a 64-bit window
        Transfer.ofTwo(0x0800_0000_0000_0800L, 0x1000, 0x0800_0000_0000_1000L));
  }

  @ParameterizedTest
  @MethodSource("transfers")
  void describesTheMemoryOfATransfer(Transfer transfer) {
    try (var arena = Arena.ofConfined()) {
      var lists = arena.allocate(3 * 4096, 4096);

      long prp2 = PrpList.describe(transfer.iova, transfer.byteSize, lists, LIST_OFFSET, LIST_IOVA);

      assertThat(prp2).isEqualTo(transfer.prp2);
      int entries = transfer.list.size();
      assertThat(LongStream.range(0, entries).mapToObj(i -> entry(lists, i)))
          .isEqualTo(transfer.list);
      assertThat(entry(lists, entries)).isZero();
    }
  }

  private static long entry(MemorySegment lists, long index) {
    return lists.get(LE64, LIST_OFFSET + index * 8);
  }

  @Test
  void fitsTheLargestTransferIntoOnePageOfEntriesWhateverItsOffset() {
    try (var arena = Arena.ofConfined()) {
      var lists = arena.allocate(3 * 4096, 4096);

      PrpList.describe(0x100_0ffc, PrpList.MAX_TRANSFER, lists, LIST_OFFSET, LIST_IOVA);

      assertThat(PrpList.MAX_TRANSFER).isEqualTo(2 << 20);
      assertThat(entry(lists, 511)).isEqualTo(0x100_1000L + 511 * 4096);
      assertThat(entry(lists, 512)).isZero();
    }
  }

  @Test
  void describesTransfersOfAnyLengthPageByPage() {
    var random = new Random(7);
    try (var arena = Arena.ofConfined()) {
      for (int round = 0; round < 300; round++) {
        long byteSize = 4 + 4L * random.nextInt(round % 2 == 0 ? 10_000 : 4_000_000);
        long iova = 0x7000_0000L + 4L * random.nextInt(2048);
        int pages = PrpList.pages(byteSize);
        var lists = arena.allocate(LIST_OFFSET + pages * 4096L, 4096);

        long prp2 = PrpList.describe(iova, byteSize, lists, LIST_OFFSET, LIST_IOVA);

        long end = iova + byteSize;
        assertThat(walk(iova, prp2, end, lists))
            .as("%d bytes at 0x%x", byteSize, iova)
            .isEqualTo(end);
        lists.fill((byte) 0);
      }
    }
  }

  /** Reads a list as a controller does, and tells how far the memory goes without a gap. */
  private static long walk(long iova, long prp2, long end, MemorySegment lists) {
    long at = (iova | 4095) + 1;
    if (at >= end) {
      return prp2 == 0 ? end : -1;
    }
    if (end - at <= 4096) {
      return prp2 == at ? end : -1;
    }
    long entry = prp2 - LIST_IOVA + LIST_OFFSET;
    while (at < end) {
      long value = lists.get(LE64, entry);
      if ((entry & 4095) == 4088 && end - at > 4096) {
        entry = value - LIST_IOVA + LIST_OFFSET;
        value = lists.get(LE64, entry);
      }
      if (value != at) {
        return at;
      }
      at += 4096;
      entry += 8;
    }
    return end;
  }
}
