// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.user.SharedFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DirtyLogTest {
  private static final long PAGE = 4096;

  private final DirtyLog log = new DirtyLog();

  private BitSet report(long iova, long length, long pageSize) {
    var words = new long[(int) (DirtyLog.bitmapSize(length, pageSize) / Long.BYTES) + 2];
    Arrays.fill(words, -1);
    var bitmap = MemorySegment.ofArray(words);
    assertThat(log.report(iova, length, pageSize, bitmap, Long.BYTES)).isZero();
    // What is around the bitmap is not touched.
    assertThat(words[0]).isEqualTo(-1);
    assertThat(words[words.length - 1]).isEqualTo(-1);
    return BitSet.valueOf(Arrays.copyOfRange(words, 1, words.length - 1));
  }

  private static BitSet pages(int... pages) {
    var bits = new BitSet();
    for (int page : pages) {
      bits.set(page);
    }
    return bits;
  }

  @Test
  void pagesThatWereWrittenAreToldOfOnce() {
    assertThat(log.start(PAGE)).isEqualTo(PAGE);
    log.wrote(0x10000, 1);
    log.wrote(0x12fff, 2);
    log.wrote(0x20000, 3 * PAGE);
    assertThat(report(0x10000, 0x20000, PAGE)).isEqualTo(pages(0, 2, 3, 16, 17, 18));
    assertThat(report(0x10000, 0x20000, PAGE)).isEqualTo(pages());
  }

  @Test
  void nothingIsLoggedBeforeTheStartOrAfterTheEnd() {
    log.wrote(0, 1);
    assertThat(log.start(PAGE)).isEqualTo(PAGE);
    assertThat(report(0, PAGE, PAGE)).isEqualTo(pages());
    log.wrote(0, 1);
    log.stop();
    log.wrote(PAGE, 1);
    assertThat(log.start(PAGE)).isEqualTo(PAGE);
    assertThat(report(0, 2 * PAGE, PAGE)).isEqualTo(pages());
  }

  @Test
  void aPageSizeIsTakenAsFarAsThereIsSuchAPage() {
    int invalid = Errno.EINVAL.result();
    assertThat(log.start(0)).isEqualTo(invalid);
    assertThat(log.start(PAGE + 1)).isEqualTo(invalid);
    assertThat(log.isRunning()).isFalse();
    assertThat(log.start(1)).isEqualTo(PAGE);
    assertThat(log.start(PAGE)).isEqualTo(invalid);
    log.stop();
    assertThat(log.start(64 << 10)).isEqualTo(64 << 10);
    log.stop();
    assertThat(log.start(Long.MIN_VALUE)).isEqualTo(2 << 20);
  }

  @Test
  void whatCannotBeReportedIsRefused() {
    var bitmap = MemorySegment.ofArray(new long[2]);
    int invalid = Errno.EINVAL.result();
    assertThat(log.report(0, PAGE, PAGE, bitmap, 0)).isEqualTo(invalid);
    assertThat(log.start(PAGE)).isEqualTo(PAGE);
    assertThat(log.report(0, PAGE, 0, bitmap, 0)).isEqualTo(invalid);
    assertThat(log.report(0, PAGE, 3 * PAGE, bitmap, 0)).isEqualTo(invalid);
    assertThat(log.report(0, PAGE, 2048, bitmap, 0)).isEqualTo(invalid);
    assertThat(log.report(-PAGE, 2 * PAGE, PAGE, bitmap, 0)).isEqualTo(Errno.EOVERFLOW.result());
    assertThat(log.report(0, 129 * PAGE, PAGE, bitmap, 0)).isEqualTo(Errno.E2BIG.result());
    assertThat(log.report(0, 65 * PAGE, PAGE, bitmap, 8)).isEqualTo(Errno.E2BIG.result());
    assertThat(log.report(0, -1, PAGE, bitmap, 0)).isEqualTo(Errno.E2BIG.result());
    assertThat(log.report(0, -1, Long.MIN_VALUE, bitmap, 0)).isZero();
    assertThat(log.report(0, 0, PAGE, bitmap, 0)).isZero();
  }

  @Test
  void bitsMayStandForLessOrMoreThanAPageOfTheLog() {
    assertThat(log.start(4 * PAGE)).isEqualTo(4 * PAGE);
    log.wrote(5 * PAGE, 1);
    log.wrote(17 * PAGE, 1);
    assertThat(report(0, 32 * PAGE, PAGE)).isEqualTo(pages(4, 5, 6, 7, 16, 17, 18, 19));
    log.wrote(17 * PAGE, 1);
    assertThat(report(0, 32 * PAGE, 8 * PAGE)).isEqualTo(pages(2));
  }

  @Test
  void aPageThatIsInTheRangeInPartIsNotForgotten() {
    assertThat(log.start(4 * PAGE)).isEqualTo(4 * PAGE);
    log.wrote(5 * PAGE, 1);
    assertThat(report(5 * PAGE, 8 * PAGE, PAGE)).isEqualTo(pages(0, 1, 2));
    assertThat(report(4 * PAGE, PAGE, PAGE)).isEqualTo(pages(0));
    assertThat(report(4 * PAGE, 4 * PAGE, PAGE)).isEqualTo(pages(0, 1, 2, 3));
    assertThat(report(4 * PAGE, 4 * PAGE, PAGE)).isEqualTo(pages());
  }

  @Test
  void theLastAddressIsAnAddress() {
    assertThat(log.start(PAGE)).isEqualTo(PAGE);
    log.wrote(-1, 1);
    assertThat(report(-2 * PAGE, 2 * PAGE, PAGE)).isEqualTo(pages(1));
  }

  @Test
  void whoWritesEverywhereCostsNoMoreThanAllowed() {
    assertThat(log.start(PAGE)).isEqualTo(PAGE);
    for (long i = 0; i <= 1 << 16; i++) {
      log.wrote(i << 40, 1);
    }
    assertThat(report(5 * PAGE, 70 * PAGE, PAGE).cardinality()).isEqualTo(70);
    assertThat(report(5 * PAGE, 70 * PAGE, PAGE).cardinality()).isEqualTo(70);
    log.stop();
    assertThat(log.start(PAGE)).isEqualTo(PAGE);
    assertThat(report(5 * PAGE, 70 * PAGE, PAGE).cardinality()).isZero();
  }

  @Test
  void writesOfADeviceAreLoggedWhereTheyWereMade() throws DmaFaultException {
    try (var file = new SharedFile(16 * PAGE);
        var memory =
            new ClientMemory(
                LinuxKernel.instance(),
                () -> true,
                new ClientMemory.DmaMessages() {
                  @Override
                  public int read(long iova, MemorySegment to, long offset, long byteSize) {
                    return 0;
                  }

                  @Override
                  public int write(long iova, MemorySegment from, long offset, long byteSize) {
                    return 0;
                  }
                },
                4)) {
      assertThat(memory.map(file.descriptor(), 0, 0, 16 * PAGE, true, true)).isZero();
      assertThat(memory.map(-1, 0, 16 * PAGE, 16 * PAGE, true, true)).isZero();
      var data = MemorySegment.ofArray(new byte[(int) (3 * PAGE)]);
      memory.write(0, data);
      assertThat(memory.log().start(PAGE)).isEqualTo(PAGE);
      memory.read(8 * PAGE, data);
      memory.write(15 * PAGE - 1, data);
      var bitmap = MemorySegment.ofArray(new long[1]);
      // A client may ask after it has unmapped.
      memory.unmapAll();
      assertThat(memory.log().report(0, 32 * PAGE, PAGE, bitmap, 0)).isZero();
      assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0xf << 14);
    }
  }

  @Test
  void behavesAsANaiveModelDoes() {
    var random = new Random(5);
    for (int round = 0; round < 30; round++) {
      int shift = random.nextInt(3);
      int factor = 1 << shift;
      assertThat(log.start(PAGE << shift)).isEqualTo(PAGE << shift);
      var dirty = new BitSet(); // of the log's pages
      int range = 20_000;
      for (int step = 0; step < 200; step++) {
        if (random.nextInt(4) != 0) {
          int first = random.nextInt(range);
          int bytes = 1 + random.nextInt(random.nextInt(10) == 0 ? 40_000_000 : 10_000);
          long iova = first * PAGE + random.nextInt(4096);
          log.wrote(iova, bytes);
          dirty.set(
              (int) (iova / (PAGE << shift)), (int) ((iova + bytes - 1) / (PAGE << shift)) + 1);
        } else {
          int first = random.nextInt(range);
          int count = random.nextInt(range);
          int reported = random.nextInt(5);
          var expected = new BitSet();
          for (int page = first; page < first + count; page++) {
            if (dirty.get(page / factor)) {
              expected.set((page - first) >>> reported);
            }
          }
          assertThat(report(first * PAGE, count * PAGE, PAGE << reported)).isEqualTo(expected);
          int from = (first + factor - 1) / factor;
          int to = (first + count) / factor;
          if (from < to) {
            dirty.clear(from, to);
          }
        }
      }
      log.stop();
    }
  }
}
