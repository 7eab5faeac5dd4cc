// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.model.ResetReason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * An error inside of a disk, as a client's memory that is gone is one, ends the session of who has
 * it and nothing else: the next client has the same blocks.
 */
class NvmeErrorsTest {
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int COMPARE = 5;
  private static final int SIZE = 1 << 20;
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final int ENTRIES = 64;
  private static final long OTHER = 0x20_0000;

  @TempDir Path directory;

  private final FaultKernel kernel = new FaultKernel();

  static Stream<Arguments> ways() {
    return Stream.of(WRITE, READ, COMPARE)
        .flatMap(
            opcode ->
                Stream.of("ring", "threads", "memory")
                    .flatMap(
                        how ->
                            Stream.of(false, true).map(lends -> Arguments.of(opcode, how, lends))));
  }

  private NvmeHost start(String how, boolean lends) throws IOException {
    var file = Files.write(directory.resolve("disk"), new byte[SIZE]);
    var namespace =
        "memory".equals(how)
            ? NvmeNamespaceOptions.inMemory(SIZE)
            : NvmeNamespaceOptions.inFile(file, SIZE);
    var options = NvmeModelOptions.of("S", namespace).withKernel(kernel);
    return withQueues(new NvmeHost("threads".equals(how) ? options.withoutRing() : options, lends));
  }

  private static NvmeHost withQueues(NvmeHost host) {
    host.enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    return host;
  }

  @ParameterizedTest(name = "opcode {0}, {1}, lends {2}")
  @MethodSource("ways")
  void theNextClientHasTheSameBlocks(int opcode, String how, boolean lends) throws IOException {
    try (var host = start(how, lends)) {
      for (int i = 0; i < 40; i++) {
        long page = DATA + 0x3000;
        host.onAccess =
            iova -> {
              if (iova == page) {
                throw new InternalError("a page is gone");
              }
            };
        host.io.put(NvmeHost.blocks(opcode, 0, 16).at(DATA, page));
        assertThatThrownBy(
                () -> {
                  host.io.ring();
                  host.io.await(1);
                })
            .isInstanceOf(InternalError.class);
        host.onAccess = _ -> {};
        host.model.reset(ResetReason.CLIENT_LOST);
        host.settle();
        assertThat(host.leases).hasValue(0);
        withQueues(host);
      }

      host.memory.asSlice(DATA, 0x2000).fill((byte) 7);
      assertThat(host.io.run(NvmeHost.blocks(WRITE, 0, 16).at(DATA, DATA + 0x1000)).status())
          .isZero();
      assertThat(host.io.run(NvmeHost.blocks(READ, 0, 16).at(OTHER, OTHER + 0x1000)).status())
          .isZero();
      assertThat(host.memory.get(LE8, OTHER + 0x1fff)).isEqualTo((byte) 7);
      assertThat(host.io.run(NvmeHost.blocks(COMPARE, 0, 16).at(DATA, DATA + 0x1000)).status())
          .isZero();
    }
  }
}
