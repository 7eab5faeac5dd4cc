// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.model.nvme.NvmeHost.Command;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands whose data lies in a great many pieces: what they need is bounded, and given back. */
class NvmePiecesTest {
  private static final int READ = 2;
  private static final int DATASET_MANAGEMENT = 9;
  private static final int DEALLOCATE = 4;
  private static final int SGL = 0x40;
  private static final long LAST_SEGMENT = 0x30;
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final int ENTRIES = 1024;
  private static final long LIST = 0x8_0000;
  private static final int PIECES = 2048;

  /** What all commands under way have at most, of which the last may bring more. */
  private static final int MOST_PIECES = 1 << 17;

  private final HeldStorage disk = new HeldStorage(1 << 20);

  private NvmeHost started() {
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.in(disk));
    var host = new NvmeHost(options, true).enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    return host;
  }

  private void assertBoundedAndDone(NvmeHost host, int commands, int pieces) {
    disk.holds = true;
    host.io.ring();
    assertThat(disk.heldCount()).isEqualTo(MOST_PIECES / pieces);
    assertThat(host.admin.run(Command.admin(0x0a, 7, 0)).status()).as("others go on").isZero();

    disk.releaseAll();
    host.model.poll();
    host.settle();
    assertThat(host.io.takeAll()).hasSize(commands).allMatch(each -> each.status() == 0);
    host.io.acknowledge();
  }

  private static void putDescriptors(NvmeHost host) {
    for (int i = 0; i < PIECES; i++) {
      host.memory.set(LE64, LIST + 16L * i, DATA + 512L * i);
      host.memory.set(LE64, LIST + 16L * i + 8, 256);
    }
  }

  private static void putRead(NvmeHost host) {
    var read = NvmeHost.blocks(READ, 0, 1024).at(LIST, 16 * PIECES | LAST_SEGMENT << 56);
    host.io.put(read, SGL);
  }

  @Test
  void boundsWhatLongListsOfAllCommandsTake() {
    try (var host = started()) {
      putDescriptors(host);
      for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
          putRead(host);
        }
        assertBoundedAndDone(host, 200, PIECES);
      }
    }
  }

  @Test
  void boundsWhatRangesOfAllCommandsTake() {
    try (var host = started()) {
      for (int i = 0; i < 256; i++) {
        host.memory.set(LE32, LIST + 16L * i + 4, 1);
        host.memory.set(LE64, LIST + 16L * i + 8, i);
      }
      for (int i = 0; i < 600; i++) {
        host.io.put(new Command(DATASET_MANAGEMENT, 1, LIST, 0, 255, DEALLOCATE, 0));
      }
      assertBoundedAndDone(host, 600, 256);
    }
  }

  /** What is under way will complete: room for that is not room for others. */
  @Test
  void fetchesNoMoreThanTheCompletionQueueHasRoomFor() {
    try (var host = started()) {
      int entries = 4;
      int size = (entries - 1) << 16;
      host.admin.run(Command.admin(0x05, 2 | size, 1).at(NvmeHost.IO_CQ));
      host.admin.run(Command.admin(0x01, 2 | 15 << 16, 0x2_0001).at(NvmeHost.IO_SQ));
      var small = host.new Queues(2, NvmeHost.IO_SQ, NvmeHost.IO_CQ, 16);
      disk.holds = true;
      for (int i = 0; i < 10; i++) {
        small.put(NvmeHost.blocks(READ, i, 1));
        small.ring();
      }
      assertThat(disk.heldCount()).isEqualTo(entries - 1);
      disk.release();
      host.model.poll();
      assertThat(disk.heldCount()).as("one has completed").isEqualTo(entries - 2);
      host.write(0x1000 + 8 * 2 + 4, 1);
      host.settle();
      assertThat(disk.heldCount()).as("and was taken").isEqualTo(entries - 1);
      disk.releaseAll();
    }
  }

  /** Those that a reset takes back from the disk, and those that go on without it. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aResetGivesBackWhatTheyTook(boolean isCancelling) {
    try (var host = started()) {
      putDescriptors(host);
      disk.isCancelling = isCancelling;
      for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MOST_PIECES / PIECES; i++) {
          putRead(host);
        }
        disk.holds = true;
        host.io.ring();
        assertThat(disk.heldCount()).as("round %d", round).isEqualTo(MOST_PIECES / PIECES);
        host.configure(0);
        disk.releaseAll();
        host.model.poll();
        host.settle();
        host.enable();
        host.io = host.createQueues(1, SQ, CQ, ENTRIES);
      }
    }
  }

  private static long allocated(Runnable work) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    work.run();
    return threads.getCurrentThreadAllocatedBytes() - before;
  }

  private static void fill(NvmeRuns runs, int count) {
    runs.clear();
    for (int i = 0; i < count; i++) {
      runs.add(4096L * i, 256);
    }
  }

  @Test
  void aLongListIsNotKeptForTheNextCommand() {
    var runs = new NvmeRuns();
    fill(runs, 129); // the longest transfer by PRPs
    fill(runs, PIECES);

    assertThat(allocated(() -> fill(runs, PIECES))).isGreaterThan(17L * PIECES);
  }

  @Test
  void whatOneCallNeededForItsVectorsIsTheNextOnes() {
    try (var arena = Arena.ofConfined()) {
      var memory = new FileVectors(arena);
      var addresses = new ArrayList<Long>();
      for (int i = 0; i < 2; i++) {
        var call = new FileCall(memory, i);
        for (int vector = 0; vector < FileCall.MOST_VECTORS; vector++) {
          call.addVector(vector, 2L * vector);
        }
        addresses.add(call.vectors().address());
        for (int vector = 0; vector < FileCall.MOST_VECTORS; vector++) {
          var vectors = call.vectors();
          assertThat(vectors.getAtIndex(ValueLayout.JAVA_LONG, 2L * vector)).isEqualTo(vector);
          assertThat(vectors.getAtIndex(ValueLayout.JAVA_LONG, 2L * vector + 1))
              .isEqualTo(2L * vector);
        }
        call.giveVectorsBack();
        assertThat(call.vectorCount()).isZero();
      }
      assertThat(addresses.get(1)).isEqualTo(addresses.get(0));
    }
  }
}
