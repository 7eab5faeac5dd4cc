// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeHost.Command;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Doorbell registers that software has as memory: what it stores there, and what the model does.
 */
class NvmeMappedDoorbellsTest {
  private static final Command READ = NvmeHost.blocks(2, 0, 1);
  private static final Command EVENT_REQUEST = Command.admin(0x0c, 0, 0);
  private static final int BAD_VALUE = 0x0001_0100;
  private static final long SHADOWS = 0x2_0000;
  private static final long EVENTS = 0x2_1000;

  private final NvmeHost host =
      new NvmeHost(NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withPolling());

  private final MemorySegment page = newPage();

  private static MemorySegment newPage() {
    return Arena.ofAuto().allocate(0x1000, 0x1000);
  }

  @BeforeEach
  void map() {
    host.model.mapRegisters(page);
    host.enableIo();
  }

  @AfterEach
  void close() {
    host.close();
  }

  private void store(int doorbell, int value) {
    page.set(LE32, 4L * doorbell, value);
  }

  private int stored(int doorbell) {
    return page.get(LE32, 4L * doorbell);
  }

  private int rounds() {
    int rounds = 0;
    while (host.model.poll()) {
      rounds++;
    }
    return rounds;
  }

  @Test
  void offersTheDoorbellsAndNothingElse() {
    var registers = host.model.mappableRegisters().orElseThrow();

    assertThat(registers.bar()).isZero();
    assertThat(registers.offset()).isEqualTo(0x1000);
    assertThat(registers.byteSize()).isEqualTo(0x1000);
  }

  @Test
  void takesWhatIsStoredWhenItIsPolled() {
    for (int i = 0; i < 3 * NvmeHost.IO_ENTRIES; i++) {
      host.io.put(READ);
      store(2, host.io.tail);
      assertThat(host.io.takeAll()).as("nobody was told").isEmpty();

      rounds();
      assertThat(host.io.takeAll()).as("command %d", i).hasSize(1);
      store(3, host.io.head);
    }
  }

  @Test
  void aFullCompletionQueueWaitsForTheStoreOfItsHead() {
    for (int i = 1; i < NvmeHost.IO_ENTRIES; i++) {
      host.io.put(READ);
    }
    store(2, host.io.tail);
    rounds();
    assertThat(host.io.takeAll()).hasSize(NvmeHost.IO_ENTRIES - 1);
    host.io.put(READ);
    store(2, host.io.tail);
    rounds();
    assertThat(host.io.takeAll()).as("no room").isEmpty();

    store(3, host.io.head);
    rounds();
    assertThat(host.io.takeAll()).hasSize(1);
  }

  @Test
  void looksAtTheDoorbellsOfAllQueues() {
    var second = host.createQueues(2, 0x8000, 0x9000, 8);
    var fifth = host.createQueues(5, 0xa000, 0xb000, 8);
    for (var queue : new NvmeHost.Queues[] {host.io, second, fifth}) {
      queue.put(READ);
      store(2 * queue.id, queue.tail);
    }
    host.admin.put(EVENT_REQUEST);
    host.admin.put(Command.admin(0x0a, 0x07, 0)); // Get Features, Number of Queues
    store(0, host.admin.tail);

    rounds();

    for (var queue : new NvmeHost.Queues[] {host.io, second, fifth, host.admin}) {
      assertThat(queue.takeAll()).as("queue %d", queue.id).hasSize(1);
    }
  }

  @Test
  void tellsOfABadValueOnceAndGoesOn() {
    host.admin.put(EVENT_REQUEST);
    host.admin.put(EVENT_REQUEST);
    host.admin.ring();

    store(2, NvmeHost.IO_ENTRIES); // a tail behind the end
    rounds();
    assertThat(host.admin.takeAll()).singleElement().extracting("result").isEqualTo(BAD_VALUE);
    host.admin.acknowledge();
    host.admin.run(Command.admin(0x02, 0x01 | (15 << 16), 0).at(NvmeHost.DATA));
    rounds();
    assertThat(host.admin.takeAll()).as("it is the same store").isEmpty();

    store(3, 1); // a completion taken that was not posted
    rounds();
    assertThat(host.admin.takeAll()).singleElement().extracting("result").isEqualTo(BAD_VALUE);
    host.admin.acknowledge();

    host.io.put(READ);
    store(2, host.io.tail);
    rounds();
    assertThat(host.io.takeAll()).hasSize(1);
  }

  /** There is nothing to compare them with, and a register that nobody has may hold anything. */
  @Test
  void doorbellsOfNoQueueAreNotLookedAt() {
    host.admin.put(EVENT_REQUEST);
    host.admin.ring();
    for (int doorbell = 4; doorbell < 1024; doorbell++) {
      store(doorbell, -1);
    }
    assertThat(rounds()).isZero();
    assertThat(host.admin.takeAll()).isEmpty();
  }

  @Test
  void aQueueBeginsWithZeroWhateverWasThere() {
    store(4, 3);
    store(5, 2);
    var queue = host.createQueues(2, 0x8000, 0x9000, 8);
    rounds();

    assertThat(stored(4)).isZero();
    assertThat(stored(5)).isZero();
    assertThat(queue.takeAll()).isEmpty();
    queue.put(READ);
    store(4, queue.tail);
    rounds();
    assertThat(queue.takeAll()).hasSize(1);
  }

  @Test
  void aWriteByCallIsInMemoryToo() {
    host.io.put(READ);
    store(2, host.io.tail);
    rounds();
    host.io.put(READ);
    host.io.ring();

    assertThat(host.io.takeAll()).hasSize(2);
    assertThat(stored(2)).isEqualTo(2);
    assertThat(rounds()).as("what was stored before is not taken for new").isZero();
  }

  @Test
  void aResetTakesQueuesAndDoorbells() {
    host.io.put(READ);
    host.configure(0);
    assertThat(page.mismatch(newPage())).isEqualTo(-1);
    store(0, 5);
    store(2, host.io.tail);
    assertThat(rounds()).isZero();

    host.enable();
    assertThat(rounds()).as("a value from before is no command").isZero();
    assertThat(stored(0)).isZero();
    host.createIoQueues();
    host.io.put(READ);
    store(2, host.io.tail);
    rounds();
    assertThat(host.io.takeAll()).hasSize(1);
  }

  @Test
  void anotherPageBeginsWithTheValuesThatThereAre() {
    host.io.run(READ);
    host.io.run(READ);
    host.model.unmapRegisters();
    store(2, 0);
    assertThat(rounds()).as("a page that was taken away").isZero();

    var other = newPage();
    host.model.mapRegisters(other);
    assertThat(other.get(LE32, 8)).isEqualTo(2);
    assertThat(other.get(LE32, 12)).isEqualTo(2);
    assertThat(rounds()).isZero();
  }

  @Test
  void shadowDoorbellsAreStillTheTruth() {
    host.memory.asSlice(SHADOWS, 0x2000).fill((byte) 0);
    assertThat(host.admin.run(Command.admin(0x7c, 0, 0).at(SHADOWS, EVENTS)).status()).isZero();
    host.io.put(READ);
    store(2, host.io.tail);
    rounds();
    assertThat(host.io.takeAll()).as("the register only says that it is time to look").isEmpty();

    host.memory.set(LE32, SHADOWS + 8, host.io.tail);
    rounds();
    assertThat(host.io.takeAll()).hasSize(1);
    host.memory.set(LE32, SHADOWS + 12, host.io.head);
    rounds();
    assertThat(stored(3)).isZero();
  }
}
