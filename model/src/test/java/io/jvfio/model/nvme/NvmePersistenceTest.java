// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.model.nvme.NvmeHost.Command;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What of the data is still there after the power failed, or after the model is gone. */
class NvmePersistenceTest {
  private static final int FLUSH = 0;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int WRITE_ZEROES = 8;
  private static final int COPY = 0x19;
  private static final int FORCE_UNIT_ACCESS = 1 << 30;
  private static final int SIZE = 1 << 20;

  @TempDir Path directory;

  private static NvmeModelOptions losing() {
    return NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(SIZE)).withPowerLoss();
  }

  private static void write(NvmeHost host, long lba, int blocks, int value, int flags) {
    host.memory.asSlice(DATA, blocks * 512L).fill((byte) value);
    var command = new Command(WRITE, 1, DATA, 0, (int) lba, 0, (blocks - 1) | flags);
    assertThat(host.io.run(command).status()).isZero();
  }

  private static void flush(NvmeHost host) {
    assertThat(host.io.run(new Command(FLUSH, 1, 0, 0, 0, 0, 0)).status()).isZero();
  }

  private static int read(NvmeHost host, long lba) {
    assertThat(host.io.run(NvmeHost.blocks(READ, lba, 1)).status()).isZero();
    byte[] block = host.memory.asSlice(DATA, 512).toArray(ValueLayout.JAVA_BYTE);
    byte[] same = new byte[512];
    Arrays.fill(same, block[0]);
    assertThat(block).as("a block is written as a whole").isEqualTo(same);
    return block[0];
  }

  private static void losePower(NvmeHost host) {
    host.model.losePower();
    host.enableIo();
  }

  @Test
  void losesWhatWasNotFlushed() {
    try (var host = new NvmeHost(losing()).enableIo()) {
      write(host, 0, 8, 1, 0);
      flush(host);
      write(host, 4, 8, 2, 0);
      assertThat(read(host, 4)).isEqualTo(2);

      losePower(host);

      assertThat(read(host, 0)).isEqualTo(1);
      assertThat(read(host, 4)).isEqualTo(1);
      assertThat(read(host, 8)).as("never flushed").isZero();
    }
  }

  @Test
  void keepsWhatWasWrittenWithForceUnitAccess() {
    try (var host = new NvmeHost(losing()).enableIo()) {
      write(host, 0, 2, 1, 0);
      write(host, 1, 2, 2, FORCE_UNIT_ACCESS);

      losePower(host);

      assertThat(read(host, 0)).isZero();
      assertThat(read(host, 1)).isEqualTo(2);
      assertThat(read(host, 2)).isEqualTo(2);
    }
  }

  @Test
  void losesAndKeepsCopiesAsItDoesData() {
    try (var host = new NvmeHost(losing()).enableIo()) {
      write(host, 0, 8, 1, FORCE_UNIT_ACCESS);
      for (int range = 0; range < 2; range++) {
        host.memory.asSlice(DATA + 32L * range, 32).fill((byte) 0);
        host.memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, DATA + 32L * range + 16, (short) 3);
      }
      assertThat(host.io.run(new Command(COPY, 1, DATA, 0, 100, 0, 1)).status()).isZero();
      var forced = new Command(COPY, 1, DATA, 0, 200, 0, 1 | FORCE_UNIT_ACCESS);
      assertThat(host.io.run(forced).status()).isZero();
      assertThat(read(host, 107)).isEqualTo(1);

      losePower(host);

      assertThat(read(host, 100)).isZero();
      for (int lba = 200; lba < 208; lba++) {
        assertThat(read(host, lba)).as("all ranges").isEqualTo(1);
      }
    }
  }

  @Test
  void losesAndKeepsZeroesAsItDoesData() {
    try (var host = new NvmeHost(losing()).enableIo()) {
      write(host, 0, 8, 1, FORCE_UNIT_ACCESS);
      assertThat(host.io.run(NvmeHost.blocks(WRITE_ZEROES, 0, 4)).status()).isZero();
      var forced = new Command(WRITE_ZEROES, 1, 0, 0, 4, 0, FORCE_UNIT_ACCESS);
      assertThat(host.io.run(forced).status()).isZero();

      losePower(host);

      assertThat(read(host, 0)).isEqualTo(1);
      assertThat(read(host, 4)).isZero();
      assertThat(read(host, 5)).isEqualTo(1);
    }
  }

  @Test
  void keepsEverythingWhileTheCacheIsOffOrWhenThereIsNone() {
    try (var host = new NvmeHost(losing()).enableIo()) {
      assertThat(host.admin.run(Command.admin(0x09, 0x06, 0)).status()).isZero();
      write(host, 0, 1, 1, 0);
      losePower(host);
      assertThat(read(host, 0)).isEqualTo(1);
    }
    try (var host = new NvmeHost(losing().withoutWriteCache()).enableIo()) {
      write(host, 0, 1, 1, 0);
      losePower(host);
      assertThat(read(host, 0)).isEqualTo(1);
      assertThat(host.admin.run(new Command(6, 0, DATA, 0, 1, 0, 0)).status()).isZero();
      assertThat(host.memory.get(ValueLayout.JAVA_BYTE, DATA + 525) & 1).as("VWC").isZero();
      assertThat(host.admin.run(Command.admin(0x0a, 0x06, 0)).status()).isEqualTo(0x4002);
    }
  }

  @Test
  void keepsWhatWasThereBeforeAShutdown() {
    try (var host = new NvmeHost(losing()).enableIo()) {
      write(host, 0, 1, 1, 0);
      host.configure(0x0046_4001);

      losePower(host);

      assertThat(read(host, 0)).isEqualTo(1);
    }
  }

  /** Any mixture of writes, flushes and failures, against a map of what is persistent. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void neverLosesWhatWasFlushed(int seed) {
    var random = new Random(seed);
    var persistent = new HashMap<Integer, Integer>();
    var cached = new HashMap<Integer, Integer>();
    try (var host = new NvmeHost(losing()).enableIo()) {
      for (int i = 1; i < 1000; i++) {
        int lba = random.nextInt(32);
        switch (random.nextInt(8)) {
          case 0 -> {
            flush(host);
            persistent.putAll(cached);
            cached.clear();
          }
          case 1 -> {
            losePower(host);
            cached.clear();
            for (int each = 0; each < 32; each++) {
              assertThat(read(host, each)).isEqualTo(persistent.getOrDefault(each, 0));
            }
          }
          case 2 -> {
            write(host, lba, 1, i % 100, FORCE_UNIT_ACCESS);
            persistent.put(lba, i % 100);
            cached.remove(lba);
          }
          default -> {
            write(host, lba, 1, i % 100, 0);
            cached.put(lba, i % 100);
          }
        }
        assertThat(read(host, lba)).isEqualTo(latest(lba, cached, persistent));
      }
    }
  }

  private static int latest(
      int lba, Map<Integer, Integer> cached, Map<Integer, Integer> persistent) {
    return cached.getOrDefault(lba, persistent.getOrDefault(lba, 0));
  }

  @Test
  void cannotLosePowerUnlessItWasMadeForThat() {
    try (var host = new NvmeHost(NvmeModel.inMemory("S", SIZE))) {
      assertThatIllegalStateException().isThrownBy(host.model::losePower);
    }
  }

  @Test
  @SuppressWarnings("resource") // the point of it
  void hasInItsFileWhatWasFlushedEvenIfItIsNeverClosed() throws IOException {
    var file = directory.resolve("disk");
    var host =
        new NvmeHost(NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE))).enableIo();
    write(host, 3, 2, 7, 0);
    flush(host);
    write(host, 100, 1, 8, FORCE_UNIT_ACCESS);

    byte[] expected = new byte[SIZE];
    Arrays.fill(expected, 3 * 512, 5 * 512, (byte) 7);
    Arrays.fill(expected, 100 * 512, 101 * 512, (byte) 8);
    assertThat(Files.readAllBytes(file)).isEqualTo(expected);

    var copy = Files.copy(file, directory.resolve("copy"));
    var again = new NvmeHost(NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(copy)));
    again.enableIo();
    assertThat(read(again, 4)).isEqualTo(7);
  }

  @Test
  void losesPowerInFrontOfAFileToo() throws IOException {
    var file = directory.resolve("disk");
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE)).withPowerLoss();
    try (var host = new NvmeHost(options).enableIo()) {
      write(host, 0, 1, 1, 0);
      flush(host);
      write(host, 0, 1, 2, 0);
      losePower(host);
    }
    assertThat(Files.readAllBytes(file)[511]).isEqualTo((byte) 1);
  }

  @Test
  void makesASparseFileAndZeroesOnlyWhatIsNotZero() throws IOException {
    var file = directory.resolve("sparse");
    long size = 64L << 30;
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, size));
    try (var host = new NvmeHost(options).enableIo()) {
      write(host, (size >> 9) - 1, 1, 5, 0);
      write(host, 1000, 8, 6, 0);
      // Dataset Management: deallocate 16 MiB at the start
      host.memory.set(ValueLayout.JAVA_INT, DATA + 4, 32768);
      host.memory.set(ValueLayout.JAVA_LONG, DATA + 8, 0);
      assertThat(host.io.run(new Command(9, 1, DATA, 0, 0, 4, 0)).status()).isZero();
      assertThat(read(host, 1000)).isZero();
      assertThat(read(host, (size >> 9) - 1)).isEqualTo(5);
    }
    assertThat(Files.size(file)).isEqualTo(size);
  }

  @Test
  void saysWhichFileItCannotOpen() {
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(SIZE))
            .withNamespace(NvmeNamespaceOptions.inFile(directory, SIZE));

    assertThatThrownBy(() -> NvmeModel.of(options))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining(directory.toString());
  }

  @Test
  void takesNoFileThatAnotherControllerHas() {
    var file = directory.resolve("disk");
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE));
    try (var _ = NvmeModel.of(options)) {
      assertThatThrownBy(() -> NvmeModel.of(options))
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContaining(file + ": it is the disk of another controller");
    }
    NvmeModel.of(options).close();
  }

  @Test
  void leavesTheFileAloneBehindTheNamespace() throws IOException {
    var file = directory.resolve("disk");
    byte[] bytes = new byte[8192];
    Arrays.fill(bytes, (byte) 9);
    Files.write(file, bytes);
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, 4096));
    try (var host = new NvmeHost(options).enableIo()) {
      assertThat(host.io.run(NvmeHost.blocks(WRITE_ZEROES, 0, 8)).status()).isZero();
    }
    Arrays.fill(bytes, 0, 4096, (byte) 0);
    assertThat(
            MemorySegment.ofArray(Files.readAllBytes(file)).mismatch(MemorySegment.ofArray(bytes)))
        .isEqualTo(-1);
  }
}
