// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeHost.Command;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Scatter-gather lists, proper ones and broken ones, and lists of either kind by chance. */
class NvmeSglTest {
  private static final int DNR = 0x4000;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int SGL = 0x40;
  private static final int DATA_BLOCK = 0x00;
  private static final int BIT_BUCKET = 0x10;
  private static final int SEGMENT = 0x20;
  private static final int LAST_SEGMENT = 0x30;
  private static final int INVALID_SEGMENT = 0x0d | DNR;
  private static final int INVALID_COUNT = 0x0e | DNR;
  private static final int INVALID_LENGTH = 0x0f | DNR;
  private static final int INVALID_TYPE = 0x11 | DNR;
  private static final long LISTS = 0x2_0000;
  private static final long LISTS_END = 0x8_0000;
  private static final long DATA_END = NvmeHost.MEMORY_SIZE;
  private static final int BLOCKS = 4096;

  private final NvmeHost host = new NvmeHost(NvmeModel.inMemory("S", BLOCKS * 512L));

  private record Descriptor(long address, long length, int type) {}

  @BeforeEach
  void enable() {
    host.enableIo();
  }

  @AfterEach
  void close() {
    host.close();
  }

  private static Descriptor data(long address, long length) {
    return new Descriptor(address, length, DATA_BLOCK);
  }

  private void put(long at, List<Descriptor> descriptors) {
    for (int i = 0; i < descriptors.size(); i++) {
      long entry = at + 16L * i;
      host.memory.asSlice(entry, 16).fill((byte) 0);
      host.memory.set(LE64, entry, descriptors.get(i).address);
      host.memory.set(LE32, entry + 8, (int) descriptors.get(i).length);
      host.memory.set(LE8, entry + 15, (byte) descriptors.get(i).type);
    }
  }

  private int run(int opcode, long lba, int blocks, Descriptor first) {
    long second = (first.length & 0xffff_ffffL) | ((long) first.type << 56);
    return host.io
        .run(NvmeHost.blocks(opcode, lba, blocks).at(first.address, second), SGL)
        .status();
  }

  /** Runs a command whose list is one segment. */
  private int run(int opcode, int blocks, Descriptor... descriptors) {
    put(LISTS, List.of(descriptors));
    return run(opcode, 0, blocks, new Descriptor(LISTS, 16L * descriptors.length, LAST_SEGMENT));
  }

  private byte[] fill(long iova, int size) {
    byte[] bytes = new byte[size];
    new Random(size).nextBytes(bytes);
    host.memory.asSlice(iova, size).copyFrom(MemorySegment.ofArray(bytes));
    return bytes;
  }

  private byte[] take(long iova, long size) {
    return host.memory.asSlice(iova, size).toArray(ValueLayout.JAVA_BYTE);
  }

  /** What namespace 1 holds from its start, read by PRPs. */
  private byte[] stored(int size) {
    long list = 0x6000;
    for (int i = 0; i < 200; i++) {
      host.memory.set(LE64, list + 8L * i, 0x60_1000 + 4096L * i);
    }
    var command =
        NvmeHost.blocks(READ, 0, size / 512).at(0x60_0000, size > 8192 ? list : 0x60_1000);
    assertThat(host.io.run(command).status()).isZero();
    return take(0x60_0000, size);
  }

  @Test
  void offersSgls() {
    assertThat(host.admin.run(new Command(6, 0, DATA, 0, 1, 0, 0)).status()).isZero();

    assertThat(host.memory.get(LE32, DATA + 536)).isEqualTo(0x0001_0001);
  }

  @Test
  void transfersADataBlockFromAnyAddress() {
    byte[] bytes = fill(DATA + 3, 1024);

    assertThat(run(WRITE, 0, 2, data(DATA + 3, 1024))).isZero();

    assertThat(stored(1024)).isEqualTo(bytes);
    assertThat(run(READ, 0, 2, data(DATA + 0x1001, 1024))).isZero();
    assertThat(take(DATA + 0x1001, 1024)).isEqualTo(bytes);
  }

  @Test
  void followsSegments() {
    byte[] bytes = fill(DATA, 2048);
    put(LISTS, List.of(data(DATA, 512), new Descriptor(LISTS + 0x1000, 48, SEGMENT)));
    put(
        LISTS + 0x1000,
        List.of(
            data(DATA + 512, 100), data(0, 0), new Descriptor(LISTS + 0x2008, 16, LAST_SEGMENT)));
    put(LISTS + 0x2008, List.of(data(DATA + 612, 1436)));

    assertThat(run(WRITE, 0, 4, new Descriptor(LISTS, 32, SEGMENT))).isZero();

    assertThat(stored(2048)).isEqualTo(bytes);
  }

  @Test
  void throwsAwayWhatGoesIntoABucketAndSkipsBucketsOfWrites() {
    byte[] bytes = fill(DATA, 1024);
    assertThat(run(WRITE, 2, data(DATA, 512), bucket(77), data(DATA + 512, 512))).isZero();
    assertThat(stored(1024)).isEqualTo(bytes);

    host.memory.asSlice(DATA, 1024).fill((byte) 0);
    assertThat(run(READ, 2, data(DATA, 100), bucket(500), data(DATA + 600, 424))).isZero();

    byte[] expected = bytes.clone();
    Arrays.fill(expected, 100, 600, (byte) 0);
    assertThat(take(DATA, 1024)).isEqualTo(expected);
  }

  private static Descriptor bucket(long length) {
    return new Descriptor(0, length, BIT_BUCKET);
  }

  @Test
  void wantsAsMuchMemoryAsTheCommandTransfers() {
    assertThat(run(READ, 0, 2, data(DATA, 1023))).isEqualTo(INVALID_LENGTH);
    assertThat(run(READ, 0, 2, data(DATA, 1025))).isEqualTo(INVALID_LENGTH);
    assertThat(run(READ, 0, 2, data(DATA, 0xffff_fe00L))).isEqualTo(INVALID_LENGTH);
    assertThat(run(READ, 2, data(DATA, 512), data(DATA, 511))).isEqualTo(INVALID_LENGTH);
    assertThat(run(READ, 2, data(DATA, 512), data(DATA, 513))).isEqualTo(INVALID_LENGTH);
    assertThat(run(WRITE, 2, data(DATA, 512), bucket(512))).isEqualTo(INVALID_LENGTH);
  }

  @ParameterizedTest
  @CsvSource({
    "0x01", // a data block by offset
    "0x21", "0x40", // keyed
    "0x50", // of the transport
    "0xf0"
  })
  void refusesOtherDescriptors(String type) {
    var unknown = new Descriptor(DATA, 1024, Integer.decode(type));
    assertThat(run(READ, 0, 2, unknown)).isEqualTo(INVALID_TYPE);
    assertThat(run(READ, 2, unknown)).isEqualTo(INVALID_TYPE);
  }

  @Test
  void refusesSegmentsThatAreNone() {
    for (int length : new int[] {0, 8, 15, 17}) {
      assertThat(run(READ, 0, 2, new Descriptor(LISTS, length, LAST_SEGMENT)))
          .as("length %d", length)
          .isEqualTo(INVALID_SEGMENT);
    }
    assertThat(run(READ, 0, 2, new Descriptor(LISTS + 4, 16, LAST_SEGMENT)))
        .isEqualTo(INVALID_SEGMENT);
    assertThat(run(READ, 2, data(DATA, 512), new Descriptor(LISTS, 16, LAST_SEGMENT)))
        .as("a last segment that is not the last")
        .isEqualTo(INVALID_SEGMENT);
    put(LISTS, List.of(data(DATA, 1024)));
    assertThat(run(READ, 0, 2, new Descriptor(LISTS, 16, SEGMENT)))
        .as("no further segment")
        .isEqualTo(INVALID_SEGMENT);
  }

  @Test
  void wantsTheDescriptorOfASegmentAtTheEnd() {
    put(LISTS, List.of(new Descriptor(LISTS, 16, LAST_SEGMENT), data(DATA, 1024)));

    assertThat(run(READ, 0, 2, new Descriptor(LISTS, 32, SEGMENT))).isEqualTo(INVALID_COUNT);
  }

  @Test
  void givesUpOnAListWithoutEnd() {
    put(LISTS, List.of(data(DATA, 0), new Descriptor(LISTS, 32, SEGMENT)));

    assertThat(run(READ, 0, 2, new Descriptor(LISTS, 32, SEGMENT))).isEqualTo(INVALID_COUNT);
    assertThat(run(READ, 0, 2, new Descriptor(LISTS, -16, SEGMENT))).isEqualTo(INVALID_COUNT);
  }

  @Test
  void takesADescriptorForEachHalfOfABlockAndNoMore() {
    byte[] bytes = fill(DATA, 1024 * 512);
    var descriptors = new ArrayList<Descriptor>();
    for (int i = 0; i < 2048; i++) {
      descriptors.add(data(DATA + 256L * (i ^ 1), 256)); // no two of them are neighbours
    }
    assertThat(run(WRITE, 1024, descriptors.toArray(Descriptor[]::new))).isZero();
    byte[] stored = stored(1024 * 512);
    for (int i = 0; i < 2048; i++) {
      assertThat(
              Arrays.mismatch(
                  stored, 256 * i, 256 * i + 256, bytes, 256 * (i ^ 1), 256 * (i ^ 1) + 256))
          .isEqualTo(-1);
    }

    descriptors.add(data(DATA, 0));
    assertThat(run(WRITE, 1024, descriptors.toArray(Descriptor[]::new))).isEqualTo(INVALID_COUNT);
  }

  @Test
  void followsAsManySegmentsAsALongListHas() {
    fill(DATA, 512);
    int segments = 256;
    for (int i = 0; i < segments; i++) {
      int type = i == segments - 2 ? LAST_SEGMENT : SEGMENT;
      long next = LISTS + 32L * (i + 1);
      boolean isLast = i == segments - 1;
      put(
          LISTS + 32L * i,
          List.of(data(0, 0), isLast ? data(DATA, 512) : new Descriptor(next, 32, type)));
    }
    assertThat(run(WRITE, 0, 1, new Descriptor(LISTS, 32, SEGMENT))).isZero();

    var oneMore = List.of(data(0, 0), new Descriptor(LISTS, 32, SEGMENT));
    put(LISTS - 32, oneMore);
    assertThat(run(WRITE, 0, 1, new Descriptor(LISTS - 32, 32, SEGMENT))).isEqualTo(INVALID_COUNT);
  }

  @Test
  void reportsADataTransferErrorForMemoryOutOfReach() {
    assertThat(run(READ, 0, 2, data(DATA_END, 1024))).isEqualTo(0x04);
    assertThat(run(READ, 0, 2, new Descriptor(DATA_END, 16, LAST_SEGMENT))).isEqualTo(0x04);
  }

  @Test
  void knowsNoSglsForAdminCommandsNorWhereTheyAreLeftOut() {
    var identify = new Command(6, 0, DATA, 4096, 1, 0, 0);
    assertThat(host.admin.run(identify, SGL).status()).isEqualTo(0x02 | DNR);

    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withoutSgl();
    try (var other = new NvmeHost(options)) {
      other.enableIo();
      assertThat(other.admin.run(identify).status()).isZero();
      assertThat(other.memory.get(LE32, DATA + 536)).isZero();
      assertThat(other.io.run(NvmeHost.blocks(READ, 0, 1).at(DATA, 512), SGL).status())
          .isEqualTo(0x02 | DNR);
    }
  }

  /** Random lists, proper and broken, against what the specification says in the plainest code. */
  @Test
  void agreesWithAPlainReadingOfTheRules() {
    int succeeded = 0;
    for (int seed = 0; seed < 1500; seed++) {
      var random = new Random(seed);
      int blocks = 1 + random.nextInt(8);
      boolean isRead = random.nextBoolean();
      var list = new RandomList(random, blocks * 512, isRead);
      byte[] before = fill(DATA, 0x4000);
      byte[] disk = stored(8 * 512);
      int expected = list.expectedStatus(isRead);

      int status = run(isRead ? READ : WRITE, 0, blocks, list.first);

      assertThat(status).as("seed %d", seed).isEqualTo(expected);
      if (expected == 0) {
        succeeded++;
        if (isRead) {
          assertThat(take(DATA, 0x4000))
              .as("seed %d", seed)
              .isEqualTo(list.afterRead(before, disk));
        } else {
          assertThat(stored(8 * 512)).as("seed %d", seed).isEqualTo(list.afterWrite(before, disk));
        }
      }
    }
    assertThat(succeeded).isGreaterThan(250);
  }

  /** A list in host memory and all that it says, in order. */
  private final class RandomList {
    final List<List<Descriptor>> segments = new ArrayList<>();
    final Descriptor first;
    private final int size;

    RandomList(Random random, int size, boolean isRead) {
      this.size = size;
      int count = random.nextInt(4);
      long[] addresses = new long[count];
      for (int i = 0; i < count; i++) {
        addresses[i] = LISTS + 0x1000L * i;
      }
      int left = size;
      for (int i = 0; i < Math.max(count, 1); i++) {
        boolean isLast = i >= count - 1;
        var segment = new ArrayList<Descriptor>();
        int entries = count == 0 ? 1 : 1 + random.nextInt(5);
        for (int entry = 0; entry < entries; entry++) {
          boolean isFinal = isLast && entry == entries - 1;
          int length = isFinal ? left : random.nextInt(left + 1);
          boolean isBucket = random.nextInt(5) == 0;
          left -= isBucket && !isRead ? 0 : length;
          segment.add(
              isBucket ? bucket(length) : data(DATA + random.nextInt(0x4000 - length), length));
        }
        segments.add(segment);
      }
      for (int i = 0; i + 1 < count; i++) {
        int type = i + 2 == count ? LAST_SEGMENT : SEGMENT;
        int entries = segments.get(i + 1).size() + (i + 2 == count ? 0 : 1);
        segments.get(i).add(new Descriptor(addresses[i + 1], 16L * entries, type));
      }
      spoil(random);
      for (int i = 0; i < count; i++) {
        put(addresses[i], segments.get(i));
      }
      first =
          count == 0
              ? segments.getFirst().getFirst()
              : new Descriptor(
                  addresses[0],
                  16L * segments.getFirst().size(),
                  count == 1 ? LAST_SEGMENT : SEGMENT);
    }

    /** Changes one descriptor in about every other list. */
    private void spoil(Random random) {
      if (random.nextBoolean()) {
        return;
      }
      var segment = segments.get(random.nextInt(segments.size()));
      int index = random.nextInt(segment.size());
      var old = segment.get(index);
      segment.set(
          index,
          switch (random.nextInt(3)) {
            case 0 -> new Descriptor(old.address, old.length + 1, old.type);
            case 1 -> new Descriptor(old.address, old.length, old.type | (1 + random.nextInt(15)));
            default -> new Descriptor(old.address, Math.max(0, old.length - 1), old.type);
          });
    }

    int expectedStatus(boolean isRead) {
      long described = 0;
      var at = first;
      int segment = 0;
      if (at.type == SEGMENT || at.type == LAST_SEGMENT) {
        while (true) {
          boolean isLast = at.type == LAST_SEGMENT;
          if (at.length == 0 || at.length % 16 != 0) {
            return INVALID_SEGMENT;
          }
          var descriptors = segments.get(segment);
          for (int i = 0; i < descriptors.size(); i++) {
            var each = descriptors.get(i);
            if (each.type == SEGMENT || each.type == LAST_SEGMENT) {
              if (isLast) {
                return INVALID_SEGMENT;
              }
              at = each;
              segment++;
              break;
            }
            if (each.type != DATA_BLOCK && each.type != BIT_BUCKET) {
              return INVALID_TYPE;
            }
            described += each.type == BIT_BUCKET && !isRead ? 0 : each.length;
            if (described > size) {
              return INVALID_LENGTH;
            }
            if (i == descriptors.size() - 1) {
              return isLast ? (described == size ? 0 : INVALID_LENGTH) : INVALID_SEGMENT;
            }
          }
        }
      }
      if (at.type != DATA_BLOCK && at.type != BIT_BUCKET) {
        return INVALID_TYPE;
      }
      described = at.type == BIT_BUCKET && !isRead ? 0 : at.length;
      return described == size ? 0 : INVALID_LENGTH;
    }

    private List<Descriptor> pieces() {
      return segments.stream()
          .flatMap(List::stream)
          .filter(each -> each.type == DATA_BLOCK || each.type == BIT_BUCKET)
          .toList();
    }

    byte[] afterRead(byte[] memory, byte[] disk) {
      byte[] after = memory.clone();
      int at = 0;
      for (var each : pieces()) {
        if (each.type == DATA_BLOCK) {
          System.arraycopy(disk, at, after, (int) (each.address - DATA), (int) each.length);
        }
        at += (int) each.length;
      }
      return after;
    }

    byte[] afterWrite(byte[] memory, byte[] disk) {
      byte[] after = disk.clone();
      int at = 0;
      for (var each : pieces()) {
        if (each.type == DATA_BLOCK) {
          System.arraycopy(memory, (int) (each.address - DATA), after, at, (int) each.length);
          at += (int) each.length;
        }
      }
      return after;
    }
  }

  /** PRP lists of random shape, against the address of each byte by itself. */
  @Test
  void findsEveryByteOfRandomPrpLists() {
    for (int seed = 0; seed < 60; seed++) {
      var random = new Random(seed);
      int blocks = 1 + random.nextInt(1024);
      int size = blocks * 512;
      int offset = 4 * random.nextInt(1024);
      int pages = (offset + size + 4095) / 4096;
      var addresses = new ArrayList<Long>();
      for (long page = DATA; page < 0x50_0000; page += 4096) {
        addresses.add(page);
      }
      Collections.shuffle(addresses, random);
      host.memory.asSlice(DATA, 0x40_0000).fill((byte) 0);
      byte[] bytes = new byte[size];
      random.nextBytes(bytes);
      for (int i = 0; i < size; i++) {
        int at = offset + i;
        host.memory.set(LE8, addresses.get(at / 4096) + at % 4096, bytes[i]);
      }
      long second =
          pages < 2 ? 0xbad : pages == 2 ? addresses.get(1) : list(random, addresses, pages);

      var command = NvmeHost.blocks(WRITE, 0, blocks).at(addresses.getFirst() + offset, second);
      assertThat(host.io.run(command).status()).as("seed %d", seed).isZero();

      assertThat(stored(size)).as("seed %d", seed).isEqualTo(bytes);
    }
  }

  /** Writes a list that starts anywhere in a page, chained where pages end; returns its address. */
  private long list(Random random, List<Long> addresses, int pages) {
    var lists = new ArrayList<Long>();
    for (long page = LISTS; page < LISTS_END; page += 4096) {
      lists.add(page);
    }
    Collections.shuffle(lists, random);
    long start =
        lists.removeFirst() + 8L * (random.nextBoolean() ? 0 : 512 - 1 - random.nextInt(20));
    long at = start;
    for (int page = 1; page < pages; page++) {
      if (at % 4096 == 4088 && page < pages - 1) {
        long next = lists.removeFirst();
        host.memory.set(LE64, at, next);
        at = next;
      }
      host.memory.set(LE64, at, addresses.get(page));
      at += 8;
    }
    return start;
  }
}
