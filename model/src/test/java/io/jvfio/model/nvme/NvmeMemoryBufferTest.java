// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.Bar;
import io.jvfio.model.nvme.NvmeHost.Command;
import org.junit.jupiter.api.Test;

/** The Controller Memory Buffer, of version 1.4 and of version 1.3. */
class NvmeMemoryBufferTest {
  private static final int SIZE = 1 << 20;
  private static final long BASE = 0x40_0000_0000L;
  private static final int READ = 2;
  private static final int WRITE = 1;
  private static final int ALL = 0x1f;
  private static final int LOCATION = 2 | (0x3f << 3);

  private static NvmeModelOptions options() {
    return NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20));
  }

  private static NvmeHost host() {
    return new NvmeHost(options().withMemoryBuffer(SIZE));
  }

  private static void place(NvmeHost host, long base) {
    host.model.write(0, 0x50, 8, base | 3);
  }

  private static void store(NvmeHost host, long offset, long value) {
    host.model.write(2, offset, 8, value);
  }

  private static long load(NvmeHost host, long offset) {
    return host.model.read(2, offset, 8);
  }

  @Test
  void isNotThereUnlessAskedFor() {
    try (var host = new NvmeHost(options())) {
      host.model.write(0, 0x50, 8, 3);
      for (int register : new int[] {0x38, 0x3c, 0x50, 0x54, 0x58}) {
        assertThat(host.read(register)).isZero();
      }
      assertThat(host.model.bars()).hasSize(1);
    }
  }

  @Test
  void showsItselfOnceItsRegistersAreEnabled() {
    try (var host = host()) {
      assertThat(host.model.bars())
          .containsExactly(new Bar(0, 0x4000, true, false), new Bar(2, SIZE, true, true));
      host.model.config().write(0x18, 4, -1);
      assertThat(host.model.config().read(0x18, 4)).isEqualTo(-SIZE | 0xc);
      assertThat(host.read(0x04) >>> 25 & 1).as("CAP.CMBS").isEqualTo(1);
      assertThat(host.read(0x38)).isZero();
      assertThat(host.read(0x3c)).isZero();

      host.write(0x50, 1);

      assertThat(host.read(0x38)).isEqualTo(LOCATION);
      assertThat(host.read(0x3c)).isEqualTo(SIZE | ALL);
    }
  }

  @Test
  void saysThatAnAddressCannotBe() {
    try (var host = host()) {
      place(host, -4096);
      assertThat(host.read(0x58)).isEqualTo(1);
      place(host, BASE);
      assertThat(host.read(0x58)).isZero();
      assertThat(host.model.read(0, 0x50, 8)).isEqualTo(BASE | 3);
    }
  }

  @Test
  void hasQueuesAndListsAndData() {
    try (var host = host()) {
      place(host, BASE);
      host.enable();
      int size = (NvmeHost.IO_ENTRIES - 1) << 16;
      assertThat(host.admin.run(Command.admin(0x05, 1 | size, 1).at(NvmeHost.IO_CQ)).status())
          .isZero();
      assertThat(host.admin.run(Command.admin(0x01, 1 | size, 0x1_0001).at(BASE)).status())
          .isZero();
      for (int i = 0; i < 12288; i += 8) {
        store(host, 0x2000 + i, 0x0101_0101_0101_0101L * (i % 251));
      }
      store(host, 0x1000, BASE + 0x3000);
      store(host, 0x1008, BASE + 0x4000);

      run(host, 0, WRITE, 24, BASE + 0x2000, BASE + 0x1000);
      host.memory.set(LE64, 0x6000, DATA + 4096);
      host.memory.set(LE64, 0x6008, DATA + 8192);
      run(host, 1, READ, 24, DATA, 0x6000);

      for (int i = 0; i < 12288; i += 8) {
        assertThat(host.memory.get(LE64, DATA + i)).isEqualTo(load(host, 0x2000 + i));
      }
    }
  }

  /** Puts a command into the queue at the start of the buffer, and rings. */
  private static void run(
      NvmeHost host, int index, int opcode, int blocks, long first, long second) {
    long at = 64L * index;
    store(host, at, opcode | (1L << 32));
    store(host, at + 24, first);
    store(host, at + 32, second);
    store(host, at + 40, 0);
    store(host, at + 48, blocks - 1);
    host.write(0x1008, index + 1);
    var taken = host.io.takeAll();
    assertThat(taken).hasSize(1);
    assertThat(taken.getFirst().status()).isZero();
  }

  @Test
  void endsWhereItEnds() {
    try (var host = host()) {
      place(host, BASE);
      host.enableIo();
      var inside = NvmeHost.blocks(READ, 0, 8).at(BASE + SIZE - 4096);
      assertThat(host.io.run(inside).status()).isZero();
      var behind = NvmeHost.blocks(READ, 0, 1).at(BASE + SIZE);
      assertThat(host.io.run(behind).status()).isEqualTo(0x04);
      long descriptor = 1024L;
      var across = NvmeHost.blocks(READ, 0, 2).at(BASE + SIZE - 512, descriptor);
      assertThat(host.io.run(across, 0x40).status()).as("an SGL across the end").isEqualTo(0x04);
    }
  }

  @Test
  void isMemoryOfTheHostAgainWhenItIsTakenAway() {
    try (var host = host()) {
      place(host, DATA & -4096);
      host.enableIo();
      host.memory.set(LE64, DATA, -1);
      assertThat(host.io.run(NvmeHost.blocks(READ, 0, 1)).status()).isZero();
      assertThat(host.memory.get(LE64, DATA)).as("went to the buffer").isEqualTo(-1);

      host.model.write(0, 0x50, 8, 0);

      assertThat(host.io.run(NvmeHost.blocks(READ, 0, 1)).status()).isZero();
      assertThat(host.memory.get(LE64, DATA)).isZero();
    }
  }

  @Test
  void staysOverAControllerResetButNotOverAFunctionReset() {
    try (var host = host()) {
      place(host, BASE);
      host.enable();
      host.configure(0);
      assertThat(host.model.read(0, 0x50, 8)).isEqualTo(BASE | 3);

      host.model.reset();

      assertThat(host.model.read(0, 0x50, 8)).isZero();
    }
  }

  @Test
  void isAtTheAddressOfItsBarInVersion13() {
    try (var host = new NvmeHost(options().withLegacyMemoryBuffer(SIZE))) {
      assertThat(host.read(0x04) >>> 25 & 1).as("CAP.CMBS").isZero();
      assertThat(host.read(0x38)).isEqualTo(LOCATION);
      assertThat(host.read(0x3c)).isEqualTo(SIZE | ALL);
      var config = host.model.config();
      config.write(0x18, 4, 0x1000_0000);
      config.write(0x1c, 4, 0x7);
      host.enableIo();
      var read = NvmeHost.blocks(READ, 0, 1).at(0x7_1000_0000L + 512);
      assertThat(host.io.run(read).status()).as("memory decoding is off").isEqualTo(0x04);
      config.write(0x04, 2, 2);
      store(host, 512, -1);

      assertThat(host.io.run(read).status()).isZero();

      assertThat(load(host, 512)).isZero();
    }
  }

  @Test
  void takesAccessesOfEveryWidth() {
    try (var host = host()) {
      host.model.write(2, 8, 1, 0x1ff);
      host.model.write(2, 10, 2, 0x2_2222);
      host.model.write(2, 12, 4, 0xdead_beefL);

      assertThat(host.model.read(2, 8, 8)).isEqualTo(0xdead_beef_2222_00ffL);
      assertThat(host.model.read(2, 8, 1)).isEqualTo(0xff);
      assertThat(host.model.read(2, 10, 2)).isEqualTo(0x2222);
      assertThat(host.model.read(2, 12, 4)).isEqualTo(0xdead_beefL);
      assertThat(host.memory.get(LE32, DATA)).isZero();
    }
  }
}
