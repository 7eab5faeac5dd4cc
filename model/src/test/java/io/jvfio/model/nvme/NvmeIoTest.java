// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static io.jvfio.model.nvme.NvmeHost.LIST;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeHost.Command;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The I/O commands, PRPs, and how queues are worked. */
class NvmeIoTest {
  private static final int DNR = 0x4000;
  private static final int FLUSH = 0;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int COMPARE = 5;
  private static final int WRITE_ZEROES = 8;
  private static final int BLOCKS = 8192;
  private static final long OTHER = 0x40_0000;

  private final NvmeHost host = new NvmeHost(NvmeModel.inMemory("S", BLOCKS * 512L));

  @BeforeEach
  void enable() {
    host.enableIo();
  }

  @AfterEach
  void close() {
    host.close();
  }

  private int status(Command command) {
    return host.io.run(command).status();
  }

  private void fillRandom(long iova, int byteSize) {
    byte[] bytes = new byte[byteSize];
    new Random(byteSize).nextBytes(bytes);
    host.memory.asSlice(iova, byteSize).copyFrom(MemorySegment.ofArray(bytes));
  }

  private long mismatch(long iova, long other, long byteSize) {
    return host.memory.asSlice(iova, byteSize).mismatch(host.memory.asSlice(other, byteSize));
  }

  /** Lists the pages from {@code first} on, from entry {@code at} of the list's memory. */
  private void list(long at, long first, int pages) {
    for (int i = 0; i < pages; i++) {
      host.memory.set(LE64, at + i * 8L, first + i * 4096L);
    }
  }

  @Test
  void readsBackWhatWasWritten() {
    fillRandom(DATA, 4096);

    assertThat(status(NvmeHost.blocks(WRITE, 100, 8))).isZero();
    assertThat(status(NvmeHost.blocks(READ, 100, 8).at(OTHER))).isZero();

    assertThat(mismatch(DATA, OTHER, 4096)).isEqualTo(-1);
  }

  @Test
  void readsZeroesWhereNothingWasWritten() {
    fillRandom(DATA, 1024);

    assertThat(status(NvmeHost.blocks(READ, 5000, 2))).isZero();

    assertThat(host.memory.asSlice(DATA, 1024).mismatch(MemorySegment.ofArray(new byte[1024])))
        .isEqualTo(-1);
  }

  @Test
  void keepsDataOverAReset() {
    fillRandom(DATA, 512);
    status(NvmeHost.blocks(WRITE, 1, 1));
    host.model.reset();
    host.enableIo();

    status(NvmeHost.blocks(READ, 1, 1).at(OTHER));

    assertThat(mismatch(DATA, OTHER, 512)).isEqualTo(-1);
  }

  @ParameterizedTest
  @CsvSource({
    "8192, 1, 0x80", // the block behind the last
    "8191, 2, 0x80", // half of it
    "-1, 1, 0x80", // a huge number
    "0x7fffffffffffffff, 2, 0x80",
    "0, 1025, 0x02", // more than MDTS
  })
  void refusesBlocksThatItCannotTransfer(String lba, int count, String code) {
    for (int opcode : List.of(READ, WRITE, COMPARE)) {
      assertThat(status(NvmeHost.blocks(opcode, Long.decode(lba), count)))
          .isEqualTo(Integer.decode(code) | DNR);
    }
  }

  @Test
  void refusesOtherNamespacesAndUnknownCommands() {
    for (int namespace : new int[] {0, 2, -1}) {
      assertThat(status(NvmeHost.blocks(READ, 0, 1).of(namespace))).isEqualTo(0x0b | DNR);
    }
    assertThat(status(NvmeHost.blocks(0x7f, 0, 1))).isEqualTo(0x01 | DNR);
  }

  @Test
  void flushesOneNamespaceOrAll() {
    assertThat(status(new Command(FLUSH, 1, 0, 0, 0, 0, 0))).isZero();
    assertThat(status(new Command(FLUSH, -1, 0, 0, 0, 0, 0))).isZero();
    assertThat(status(new Command(FLUSH, 2, 0, 0, 0, 0, 0))).isEqualTo(0x0b | DNR);
  }

  @Test
  void zeroesAndCompares() {
    fillRandom(DATA, 2048);
    status(NvmeHost.blocks(WRITE, 2046, 4)); // over the border of a chunk of storage
    assertThat(status(NvmeHost.blocks(COMPARE, 2046, 4))).isZero();

    assertThat(status(NvmeHost.blocks(WRITE_ZEROES, 2047, 2))).isZero();

    assertThat(status(NvmeHost.blocks(COMPARE, 2046, 4))).isEqualTo(0x285 | DNR);
    assertThat(status(NvmeHost.blocks(COMPARE, 2046, 1))).isZero();
    assertThat(status(NvmeHost.blocks(COMPARE, 2049, 1).at(DATA + 1536))).isZero();
    assertThat(status(NvmeHost.blocks(WRITE_ZEROES, BLOCKS - 1, 2))).isEqualTo(0x80 | DNR);
  }

  @ParameterizedTest
  @CsvSource({
    // blocks, offset of PRP1 in its page
    "1, 0",
    "1, 4",
    "7, 512",
    "8, 0"
  })
  void transfersWithinOnePageByItsFirstEntryAlone(int count, int offset) {
    fillRandom(DATA, 8192);

    assertThat(status(NvmeHost.blocks(WRITE, 0, count).at(DATA + offset, 0xdead_beef))).isZero();
    assertThat(status(NvmeHost.blocks(READ, 0, count).at(OTHER))).isZero();

    assertThat(mismatch(DATA + offset, OTHER, count * 512L)).isEqualTo(-1);
  }

  @ParameterizedTest
  @CsvSource({"9, 0", "16, 0", "1, 4092", "8, 4", "8, 2048"})
  void transfersOverTwoPagesByTwoEntries(int count, int offset) {
    int first = 4096 - offset;
    fillRandom(DATA, 4096);
    fillRandom(OTHER, 4096);

    assertThat(status(NvmeHost.blocks(WRITE, 0, count).at(DATA + offset, OTHER))).isZero();
    assertThat(status(NvmeHost.blocks(READ, 0, count).at(0x50_0000, 0x50_1000))).isZero();

    assertThat(mismatch(DATA + offset, 0x50_0000, first)).isEqualTo(-1);
    assertThat(mismatch(OTHER, 0x50_0000 + first, count * 512L - first)).isEqualTo(-1);
  }

  @ParameterizedTest
  @CsvSource({"17, 0", "24, 0", "9, 4092", "24, 4", "1024, 0", "1024, 8"})
  void transfersOverManyPagesByAList(int count, int offset) {
    int bytes = count * 512;
    fillRandom(DATA, bytes + 4096);
    list(LIST, DATA + 4096, 129);

    assertThat(status(NvmeHost.blocks(WRITE, 0, count).at(DATA + offset, LIST))).isZero();
    list(LIST, OTHER + 4096, 129);
    assertThat(status(NvmeHost.blocks(READ, 0, count).at(OTHER + offset, LIST))).isZero();

    assertThat(mismatch(DATA + offset, OTHER + offset, bytes)).isEqualTo(-1);
  }

  @Test
  void takesPagesInAnyOrder() {
    fillRandom(DATA, 4 * 4096);
    for (int page = 0; page < 3; page++) {
      host.memory.set(LE64, LIST + page * 8L, DATA + (3 - page) * 4096L);
    }

    assertThat(status(NvmeHost.blocks(WRITE, 0, 32).at(DATA, LIST))).isZero();
    list(LIST, OTHER + 4096, 3);
    assertThat(status(NvmeHost.blocks(READ, 0, 32).at(OTHER, LIST))).isZero();

    for (int page = 0; page < 4; page++) {
      assertThat(mismatch(DATA + (4 - page) % 4 * 4096L, OTHER + page * 4096L, 4096)).isEqualTo(-1);
    }
  }

  /** Where the list starts leaves room for so many entries before the end of its page. */
  @ParameterizedTest
  @CsvSource({"1", "2", "3", "64", "126"})
  void followsChainedLists(int room) {
    int pages = 127;
    fillRandom(DATA, (pages + 1) * 4096);
    long start = LIST + 4096 - room * 8L;
    list(start, DATA + 4096, room - 1);
    host.memory.set(LE64, LIST + 4096 - 8, 0x8000);
    list(0x8000, DATA + room * 4096L, pages - room + 1);

    assertThat(status(NvmeHost.blocks(WRITE, 0, 1024).at(DATA, start))).isZero();
    list(LIST, OTHER + 4096, pages);
    assertThat(status(NvmeHost.blocks(READ, 0, 1024).at(OTHER, LIST))).isZero();

    assertThat(mismatch(DATA, OTHER, 128 * 4096)).isEqualTo(-1);
  }

  @Test
  void usesTheLastEntryOfAPageAsDataWhenTheListEndsThere() {
    int pages = 127;
    fillRandom(DATA, (pages + 1) * 4096);
    long start = LIST + 4096 - pages * 8L;
    list(start, DATA + 4096, pages);

    assertThat(status(NvmeHost.blocks(WRITE, 0, 1024).at(DATA, start))).isZero();
    list(LIST, OTHER + 4096, pages);
    assertThat(status(NvmeHost.blocks(READ, 0, 1024).at(OTHER, LIST))).isZero();

    assertThat(mismatch(DATA, OTHER, 128 * 4096)).isEqualTo(-1);
  }

  @Test
  void refusesOffsetsWherePagesHaveToBeWhole() {
    int error = 0x13 | DNR;
    assertThat(status(NvmeHost.blocks(READ, 0, 1).at(DATA + 2))).isEqualTo(error);
    assertThat(status(NvmeHost.blocks(READ, 0, 16).at(DATA, OTHER + 512))).isEqualTo(error);
    list(LIST, OTHER + 8, 2);
    assertThat(status(NvmeHost.blocks(READ, 0, 24).at(DATA, LIST))).isEqualTo(error);
    list(LIST, OTHER, 3);
    assertThat(status(NvmeHost.blocks(READ, 0, 24).at(DATA, LIST + 4))).isEqualTo(error);
    host.memory.set(LE64, LIST + 4088, LIST + 8); // a chain to the middle of a page
    assertThat(status(NvmeHost.blocks(READ, 0, 24).at(DATA, LIST + 4088))).isEqualTo(error);
  }

  @Test
  void reportsADataTransferErrorForDataOrListOutOfReach() {
    long nowhere = NvmeHost.MEMORY_SIZE;
    assertThat(status(NvmeHost.blocks(READ, 0, 1).at(nowhere))).isEqualTo(0x04);
    assertThat(status(NvmeHost.blocks(WRITE, 0, 16).at(DATA, nowhere))).isEqualTo(0x04);
    assertThat(status(NvmeHost.blocks(WRITE, 0, 17).at(DATA, nowhere))).isEqualTo(0x04);
    assertThat(status(NvmeHost.blocks(READ, 0, 1))).as("it goes on").isZero();
  }

  @Test
  void copiesNeighbouringPagesAtOnce() {
    list(LIST, DATA + 4096, 127);
    int before = host.accesses;

    status(NvmeHost.blocks(WRITE, 0, 1024).at(DATA, LIST));

    // The command, the list, the data, and a completion in two halves.
    assertThat(host.accesses - before).isEqualTo(5);
  }

  @Test
  void usesLargerPagesWhenAskedTo() {
    host.configure(0);
    host.enable(4);
    int size = (NvmeHost.IO_ENTRIES - 1) << 16;
    assertThat(host.admin.run(Command.admin(0x05, 1 | size, 1).at(0x4000)).status())
        .as("not a page of 64 KiB")
        .isEqualTo(0x13 | DNR);
    host.io = host.new Queues(1, 0x3_0000, 0x4_0000, NvmeHost.IO_ENTRIES);
    assertThat(host.admin.run(Command.admin(0x05, 1 | size, 1).at(host.io.cq)).status()).isZero();
    assertThat(host.admin.run(Command.admin(0x01, 1 | size, 0x1_0001).at(host.io.sq)).status())
        .isZero();
    fillRandom(DATA, 1 << 16);

    assertThat(status(NvmeHost.blocks(WRITE, 0, 128))).isZero();
    assertThat(status(NvmeHost.blocks(READ, 0, 128).at(OTHER))).isZero();

    assertThat(mismatch(DATA, OTHER, 1 << 16)).isEqualTo(-1);
  }

  @Test
  void tellsQueueHeadAndCommandInItsCompletions() {
    for (int i = 1; i <= 10; i++) {
      int commandId = host.io.nextCommandId;
      var completion = host.io.run(NvmeHost.blocks(READ, 0, 1));

      assertThat(completion.sqid()).isEqualTo(1);
      assertThat(completion.commandId()).isEqualTo(commandId);
      assertThat(completion.sqHead()).isEqualTo(i % NvmeHost.IO_ENTRIES);
    }
  }

  @Test
  void carriesOutAllCommandsOfOneDoorbell() {
    for (int i = 0; i < 3; i++) {
      host.io.put(NvmeHost.blocks(READ, 0, 1));
    }
    host.io.ring();

    assertThat(host.io.takeAll()).hasSize(3);
  }

  @Test
  void waitsForRoomInAFullCompletionQueue() {
    for (int i = 0; i < 3; i++) {
      host.io.put(NvmeHost.blocks(READ, 0, 1));
    }
    host.io.ring();
    assertThat(host.io.takeAll()).hasSize(3);
    for (int i = 0; i < 2; i++) {
      host.io.put(NvmeHost.blocks(READ, 0, 1));
    }
    host.io.ring();
    assertThat(host.io.takeAll()).as("nothing was acknowledged").isEmpty();

    host.io.acknowledge();

    assertThat(host.io.takeAll()).hasSize(2);
  }

  /** Wherever in it the first free entry is. */
  @Test
  void overrunsNoCompletionQueueThatIsSmallerThanTheQueueOfItsCommands() {
    int entries = 16;
    int size = (entries - 1) << 16;
    var small = host.new Queues(2, 0x2_0000, 0x2_1000, entries);
    host.admin.run(Command.admin(0x05, 2 | ((NvmeHost.IO_ENTRIES - 1) << 16), 1).at(small.cq));
    host.admin.run(Command.admin(0x01, 2 | size, 0x2_0001).at(small.sq));
    var seen = new ArrayList<Integer>();
    var sent = new ArrayList<Integer>();
    int head = 0;
    int phase = 1;
    for (int round = 0; round < 20; round++) {
      for (int i = 0; i < 5; i++) {
        sent.add(small.put(NvmeHost.blocks(READ, 0, 1)));
      }
      small.ring();
      for (int taken = 0; taken < 5; ) {
        int posted = 0;
        for (int i = 0; i < NvmeHost.IO_ENTRIES; i++) {
          long entry = small.cq + 16L * ((head + i) % NvmeHost.IO_ENTRIES);
          int expected = head + i < NvmeHost.IO_ENTRIES ? phase : phase ^ 1;
          int last = host.memory.get(LE32, entry + 12);
          posted += ((last >> 16) & 1) == expected ? 1 : 0;
        }
        assertThat(posted).as("one entry stays free").isEqualTo(Math.min(3, 5 - taken));
        seen.add(host.memory.get(LE32, small.cq + 16L * head + 12) & 0xffff);
        head = (head + 1) % NvmeHost.IO_ENTRIES;
        phase ^= head == 0 ? 1 : 0;
        host.write(0x1000 + 8 * 2 + 4, head);
        host.settle();
        taken++;
      }
    }
    assertThat(seen).isEqualTo(sent);
  }

  @Test
  void takesNoDoorbellOfQueuesThatCannotBe() {
    host.admin.put(Command.admin(0x0c, 0, 0)); // one event for all of them
    host.admin.ring();
    for (int doorbell = 4; doorbell < 1024; doorbell++) {
      host.write(0x1000 + 4 * doorbell, 0);
    }
    assertThat(host.admin.takeAll())
        .singleElement()
        .matches(each -> (each.result() & 0xffff) == 0, "an invalid doorbell register");
    assertThat(host.io.run(NvmeHost.blocks(READ, 0, 1)).status()).isZero();
  }

  /** The queue would go on behind its end. */
  @Test
  void takesNoHeadBehindTheEndOfAQueue() {
    host.write(0x1000 + 8 + 4, NvmeHost.IO_ENTRIES);
    host.write(0x1000 + 8 + 4, -1);
    for (int i = 0; i < 10; i++) {
      assertThat(host.io.run(NvmeHost.blocks(READ, 0, 1)).status()).isZero();
    }
  }

  @Test
  void ignoresDoorbellsOfQueuesThatAreDeleted() {
    host.admin.run(Command.admin(0x00, 1, 0));
    int before = host.accesses;

    host.io.put(NvmeHost.blocks(READ, 0, 1));
    host.io.ring();

    assertThat(host.accesses).isEqualTo(before);
    assertThat(host.io.takeAll()).isEmpty();
  }

  @Test
  void sharesACompletionQueueBetweenSubmissionQueues() {
    int size = (NvmeHost.IO_ENTRIES - 1) << 16;
    long secondQueue = 0xa000;
    assertThat(host.admin.run(Command.admin(0x01, 2 | size, 0x1_0001).at(secondQueue)).status())
        .isZero();
    var second = host.new Queues(2, secondQueue, NvmeHost.IO_CQ, NvmeHost.IO_ENTRIES);
    second.put(NvmeHost.blocks(READ, 0, 1));

    host.io.run(NvmeHost.blocks(READ, 0, 1));
    second.ring();

    var completions = host.io.takeAll();
    assertThat(completions).hasSize(1);
    assertThat(completions.getFirst().sqid()).isEqualTo(2);
    assertThat(completions.getFirst().sqHead()).isEqualTo(1);
  }
}
