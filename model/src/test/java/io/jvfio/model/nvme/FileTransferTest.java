// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.FaultKernel.Answer;
import io.jvfio.model.nvme.FaultKernel.Call;
import io.jvfio.model.nvme.NvmeHost.Command;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A transfer of pages that lie apart, which the kernel does in two pieces: the second begins where
 * the first has ended, in the file and in memory.
 */
class FileTransferTest {
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int SIZE = 1 << 20;
  private static final int PAGE = 4096;
  private static final int OFFSET = 16 * 512;

  /** Where the pages are, in the order in which they are transferred; no two are neighbours. */
  private static final long[] PAGES = {0x10_3000, 0x10_0000, 0x10_7000, 0x10_5000};

  private static final int LENGTH = PAGES.length * PAGE;

  @TempDir Path directory;

  private final FaultKernel kernel = new FaultKernel();

  private NvmeHost start(boolean isLending, byte[] content) throws IOException {
    var file = Files.write(directory.resolve("disk"), content);
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE)).withKernel(kernel);
    var host = new NvmeHost(options, isLending).enableIo();
    for (int i = 1; i < PAGES.length; i++) {
      host.memory.set(LE64, NvmeHost.LIST + 8L * (i - 1), PAGES[i]);
    }
    kernel.record();
    return host;
  }

  private static Command command(int opcode) {
    return new Command(opcode, 1, PAGES[0], NvmeHost.LIST, OFFSET / 512, 0, LENGTH / 512 - 1);
  }

  private void cutFirst(long bytes) {
    var calls = new AtomicInteger();
    kernel.rule(_ -> calls.getAndIncrement() == 0 ? new Answer.Cut(bytes) : null);
  }

  private static byte value(long at) {
    return (byte) (at / 256 * 37 + at % 256);
  }

  private static byte[] content() {
    byte[] content = new byte[SIZE];
    for (int i = 0; i < SIZE; i++) {
      content[i] = value(i);
    }
    return content;
  }

  private void assertGoesOn(long cut) {
    assertThat(kernel.calls())
        .extracting(Call::offset)
        .containsExactly((long) OFFSET, OFFSET + cut);
    assertThat(kernel.calls())
        .extracting(Call::byteSize)
        .containsExactly((long) LENGTH, LENGTH - cut);
  }

  @ParameterizedTest
  @CsvSource({
    "true, 512", "true, 4096", "true, 4608", "true, 8192", "true, 15872",
    "false, 512", "false, 4096", "false, 4608", "false, 8192", "false, 15872"
  })
  void aWriteGoesOnWhereItWasCut(boolean isLending, long cut) throws IOException {
    try (var host = start(isLending, new byte[SIZE])) {
      for (int i = 0; i < LENGTH; i++) {
        host.memory.set(ValueLayout.JAVA_BYTE, PAGES[i / PAGE] + i % PAGE, value(i));
      }
      cutFirst(cut);
      assertThat(host.io.run(command(WRITE)).status()).isZero();
      assertGoesOn(cut);

      byte[] expected = new byte[SIZE];
      for (int i = 0; i < LENGTH; i++) {
        expected[OFFSET + i] = value(i);
      }
      assertThat(Files.readAllBytes(directory.resolve("disk"))).isEqualTo(expected);
      assertThat(host.leases).hasValue(0);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "true, 512", "true, 4096", "true, 4608", "true, 8192", "true, 15872",
    "false, 512", "false, 4096", "false, 4608", "false, 8192", "false, 15872"
  })
  void aReadGoesOnWhereItWasCut(boolean isLending, long cut) throws IOException {
    try (var host = start(isLending, content())) {
      long begin = 0x10_0000;
      host.memory.asSlice(begin, 0x8000).fill((byte) 0x55);
      cutFirst(cut);
      assertThat(host.io.run(command(READ)).status()).isZero();
      assertGoesOn(cut);

      byte[] expected = new byte[0x8000];
      Arrays.fill(expected, (byte) 0x55);
      for (int i = 0; i < LENGTH; i++) {
        expected[(int) (PAGES[i / PAGE] - begin) + i % PAGE] = value(OFFSET + i);
      }
      assertThat(host.memory.asSlice(begin, 0x8000).mismatch(MemorySegment.ofArray(expected)))
          .isEqualTo(-1);
      assertThat(host.leases).hasValue(0);
    }
  }

  /** A bit bucket of an SGL is no memory: what falls into it is read all the same. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsThrownAwayIsWrittenNowhere(boolean isLending) throws IOException {
    try (var host = start(isLending, content())) {
      long list = 0x2_0000;
      host.memory.asSlice(list, 48).fill((byte) 0);
      for (int i = 0; i < 3; i++) {
        boolean isBucket = i == 1;
        host.memory.set(LE64, list + 16L * i, isBucket ? 0 : PAGES[i]);
        host.memory.set(LE64, list + 16L * i + 8, isBucket ? 512 | 0x10L << 56 : 512);
      }
      var read = new Command(READ, 1, list, 48 | 0x30L << 56, OFFSET / 512, 0, 2);
      assertThat(host.io.run(read, 0x40).status()).isZero();
      for (int i = 0; i < 512; i++) {
        assertThat(host.memory.get(ValueLayout.JAVA_BYTE, PAGES[0] + i))
            .isEqualTo(value(OFFSET + i));
        assertThat(host.memory.get(ValueLayout.JAVA_BYTE, PAGES[2] + i))
            .isEqualTo(value(OFFSET + 1024 + i));
      }
      assertThat(host.leases).hasValue(0);
    }
  }

  /** The kernel copies a page as a whole, and may be killed between two. */
  @ParameterizedTest
  @CsvSource({"0x0, 1", "0x200, 1", "0x100, 0", "0xf04, 0"})
  void aBlockThatLiesInTwoPagesIsWrittenFromOnePiece(String begin, int leases) throws IOException {
    try (var host = start(true, new byte[SIZE])) {
      kernel.rule(_ -> FaultKernel.HELD);
      long at = NvmeHost.DATA + Integer.decode(begin);
      host.io.put(NvmeHost.blocks(WRITE, 0, 8).at(at, NvmeHost.DATA + PAGE));
      host.io.ring();
      kernel.awaitHeld(1, host);
      assertThat(host.leases.get() > 0).isEqualTo(leases > 0);
      assertThat(kernel.calls()).singleElement().matches(call -> call.pieces() == 1);
      kernel.rule(null);
      kernel.releaseAll();
      assertThat(host.io.await(1)).singleElement().matches(each -> each.status() == 0);
      assertThat(host.leases).hasValue(0);
    }
  }

  /** A reset leaves the memory to others; what was copied before goes on, and no more is. */
  @Test
  void aLongWriteTakesNothingMoreFromMemoryAfterAReset() throws IOException {
    int length = 256 << 10;
    var file = Files.write(directory.resolve("long"), new byte[length]);
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, length)).withKernel(kernel);
    try (var host = new NvmeHost(options).enableIo()) {
      host.memory.asSlice(NvmeHost.DATA, length).fill((byte) 1);
      for (int i = 1; i < length / PAGE; i++) {
        host.memory.set(LE64, NvmeHost.LIST + 8L * (i - 1), NvmeHost.DATA + (long) i * PAGE);
      }
      kernel.record();
      kernel.rule(_ -> FaultKernel.HELD);
      host.io.put(NvmeHost.blocks(WRITE, 0, length / 512).at(NvmeHost.DATA, NvmeHost.LIST));
      host.io.ring();
      kernel.awaitHeld(1, host);
      long copied = kernel.calls().getFirst().byteSize();
      assertThat(copied).isLessThan(length);
      host.configure(0);
      host.memory.asSlice(NvmeHost.DATA, length).fill((byte) 2);
      kernel.rule(null);
      kernel.releaseAll();
      host.enableIo();
      // It waits for the write, which is in its way.
      host.io.put(NvmeHost.blocks(READ, length / 512 - 1, 1));
      host.io.ring();
      assertThat(host.io.await(1)).hasSize(1);
      var content = Files.readAllBytes(file);
      assertThat(content).startsWith((byte) 1).doesNotContain((byte) 2);
      assertThat(content[(int) copied]).isZero();
    }
  }
}
