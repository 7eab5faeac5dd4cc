// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.nvme.NvmeHost.Command;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is begun together takes one system call: how many there are for commands at depth 32. */
class NvmeBatchesTest {
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int SIZE = 1 << 20;
  private static final int BLOCKS = 8;
  private static final int DEPTH = 32;
  private static final int ROUNDS = 100;

  /** For so many commands there is one {@code io_uring_enter} at most. */
  private static final int COMMANDS_OF_A_CALL = 8;

  private static final int ENTRIES = 64;
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final long DOORBELLS = 0x2_0000;
  private static final long EVENTS = 0x2_1000;
  private static final int SQ_DOORBELL = 2;
  private static final int CQ_DOORBELL = 3;

  @TempDir Path directory;

  /** Counts how often the kernel is entered for a ring. */
  private static final class Counting extends ForwardingKernel {
    private int enters;

    Counting(Kernel kernel) {
      super(kernel);
    }

    @Override
    public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
      enters++;
      return super.ioUringEnter(fd, toSubmit, minComplete, flags);
    }
  }

  private NvmeModelOptions options(Kernel kernel) throws IOException {
    var file = Files.write(directory.resolve("disk"), new byte[SIZE]);
    return NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE)).withKernel(kernel);
  }

  private static NvmeHost start(NvmeModelOptions options) {
    var host = new NvmeHost(options, true).enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    return host;
  }

  private static void put(NvmeHost host, int opcode, int number) {
    int slot = number % DEPTH;
    host.io.put(
        NvmeHost.blocks(opcode, (long) BLOCKS * slot, BLOCKS).at(NvmeHost.DATA + 0x1000L * slot));
  }

  private void assertFewCalls(Counting kernel, int opcode) throws IOException {
    try (var host = start(options(kernel))) {
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < DEPTH; i++) {
          put(host, opcode, i);
        }
        host.io.ring();
        assertThat(host.io.await(DEPTH)).hasSize(DEPTH).allMatch(each -> each.status() == 0);
        host.io.acknowledge();
      }
      assertThat(kernel.enters)
          .as("for %d commands", ROUNDS * DEPTH)
          .isBetween(ROUNDS, ROUNDS * DEPTH / COMMANDS_OF_A_CALL);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {READ, WRITE})
  void aDoorbellOfManyCommandsTakesFewCalls(int opcode) throws IOException {
    assertFewCalls(new Counting(new FaultKernel()), opcode);
  }

  /** What the page cache does not end at once, this machine's kernel ends later. */
  @ParameterizedTest
  @ValueSource(ints = {READ, WRITE})
  void andSoItIsWithTheKernelOfThisMachine(int opcode) throws IOException {
    var kernel = new Counting(LinuxKernel.instance());
    try (var model = NvmeModel.of(options(kernel))) {
      Assumptions.assumeTrue(
          model.storage().getFirst().contains("io_uring"), "this machine forbids io_uring");
    }
    assertFewCalls(kernel, opcode);
  }

  /** A client that rings no doorbell, as its controller is polled: 8 come for one look. */
  @Test
  void aPolledControllerTakesFewCalls() throws IOException {
    var kernel = new Counting(new FaultKernel());
    try (var host = start(options(kernel).withPolling())) {
      assertThat(host.admin.run(Command.admin(0x7c, 0, 0).at(DOORBELLS, EVENTS)).status()).isZero();
      int number = 0;
      int done = 0;
      while (done < ROUNDS * DEPTH) {
        for (int i = 0; i < COMMANDS_OF_A_CALL && number - done < DEPTH; i++) {
          put(host, READ, number++);
        }
        host.memory.set(LE32, DOORBELLS + 4L * SQ_DOORBELL, host.io.tail);
        assertThat(host.model.poll()).isTrue();
        done += host.io.takeAll().size();
        host.memory.set(LE32, DOORBELLS + 4L * CQ_DOORBELL, host.io.head);
      }
      assertThat(kernel.enters)
          .as("for %d commands", number)
          .isBetween(ROUNDS, number / COMMANDS_OF_A_CALL);
    }
  }
}
