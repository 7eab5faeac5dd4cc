// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeHost.Command;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Completions that tell of themselves, by message and by line. */
class NvmeInterruptsTest {
  private static final int GET_QUEUES = 7;
  private static final int SIZE = (NvmeHost.IO_ENTRIES - 1) << 16;
  private static final int STATUS_INTERRUPT = 1 << 3;

  private NvmeHost host = new NvmeHost(NvmeModel.inMemory("S", 1 << 20));

  @BeforeEach
  void enable() {
    host.enable();
  }

  /** Another controller takes the place of the one with MSI-X. */
  private void useMsi(int queuePairs) {
    host.close();
    var namespace = NvmeNamespaceOptions.inMemory(1 << 20);
    host =
        new NvmeHost(
            NvmeModel.of(NvmeModelOptions.of("S", namespace).withQueuePairs(queuePairs).withMsi()));
    host.enable();
  }

  @AfterEach
  void close() {
    host.close();
  }

  private void enableMsix() {
    host.model.config().write(0x42, 2, 0x8000);
  }

  private void createIoQueues(int flags) {
    assertThat(host.admin.run(Command.admin(0x05, 1 | SIZE, flags).at(NvmeHost.IO_CQ)).status())
        .isZero();
    assertThat(host.admin.run(Command.admin(0x01, 1 | SIZE, 0x1_0001).at(NvmeHost.IO_SQ)).status())
        .isZero();
    host.signals.clear();
  }

  private boolean statusBit() {
    return (host.model.config().read(0x06, 2) & STATUS_INTERRUPT) != 0;
  }

  @Test
  void signalsTheVectorOfTheQueueOnceForAllThatADoorbellBrought() {
    enableMsix();
    createIoQueues(3 | (5 << 16));

    for (int i = 0; i < 3; i++) {
      host.io.put(NvmeHost.blocks(2, 0, 1));
    }
    host.io.ring();

    assertThat(host.signals).containsExactly(5);
    assertThat(host.io.takeAll()).hasSize(3);
    assertThat(host.line).isFalse();
  }

  @Test
  void signalsVector0ForTheAdminQueue() {
    enableMsix();

    host.admin.run(Command.admin(0x0a, GET_QUEUES, 0));

    assertThat(host.signals).containsExactly(0);
    assertThat(host.line).isFalse();
  }

  @Test
  void signalsNothingForAQueueWithoutInterrupts() {
    enableMsix();
    createIoQueues(1 | (5 << 16));

    host.io.run(NvmeHost.blocks(2, 0, 1));

    assertThat(host.signals).isEmpty();
  }

  @Test
  void signalsAgainWhenRoomLetsMoreComplete() {
    enableMsix();
    createIoQueues(3 | (5 << 16));
    for (int i = 0; i < 3; i++) {
      host.io.put(NvmeHost.blocks(2, 0, 1));
    }
    host.io.ring();
    host.io.takeAll();
    host.io.put(NvmeHost.blocks(2, 0, 1));
    host.io.ring();
    assertThat(host.signals).as("no room yet").containsExactly(5);

    host.io.acknowledge();

    assertThat(host.signals).containsExactly(5, 5);
  }

  @Test
  void holdsTheLineUntilAllCompletionsAreTaken() {
    host.admin.put(Command.admin(0x0a, GET_QUEUES, 0));
    host.admin.put(Command.admin(0x0a, GET_QUEUES, 0));
    host.admin.ring();
    assertThat(host.line).isTrue();
    assertThat(statusBit()).isTrue();

    host.write(0x1004, 1);
    assertThat(host.line).as("one is left").isTrue();

    host.write(0x1004, 2);
    assertThat(host.line).isFalse();
    assertThat(statusBit()).isFalse();
  }

  @Test
  void masksTheLineVectorByVector() {
    createIoQueues(3 | (5 << 16));
    host.write(0x0c, 1 << 5);

    host.io.put(NvmeHost.blocks(2, 0, 1));
    host.io.ring();
    assertThat(host.line).as("masked").isFalse();

    host.write(0x10, 1 << 5);
    assertThat(host.line).isTrue();
    host.write(0x0c, 1 << 5);
    assertThat(host.line).isFalse();
  }

  @Test
  void lowersTheLineWithAReset() {
    host.admin.put(Command.admin(0x0a, GET_QUEUES, 0));
    host.admin.ring();
    assertThat(host.line).isTrue();
    host.configure(0);
    assertThat(host.line).isFalse();

    host.enable();
    host.admin.put(Command.admin(0x0a, GET_QUEUES, 0));
    host.admin.ring();
    assertThat(host.line).isTrue();
    host.model.reset();
    assertThat(host.line).isFalse();
  }

  @ParameterizedTest
  @CsvSource({"1, 2", "2, 4", "31, 32", "64, 32"})
  void hasAPowerOfTwoMsiMessagesAndNoMsix(int queuePairs, int messages) {
    useMsi(queuePairs);

    var config = host.model.config();
    assertThat(config.read(0x34, 1)).isEqualTo(0x40);
    assertThat(config.read(0x40, 1)).as("MSI").isEqualTo(5);
    assertThat(config.read(0x41, 1)).as("PCI Express is next").isEqualTo(0x80);
    assertThat(1 << (config.read(0x42, 2) >> 1 & 7)).isEqualTo(messages);
    assertThat(host.model.msixVectors()).isZero();
    assertThat(host.read(0x2000 + 12)).as("no table, whose vectors are masked").isZero();
    host.write(0x2000, 0x41);
    assertThat(host.read(0x2000)).isZero();
    int beyond = 3 | messages << 16;
    assertThat(host.admin.run(Command.admin(0x05, 1 | SIZE, beyond).at(NvmeHost.IO_CQ)).status())
        .as("Invalid Interrupt Vector")
        .isEqualTo(0x108 | 0x4000);
  }

  @Test
  void signalsByMsiOnceItIsOn() {
    useMsi(64);
    host.admin.put(Command.admin(0x0a, GET_QUEUES, 0));
    host.admin.ring();
    assertThat(host.line).as("as long as MSI is off").isTrue();
    host.admin.takeAll();
    host.admin.acknowledge();

    host.model.config().write(0x42, 2, 1 | 5 << 4);
    createIoQueues(3 | (5 << 16));
    host.io.run(NvmeHost.blocks(2, 0, 1));

    assertThat(host.signals).containsExactly(5);
    assertThat(host.line).isFalse();
    assertThat(statusBit()).isFalse();
  }

  /** INTMS goes for MSI; what is masked is told of when that ends. */
  @Test
  void holdsTheMessageOfAMaskedVectorBack() {
    useMsi(64);
    host.model.config().write(0x42, 2, 1 | 5 << 4);
    createIoQueues(3 | (5 << 16));
    host.write(0x0c, 1 << 5);
    host.io.put(NvmeHost.blocks(2, 0, 1));
    host.io.ring();
    host.admin.run(Command.admin(0x0a, GET_QUEUES, 0));
    assertThat(host.signals).as("vector 5 is masked").containsExactly(0);

    host.write(0x10, 1 << 5);

    assertThat(host.signals).containsExactly(0, 5);
    host.write(0x10, 1 << 5);
    assertThat(host.signals).as("once").containsExactly(0, 5);
  }

  @Test
  void leavesMsixToItsOwnMasks() {
    enableMsix();
    createIoQueues(3 | (5 << 16));
    host.write(0x0c, 1 << 5);

    host.io.run(NvmeHost.blocks(2, 0, 1));

    assertThat(host.signals).containsExactly(5);
  }

  @Test
  void tellsOfAsynchronousEvents() {
    enableMsix();
    host.admin.put(Command.admin(0x0c, 0, 0));
    host.admin.ring();
    assertThat(host.signals).isEmpty();

    host.write(0x1000 + 8 * 5, 1); // no such queue

    assertThat(host.signals).containsExactly(0);
  }

  /** INTMS has a bit for each of the vectors 0 to 31. */
  @Test
  void masksTheVectorsThatTheRegisterHas() {
    for (int vector : new int[] {0, 31, 32, 33}) {
      host.configure(0);
      host.enable();
      host.write(0x0c, -1);
      createIoQueues(3 | (vector << 16));
      host.io = host.new Queues(1, NvmeHost.IO_SQ, NvmeHost.IO_CQ, NvmeHost.IO_ENTRIES);
      host.memory.asSlice(NvmeHost.IO_CQ, 0x1000).fill((byte) 0);
      host.io.put(NvmeHost.blocks(2, 0, 1));
      host.io.ring();
      assertThat(host.line).as("vector %d, all bits set", vector).isEqualTo(vector >= 32);
      host.write(0x10, -1);
      assertThat(host.line).as("vector %d, no bit set", vector).isTrue();
    }
  }
}
