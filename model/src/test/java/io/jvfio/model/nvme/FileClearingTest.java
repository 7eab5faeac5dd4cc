// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.model.nvme.FaultKernel.Answer;
import io.jvfio.model.nvme.FaultKernel.Call;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How a range of a file is made zeroes, by what its file system can do. */
class FileClearingTest {
  private static final int SIZE = 1 << 20;
  private static final int BLOCK = 512;
  private static final int FIRST = 8;
  private static final int BLOCKS = 600;
  private static final int PIECE = 128 << 10;
  private static final int ZERO = Kernel.FALLOC_FL_ZERO_RANGE | Kernel.FALLOC_FL_KEEP_SIZE;
  private static final int PUNCH = Kernel.FALLOC_FL_PUNCH_HOLE | Kernel.FALLOC_FL_KEEP_SIZE;

  @TempDir Path directory;

  private final FaultKernel kernel = new FaultKernel();
  private Path file;
  private NvmeHost host;

  @BeforeEach
  void start() throws IOException {
    byte[] bytes = new byte[SIZE];
    Arrays.fill(bytes, (byte) 1);
    file = Files.write(directory.resolve("disk"), bytes);
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE)).withKernel(kernel);
    host = new NvmeHost(options).enableIo();
    kernel.record();
  }

  @AfterEach
  void close() {
    host.close();
  }

  private void writeZeroes() {
    assertThat(host.io.run(NvmeHost.blocks(8, FIRST, BLOCKS)).status()).isZero();
  }

  private void deallocate() {
    host.memory.set(ValueLayout.JAVA_INT, NvmeHost.DATA + 4, BLOCKS);
    host.memory.set(ValueLayout.JAVA_LONG, NvmeHost.DATA + 8, FIRST);
    assertThat(host.io.run(new Command(9, 1, NvmeHost.DATA, 0, 0, 4, 0)).status()).isZero();
  }

  /** The range is zeroes, and what is beside it is as it was. */
  private void assertCleared() throws IOException {
    byte[] expected = new byte[SIZE];
    Arrays.fill(expected, (byte) 1);
    Arrays.fill(expected, FIRST * BLOCK, (FIRST + BLOCKS) * BLOCK, (byte) 0);
    assertThat(Arrays.mismatch(Files.readAllBytes(file), expected)).isEqualTo(-1);
  }

  private void cannot(int... modes) {
    kernel.rule(call -> isOneOf(call, modes) ? FaultKernel.errno(Errno.EOPNOTSUPP) : null);
  }

  private static boolean isOneOf(Call call, int... modes) {
    return call.kind() == Kind.ALLOCATE && Arrays.stream(modes).anyMatch(m -> m == call.mode());
  }

  /** The modes of the calls since this was last asked. */
  private List<Integer> takeModes() {
    var modes =
        kernel.calls().stream()
            .filter(call -> call.kind() == Kind.ALLOCATE)
            .peek(call -> assertThat(call.offset()).isEqualTo(FIRST * BLOCK))
            .peek(call -> assertThat(call.byteSize()).isEqualTo(BLOCKS * BLOCK))
            .map(Call::mode)
            .toList();
    kernel.record();
    return modes;
  }

  private long[] takeWrites() {
    var sizes =
        kernel.calls().stream()
            .filter(call -> call.kind() == Kind.WRITE)
            .mapToLong(Call::byteSize)
            .toArray();
    kernel.record();
    return sizes;
  }

  @Test
  void zeroesKeepTheirRoomAndDeallocatedBlocksGiveItBack() throws IOException {
    writeZeroes();
    assertThat(takeModes()).containsExactly(ZERO);
    assertCleared();
    deallocate();
    assertThat(takeModes()).containsExactly(PUNCH);
    assertCleared();
  }

  @Test
  void zeroesAreHolesWhereThereIsNothingElse() throws IOException {
    cannot(ZERO);
    writeZeroes();
    assertThat(takeModes()).containsExactly(ZERO, PUNCH);
    assertCleared();
    writeZeroes();
    assertThat(takeModes()).as("it is remembered").containsExactly(PUNCH);
    deallocate();
    assertThat(takeModes()).containsExactly(PUNCH);
  }

  @Test
  void deallocatedBlocksAreZeroesWhereThereAreNoHoles() throws IOException {
    cannot(PUNCH);
    deallocate();
    assertThat(takeModes()).containsExactly(PUNCH, ZERO);
    assertCleared();
    deallocate();
    assertThat(takeModes()).as("it is remembered").containsExactly(ZERO);
    writeZeroes();
    assertThat(takeModes()).containsExactly(ZERO);
  }

  @Test
  void zeroesAreWrittenWhereTheFileSystemCanDoNeither() throws IOException {
    cannot(ZERO, PUNCH);
    deallocate();
    assertThat(takeWrites()).containsExactly(PIECE, PIECE, BLOCKS * BLOCK - 2 * PIECE);
    assertCleared();
    kernel.rule(null);
    writeZeroes();
    assertThat(takeModes()).as("it is remembered").isEmpty();
    assertCleared();
  }

  /** What is below may have larger blocks: then it is this range that cannot be cleared. */
  @Test
  void zeroesAreWrittenForARangeThatCannotBeCleared() throws IOException {
    kernel.rule(FileClearingTest::refuse);
    deallocate();
    assertThat(takeWrites()).hasSize(3);
    assertCleared();
    kernel.rule(null);
    deallocate();
    assertThat(takeModes()).as("another one may be").containsExactly(PUNCH);
  }

  private static @Nullable Answer refuse(Call call) {
    return call.kind() == Kind.ALLOCATE ? FaultKernel.errno(Errno.EINVAL) : null;
  }
}
