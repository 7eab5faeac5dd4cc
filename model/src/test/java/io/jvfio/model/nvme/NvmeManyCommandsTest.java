// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.model.nvme.FaultKernel.Call;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Completion;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** More commands at once than there is memory of the controller's for, on a file. */
class NvmeManyCommandsTest {
  private static final int READ = 2;
  private static final int WRITE = 1;
  private static final int COMPARE = 5;
  private static final int VERIFY = 0x0c;
  private static final int COPY = 0x19;

  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final int ENTRIES = 128;
  private static final int MANY = ENTRIES - 1;
  private static final int SIZE = 8 << 20;
  private static final int BLOCK = 512;
  private static final int TARGET = 4096;

  @TempDir Path directory;

  private final FaultKernel kernel = new FaultKernel();

  private NvmeHost start(boolean byRing, boolean lends) throws IOException {
    var file = directory.resolve("disk");
    byte[] bytes = new byte[SIZE];
    for (int i = 0; i < SIZE; i++) {
      bytes[i] = value(i / BLOCK);
    }
    Files.write(file, bytes);
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE)).withKernel(kernel);
    var host = new NvmeHost(byRing ? options : options.withoutRing(), lends).enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    return host;
  }

  private static byte value(int block) {
    return (byte) (1 + block % 101);
  }

  private static void assertAllDone(NvmeHost host, int count) {
    assertThat(host.io.await(count)).hasSize(count).extracting(Completion::status).containsOnly(0);
    host.io.acknowledge();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void copiesAllOfThem(boolean byRing) throws IOException {
    try (var host = start(byRing, true)) {
      for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
          long range = DATA + 32L * i;
          host.memory.set(LE64, range + 8, i + round);
          host.memory.set(LE16, range + 16, (short) 0);
          host.io.put(new Command(COPY, 1, range, 0, TARGET + i, 0, 0));
        }
        host.io.ring();
        assertAllDone(host, MANY);
        byte[] disk = Files.readAllBytes(directory.resolve("disk"));
        for (int i = 0; i < MANY * BLOCK; i++) {
          assertThat(disk[TARGET * BLOCK + i]).isEqualTo(value(i / BLOCK + round));
        }
      }
    }
  }

  /** The objects of commands that failed serve others, which have not failed. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void comparesAndVerifiesAllOfThemAfterAllHaveFailed(boolean byRing) throws IOException {
    try (var _ = new LogLines();
        var host = start(byRing, true)) {
      kernel.rule(
          call -> call.kind() == Kind.READ ? FaultKernel.errno(Errno.EIO) : FaultKernel.MADE);
      for (int i = 0; i < MANY; i++) {
        host.io.put(NvmeHost.blocks(READ, i, 1));
      }
      host.io.ring();
      assertThat(host.io.await(MANY))
          .hasSize(MANY)
          .extracting(Completion::status)
          .containsOnly(0x4281);
      host.io.acknowledge();
      kernel.rule(null);
      for (int i = 0; i < MANY; i++) {
        host.memory.asSlice(DATA + (long) i * BLOCK, BLOCK).fill(value(i));
        host.io.put(NvmeHost.blocks(i % 2 == 0 ? COMPARE : VERIFY, i, 1).at(DATA + 512L * i));
      }
      host.io.ring();
      assertAllDone(host, MANY);
    }
  }

  /** Memory that cannot be lent is copied, through 32 buffers of the storage's. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void transfersAllOfThemThroughFewBuffers(boolean byRing) throws IOException {
    try (var host = start(byRing, false)) {
      kernel.rule(_ -> FaultKernel.HELD);
      for (int i = 0; i < MANY; i++) {
        if (i % 2 == 0) {
          host.io.put(NvmeHost.blocks(READ, i, 1).at(DATA + 512L * i));
        } else {
          host.memory.asSlice(DATA + 512L * i, BLOCK).fill((byte) 0x77);
          host.io.put(NvmeHost.blocks(WRITE, i, 1).at(DATA + 512L * i));
        }
      }
      host.io.ring();
      kernel.awaitHeld(byRing ? 32 : 8, host);
      assertThat(host.io.takeAll()).isEmpty();
      kernel.rule(null);
      kernel.releaseAll();
      assertAllDone(host, MANY);
      byte[] disk = Files.readAllBytes(directory.resolve("disk"));
      for (int i = 0; i < MANY; i++) {
        byte expected = i % 2 == 0 ? value(i) : 0x77;
        var memory = host.memory.asSlice(DATA + 512L * i, BLOCK);
        var stored = MemorySegment.ofArray(disk).asSlice(512L * i, BLOCK);
        assertThat(memory.mismatch(stored)).isEqualTo(-1);
        assertThat(disk[i * BLOCK]).isEqualTo(expected);
      }
    }
  }

  /** So do commands of many pieces, which each wait for a buffer in turn. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void transfersLongOnesThroughFewBuffers(boolean byRing) throws IOException {
    try (var host = start(byRing, false)) {
      kernel.record();
      int blocks = 1024;
      int commands = 48;
      long list = 0x8_0000;
      for (int i = 0; i < 127; i++) {
        host.memory.set(LE64, list + 8L * i, DATA + 4096L * (i + 1));
      }
      for (int i = 0; i < commands; i++) {
        host.io.put(NvmeHost.blocks(READ, (i % 8L) * blocks, blocks).at(DATA, list));
      }
      host.io.ring();
      assertAllDone(host, commands);
      assertThat(kernel.calls())
          .hasSize(commands * 4)
          .extracting(Call::byteSize)
          .containsOnly(128L << 10);
    }
  }

  /** Those that wait for a buffer do not need it any more, and neither do those behind them. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void failsAllOfThemWhenTheFileIsMadeShorter(boolean byRing) throws IOException {
    try (var _ = new LogLines();
        var host = start(byRing, false)) {
      kernel.rule(_ -> FaultKernel.HELD);
      for (int i = 0; i < MANY; i++) {
        host.io.put(NvmeHost.blocks(WRITE, i, 1));
      }
      host.io.ring();
      kernel.awaitHeld(byRing ? 32 : 8, host);
      kernel.claimSize(SIZE / 2);
      kernel.rule(null);
      kernel.releaseAll();

      var done = host.io.await(MANY);
      assertThat(done).hasSize(MANY);
      assertThat(done).filteredOn(each -> each.status() == 0x4280).hasSize(MANY - 32);
    }
  }

  /** As before, but it is memory that was taken away. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void failsAllOfThemWhenTheirMemoryIsGone(boolean byRing) throws IOException {
    try (var host = start(byRing, false)) {
      kernel.rule(_ -> FaultKernel.HELD);
      for (int i = 0; i < MANY; i++) {
        host.io.put(NvmeHost.blocks(WRITE, i, 1));
      }
      host.io.ring();
      kernel.awaitHeld(byRing ? 32 : 8, host);
      host.mappedEnd = DATA;
      kernel.rule(null);
      kernel.releaseAll();

      var done = host.io.await(MANY);
      assertThat(done).hasSize(MANY);
      assertThat(done).filteredOn(each -> each.status() == 0x004).hasSize(MANY - 32);
    }
  }
}
