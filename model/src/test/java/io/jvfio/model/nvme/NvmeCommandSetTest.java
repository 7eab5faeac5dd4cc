// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.model.nvme.NvmeHost.Command;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Optional I/O commands, several namespaces, and controllers of other sizes. */
class NvmeCommandSetTest {
  private static final int DNR = 0x4000;
  private static final int FLUSH = 0;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int COMPARE = 5;
  private static final int WRITE_ZEROES = 8;
  private static final int DATASET_MANAGEMENT = 9;
  private static final int VERIFY = 0xc;
  private static final int COPY = 0x19;
  private static final int DEALLOCATE = 4;
  private static final long GIB = 1L << 30;
  private static final long TIB = 1L << 40;

  private final NvmeHost host =
      new NvmeHost(
          NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(2 * GIB))
              .withNamespace(NvmeNamespaceOptions.inMemory(16 * TIB).withBlockSize(4096))
              .withNamespace(NvmeNamespaceOptions.inMemory(1 << 20).withWriteProtection())
              .withModel("A model")
              .withFirmware("2.71828")
              .withQueueEntries(65536)
              .withQueuePairs(255)
              .withMaxTransfer(8 << 20));

  NvmeCommandSetTest() {
    host.enableIo();
  }

  @AfterEach
  void close() {
    host.close();
  }

  private int status(Command command) {
    return host.io.run(command).status();
  }

  private void write(int namespace, long lba, int value) {
    host.memory.asSlice(DATA, 4096).fill((byte) value);
    assertThat(status(NvmeHost.blocks(WRITE, lba, 1).of(namespace))).isZero();
  }

  private int read(int namespace, long lba) {
    assertThat(status(NvmeHost.blocks(READ, lba, 1).of(namespace))).isZero();
    return host.memory.get(LE8, DATA);
  }

  private long blocksInUse(int namespace) {
    var identify = new Command(6, namespace, DATA, 0, 0, 0, 0);
    assertThat(host.admin.run(identify).status()).isZero();
    return host.memory.get(LE64, DATA + 16);
  }

  private void range(int index, long first, long count) {
    host.memory.set(LE32, DATA + 16L * index, 0);
    host.memory.set(LE32, DATA + 16L * index + 4, (int) count);
    host.memory.set(LE64, DATA + 16L * index + 8, first);
  }

  private static Command manage(int ranges, int attributes) {
    return new Command(DATASET_MANAGEMENT, 1, DATA, 0, ranges - 1, attributes, 0);
  }

  @Test
  void tellsWhatItIsMadeOf() {
    assertThat(host.admin.run(new Command(6, 0, DATA, 0, 1, 0, 0)).status()).isZero();
    assertThat(text(24, 40)).isEqualTo("A model" + " ".repeat(33));
    assertThat(text(64, 8)).isEqualTo("2.71828 ");
    assertThat(host.memory.get(LE8, DATA + 77)).as("MDTS").isEqualTo((byte) 11);
    assertThat(host.memory.get(LE32, DATA + 516)).as("NN").isEqualTo(3);
    assertThat(host.memory.get(LE16, DATA + 256)).as("OACS").isEqualTo((short) 0x100);
    assertThat(host.memory.get(LE16, DATA + 520)).as("ONCS").isEqualTo((short) 0x1dd);
    assertThat(host.memory.get(LE64, DATA + 280)).isEqualTo(2 * GIB + 16 * TIB + (1 << 20));
    assertThat(host.read(0) & 0xffff).as("MQES").isEqualTo(65535);
    assertThat(host.model.msixVectors()).isEqualTo(256);
    assertThat(host.model.config().read(0x42, 2)).isEqualTo(255);
    assertThat(host.admin.run(Command.admin(0x0a, 7, 0)).result()).isEqualTo(0x00fe_00fe);
  }

  private String text(long offset, int length) {
    byte[] bytes = host.memory.asSlice(DATA + offset, length).toArray(ValueLayout.JAVA_BYTE);
    return new String(bytes, StandardCharsets.US_ASCII);
  }

  @Test
  void listsItsNamespacesAndTheirFormats() {
    assertThat(host.admin.run(new Command(6, 1, DATA, 0, 2, 0, 0)).status()).isZero();
    assertThat(host.memory.get(LE64, DATA)).isEqualTo(2L | (3L << 32));
    assertThat(host.memory.get(LE32, DATA + 8)).isZero();

    assertThat(host.admin.run(new Command(6, 2, DATA, 0, 0, 0, 0)).status()).isZero();
    assertThat(host.memory.get(LE64, DATA)).isEqualTo(16 * TIB / 4096);
    assertThat(host.memory.get(LE8, DATA + 25)).as("NLBAF").isEqualTo((byte) 3);
    assertThat(host.memory.get(LE8, DATA + 26)).as("FLBAS").isEqualTo((byte) 3);
    for (int format = 0; format < 4; format++) {
      assertThat(host.memory.get(LE32, DATA + 128 + 4L * format)).isEqualTo((9 + format) << 16);
    }
    assertThat(host.admin.run(new Command(6, 3, DATA, 0, 0, 0, 0)).status()).isZero();
    assertThat(host.memory.get(LE8, DATA + 99)).as("write protected").isEqualTo((byte) 1);
  }

  @Test
  void keepsNamespacesApart() {
    write(1, 5, 1);
    write(2, 5, 2);

    assertThat(read(1, 5)).isEqualTo(1);
    assertThat(read(2, 5)).isEqualTo(2);
    assertThat(read(3, 5)).isZero();
    assertThat(status(new Command(READ, 4, DATA, 0, 0, 0, 0))).isEqualTo(0x0b | DNR);
  }

  @Test
  void reachesTheEndOfAHugeNamespace() {
    long last = 16 * TIB / 4096 - 1;
    write(2, last, 7);
    assertThat(read(2, last)).isEqualTo(7);
    assertThat(read(2, last - 1)).isZero();
    assertThat(status(NvmeHost.blocks(READ, last + 1, 1).of(2))).isEqualTo(0x80 | DNR);
    assertThat(blocksInUse(2)).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(ints = {WRITE, WRITE_ZEROES, DATASET_MANAGEMENT, COPY})
  void protectsANamespace(int opcode) {
    assertThat(status(NvmeHost.blocks(opcode, 0, 1).of(3))).isEqualTo(0x20 | DNR);
    assertThat(status(new Command(FLUSH, 3, 0, 0, 0, 0, 0))).isZero();
  }

  @Test
  void givesBackWhatIsDeallocated() {
    for (int i = 0; i < 10; i++) {
      write(1, i * 8L, 1);
    }
    write(1, 3_000_000, 1);
    assertThat(blocksInUse(1)).isEqualTo(88);
    range(0, 0, 8);
    range(1, 12, 12); // half a page, and a page: the half is zeroed and stays
    range(2, 24, 0);
    range(3, 2_000_000, 2_000_000);

    assertThat(status(manage(4, DEALLOCATE))).isZero();

    assertThat(blocksInUse(1)).isEqualTo(64);
    assertThat(read(1, 0)).isZero();
    assertThat(read(1, 8)).isEqualTo(1);
    assertThat(read(1, 16)).isZero();
    assertThat(read(1, 24)).isEqualTo(1);
    assertThat(read(1, 3_000_000)).isZero();

    range(0, 0, 2 * GIB / 512);
    assertThat(status(manage(1, DEALLOCATE))).isZero();
    assertThat(blocksInUse(1)).isZero();
  }

  @Test
  void takesHintsAndRefusesRangesThatAreNotThere() {
    write(1, 0, 1);
    range(0, 0, 8);
    assertThat(status(manage(1, 3))).as("hints only").isZero();
    assertThat(read(1, 0)).isEqualTo(1);

    range(0, 0, 8);
    range(1, 2 * GIB / 512 - 1, 2);
    assertThat(status(manage(2, DEALLOCATE))).isEqualTo(0x80 | DNR);
    range(1, -1, 1);
    assertThat(status(manage(2, DEALLOCATE))).isEqualTo(0x80 | DNR);
    assertThat(read(1, 0)).as("nothing was done").isEqualTo(1);
  }

  @Test
  void deallocatesWithZeroes() {
    write(1, 0, 1);
    assertThat(status(NvmeHost.blocks(WRITE_ZEROES, 0, 65536))).as("more than MDTS").isZero();
    assertThat(blocksInUse(1)).isZero();
  }

  @Test
  void verifiesWithoutData() {
    assertThat(status(NvmeHost.blocks(VERIFY, 0, 65536).at(0))).isZero();
    assertThat(status(NvmeHost.blocks(VERIFY, 2 * GIB / 512, 1))).isEqualTo(0x80 | DNR);
  }

  private void source(int index, long first, int count) {
    host.memory.asSlice(DATA + 32L * index, 32).fill((byte) 0);
    host.memory.set(LE64, DATA + 32L * index + 8, first);
    host.memory.set(LE16, DATA + 32L * index + 16, (short) (count - 1));
  }

  private static Command copy(long target, int ranges, int flags) {
    return new Command(COPY, 1, DATA, 0, (int) target, 0, (ranges - 1) | flags);
  }

  @Test
  void copiesRangesOneAfterTheOther() {
    for (int i = 0; i < 4; i++) {
      write(1, 100 + i, 1 + i);
    }
    write(1, 500, 9);
    source(0, 102, 2);
    source(1, 500, 1);
    source(2, 100, 1);

    assertThat(status(copy(3_000_000, 3, 0))).isZero();

    assertThat(read(1, 3_000_000)).isEqualTo(3);
    assertThat(read(1, 3_000_001)).isEqualTo(4);
    assertThat(read(1, 3_000_002)).isEqualTo(9);
    assertThat(read(1, 3_000_003)).isEqualTo(1);
    assertThat(read(1, 3_000_004)).isZero();
  }

  /** The controller's own memory has 256 blocks, and what is copied goes by that. */
  @Test
  void copiesRangesThatAreLongerThanItsMemory() {
    for (int i = 0; i < 600; i++) {
      write(1, i, i % 127 + 1);
    }
    write(1, 999_999, 0x55);
    write(1, 1_000_900, 0x66);
    source(0, 0, 600);
    source(1, 100, 300);

    assertThat(status(copy(1_000_000, 2, 0))).isZero();

    for (int i = 0; i < 600; i++) {
      assertThat(read(1, 1_000_000 + i)).as("block %d", i).isEqualTo(i % 127 + 1);
    }
    for (int i = 0; i < 300; i++) {
      assertThat(read(1, 1_000_600 + i)).as("block %d", i).isEqualTo((100 + i) % 127 + 1);
    }
    assertThat(read(1, 999_999)).isEqualTo(0x55);
    assertThat(read(1, 1_000_900)).isEqualTo(0x66);
  }

  @Test
  void copiesAsMuchAsItSays() {
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.nowhere(2 * GIB));
    try (var other = new NvmeHost(options).enableIo()) {
      for (int i = 0; i < 17; i++) {
        long count = i < 16 ? 0xffff : (1 << 20) - 16 * 0xffff; // MSSRL and MCL, to the block
        other.memory.set(LE64, DATA + 32L * i + 8, 0);
        other.memory.set(LE16, DATA + 32L * i + 16, (short) (count - 1));
      }
      assertThat(other.io.run(copy(1_000_000, 17, 0)).status()).isZero();
      other.memory.set(LE16, DATA + 32L * 16 + 16, (short) ((1 << 20) - 16 * 0xffff));
      assertThat(other.io.run(copy(1_000_000, 17, 0)).status()).isEqualTo(0x183 | DNR);
    }
  }

  @Test
  void refusesCopiesThatItCannotMake() {
    long blocks = 2 * GIB / 512;
    source(0, 0, 1);
    assertThat(status(copy(0, 1, 1 << 8))).as("format 1").isEqualTo(0x02 | DNR);
    assertThat(status(copy(blocks, 1, 0))).isEqualTo(0x80 | DNR);
    source(1, blocks - 1, 2);
    var completion = host.io.run(copy(0, 2, 0));
    assertThat(completion.status()).isEqualTo(0x80 | DNR);
    assertThat(completion.result()).as("the range at fault").isEqualTo(1);
    assertThat(status(copy(0, 1, 0))).as("without that range").isZero();
    assertThat(status(new Command(COPY, 1, DATA + 2, 0, 0, 0, 0)))
        .as("a list at no dword")
        .isEqualTo(0x13 | DNR);
    source(0, 0, 65536);
    assertThat(status(copy(1_000_000, 1, 0))).as("longer than MSSRL").isEqualTo(0x183 | DNR);
    for (int i = 0; i < 17; i++) {
      source(i, 0, 65535);
    }
    assertThat(status(copy(1_000_000, 17, 0))).as("more than MCL").isEqualTo(0x183 | DNR);
  }

  @Test
  void comparesByteByByte() {
    write(1, 0, 1);
    assertThat(status(NvmeHost.blocks(COMPARE, 0, 1))).isZero();
    host.memory.set(LE8, DATA + 511, (byte) 2);
    assertThat(status(NvmeHost.blocks(COMPARE, 0, 1))).isEqualTo(0x285 | DNR);
    host.memory.set(LE8, DATA + 511, (byte) 1);
    host.memory.set(LE8, DATA, (byte) 2);
    assertThat(status(NvmeHost.blocks(COMPARE, 0, 1))).as("the first").isEqualTo(0x285 | DNR);
  }

  /** As with copies: 300 blocks are more than the controller's own memory. */
  @Test
  void comparesAllOfALongRange() {
    for (int page = 1; page < 38; page++) {
      host.memory.set(LE64, NvmeHost.LIST + 8L * (page - 1), DATA + 4096L * page);
    }
    var compare = NvmeHost.blocks(COMPARE, 0, 300).at(DATA, NvmeHost.LIST);
    host.memory.asSlice(DATA, 300 * 512).fill((byte) 0);
    assertThat(status(compare)).isZero();
    for (int block : new int[] {0, 255, 256, 299}) {
      host.memory.set(LE8, DATA + 512L * block, (byte) 1);
      assertThat(status(compare)).as("block %d", block).isEqualTo(0x285 | DNR);
      host.memory.set(LE8, DATA + 512L * block, (byte) 0);
    }
  }

  @Test
  void leavesOptionalCommandsOut() {
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withoutOptionalCommands();
    try (var bare = new NvmeHost(options).enableIo()) {
      for (int opcode : new int[] {COMPARE, WRITE_ZEROES, DATASET_MANAGEMENT, VERIFY, COPY}) {
        assertThat(bare.io.run(NvmeHost.blocks(opcode, 0, 1)).status()).isEqualTo(0x01 | DNR);
      }
      assertThat(bare.io.run(NvmeHost.blocks(READ, 0, 1)).status()).isZero();
      assertThat(bare.io.run(NvmeHost.blocks(WRITE, 0, 1)).status()).isZero();
      assertThat(bare.io.run(new Command(FLUSH, 1, 0, 0, 0, 0, 0)).status()).isZero();
      bare.admin.run(new Command(6, 0, DATA, 0, 1, 0, 0));
      assertThat(bare.memory.get(LE16, DATA + 520)).as("ONCS").isEqualTo((short) 0x50);
    }
  }

  @Test
  void transfersAsMuchAsMdtsSays() {
    // 8 MiB from one page over and over, by lists that begin in the middle of a page and chain
    long at = 0x2_0008;
    for (int page = 1; page < 2048; page++) {
      if (at % 4096 == 4088) {
        host.memory.set(LE64, at, at + 8);
        at += 8;
      }
      host.memory.set(LE64, at, DATA);
      at += 8;
    }
    host.memory.asSlice(DATA, 4096).fill((byte) 3);

    assertThat(status(NvmeHost.blocks(WRITE, 0, 16384).at(DATA, 0x2_0008))).isZero();
    assertThat(read(1, 16383)).isEqualTo(3);
    assertThat(read(1, 16384)).isZero();
    assertThat(status(NvmeHost.blocks(WRITE, 0, 16385).at(DATA, 0x2_0008))).isEqualTo(0x02 | DNR);
  }

  @Test
  void hasTheLastOfItsQueues() {
    int size = (NvmeHost.IO_ENTRIES - 1) << 16;
    var last = host.new Queues(255, 0xa000, 0xb000, NvmeHost.IO_ENTRIES);
    assertThat(
            host.admin.run(Command.admin(0x05, 255 | size, 3 | (255 << 16)).at(last.cq)).status())
        .isZero();
    assertThat(
            host.admin.run(Command.admin(0x01, 255 | size, 1 | (255 << 16)).at(last.sq)).status())
        .isZero();
    host.signals.clear();

    assertThat(last.run(NvmeHost.blocks(READ, 0, 1)).status()).isZero();

    assertThat(host.signals).containsExactly(255);
    assertThat(host.admin.run(Command.admin(0x05, 256 | size, 1).at(last.cq)).status())
        .isEqualTo(0x101 | DNR);
  }

  @Test
  void cannotBeMadeOfNonsense() {
    var namespace = NvmeNamespaceOptions.inMemory(1 << 20);
    var options = NvmeModelOptions.of("S", namespace);
    assertThatIllegalArgumentException().isThrownBy(() -> options.withModel(""));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withFirmware("123456789"));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withQueueEntries(1));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withQueueEntries(65537));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withQueuePairs(0));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withQueuePairs(256));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withMaxTransfer(4096));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withMaxTransfer(12288));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withMaxTransfer(64 << 20));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withMemoryBuffer(2048));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withLegacyMemoryBuffer(5000));
    assertThatIllegalArgumentException().isThrownBy(() -> namespace.withBlockSize(8192));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NvmeNamespaceOptions.inMemory(16 * TIB + 512));
  }
}
