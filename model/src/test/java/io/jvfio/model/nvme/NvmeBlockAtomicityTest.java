// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Queues;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Two queues that write one block of a real file, each all of it and each time something else,
 * while a third queue reads it: it never has some of the one and some of the other.
 */
class NvmeBlockAtomicityTest {
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int BLOCK = 4096;
  private static final int SIZE = 1 << 20;
  private static final int ENTRIES = 32;
  private static final int AT_ONCE = 12;
  private static final int ROUNDS = 150;

  /** Pages of each command: two apart from each other, since its data may begin within one. */
  private static final long PAGES = 4 * BLOCK;

  private static final long WRITTEN = 0x10_0000;
  private static final long ALSO_WRITTEN = 0x20_0000;
  private static final long READ_TO = 0x30_0000;

  @TempDir Path directory;

  static Stream<Arguments> ways() {
    return IntStream.range(0, 16)
        .mapToObj(
            way -> Arguments.of((way & 1) != 0, (way & 2) != 0, (way & 4) != 0, (way & 8) != 0));
  }

  @ParameterizedTest(name = "by ring {0}, direct {1}, lends {2}, aligned {3}")
  @MethodSource("ways")
  void aBlockIsOneOrTheOther(boolean byRing, boolean isDirect, boolean lends, boolean isAligned)
      throws IOException {
    var file = Files.createTempFile(isDirect ? directDirectory() : directory, "disk", null);
    assertNeverMixed(file, options(file, byRing, isDirect), lends, isAligned);
  }

  /** Here nothing but the controller keeps them apart; a kernel does so as well, more or less. */
  @ParameterizedTest(name = "lends {0}, aligned {1}")
  @CsvSource({"true, true", "true, false", "false, true", "false, false"})
  void soItIsOnAFileSystemThatPromisesNothing(boolean lends, boolean isAligned) throws IOException {
    var file = Files.createTempFile(directory, "disk", null);
    var options = options(file, false, false).withKernel(new Piecemeal());
    assertNeverMixed(file, options, lends, isAligned);
  }

  /** A kernel that transfers a block in pieces, and lets others in between. */
  private static final class Piecemeal extends ForwardingKernel {
    private static final int PIECE = 512;

    Piecemeal() {
      super(LinuxKernel.instance());
    }

    private interface Transfer {
      long make(MemorySegment vectors, int count, long offset);
    }

    @Override
    public long preadv(int fd, MemorySegment vectors, int count, long offset) {
      return inPieces(vectors, count, offset, (piece, one, at) -> super.preadv(fd, piece, one, at));
    }

    @Override
    public long pwritev(int fd, MemorySegment vectors, int count, long offset) {
      return inPieces(
          vectors, count, offset, (piece, one, at) -> super.pwritev(fd, piece, one, at));
    }

    private static long inPieces(MemorySegment vectors, int count, long offset, Transfer transfer) {
      long done = 0;
      try (var arena = Arena.ofConfined()) {
        var piece = arena.allocate(16, 8);
        for (int i = 0; i < count; i++) {
          long address = vectors.getAtIndex(ValueLayout.JAVA_LONG, 2L * i);
          long length = vectors.getAtIndex(ValueLayout.JAVA_LONG, 2L * i + 1);
          for (long at = 0; at < length; at += PIECE) {
            piece.setAtIndex(ValueLayout.JAVA_LONG, 0, address + at);
            piece.setAtIndex(ValueLayout.JAVA_LONG, 1, Math.min(PIECE, length - at));
            done += transfer.make(piece, 1, offset + done);
            LockSupport.parkNanos(1);
          }
        }
      }
      return done;
    }
  }

  private static void assertNeverMixed(
      Path file, NvmeModelOptions options, boolean lends, boolean isAligned) throws IOException {
    try (var host = new NvmeHost(options, lends).enable()) {
      var one = host.createQueues(1, 0x4_0000, 0x5_0000, ENTRIES);
      var other = host.createQueues(2, 0x6_0000, 0x7_0000, ENTRIES);
      var reader = host.createQueues(3, 0x8_0000, 0x9_0000, ENTRIES);
      int offset = isAligned ? 0 : 512;
      long number = 1;
      fill(host, WRITTEN, offset, number);
      assertThat(one.run(command(WRITE, WRITTEN, offset)).status()).isZero();
      int seen = 0;
      for (int round = 0; round < ROUNDS; round++) {
        long least = number;
        for (int i = 0; i < AT_ONCE; i++) {
          fill(host, WRITTEN + i * PAGES, offset, ++number);
          one.put(command(WRITE, WRITTEN + i * PAGES, offset));
          fill(host, ALSO_WRITTEN + i * PAGES, offset, ++number);
          other.put(command(WRITE, ALSO_WRITTEN + i * PAGES, offset));
          fill(host, READ_TO + i * PAGES, offset, 0);
          reader.put(command(READ, READ_TO + i * PAGES, offset));
        }
        // Some of each, so that they come in between each other.
        for (int i = 1; i <= AT_ONCE; i += 2) {
          for (var queue : new Queues[] {one, reader, other}) {
            host.write(
                0x1000 + 8 * queue.id,
                (queue.tail + ENTRIES - Math.max(0, AT_ONCE - i - 1)) % ENTRIES);
          }
        }
        for (var queue : new Queues[] {one, other, reader}) {
          assertThat(queue.await(AT_ONCE)).hasSize(AT_ONCE).allMatch(each -> each.status() == 0);
          queue.acknowledge();
        }
        for (int i = 0; i < AT_ONCE; i++) {
          long first = word(host, READ_TO + i * PAGES, offset, 0);
          // A write of the last round may have been the last one, whichever it was.
          assertThat(first).isBetween(Math.max(1, least - 2 * AT_ONCE), number);
          for (int at = 8; at < BLOCK; at += 8) {
            assertThat(word(host, READ_TO + i * PAGES, offset, at))
                .as("byte %d of read %d of round %d", at, i, round)
                .isEqualTo(first);
          }
          seen++;
        }
      }
      assertThat(seen).isEqualTo(ROUNDS * AT_ONCE);
      assertThat(host.leases).hasValue(0);
    } finally {
      Files.delete(file);
    }
  }

  private static NvmeModelOptions options(Path file, boolean byRing, boolean isDirect) {
    var namespace = NvmeNamespaceOptions.inFile(file, SIZE).withBlockSize(BLOCK);
    var options = NvmeModelOptions.of("S", isDirect ? namespace.withDirectIo() : namespace);
    return byRing ? options : options.withoutRing();
  }

  /** A directory whose file system can leave out the page cache; not all of memory can. */
  private Path directDirectory() throws IOException {
    var build = Files.createDirectories(Path.of("target"));
    for (var each : new Path[] {directory, build}) {
      var file = Files.createTempFile(each, "probe", null);
      try (var model = NvmeModel.of(options(file, false, true))) {
        assertThat(model.storage().getFirst()).contains("without the page cache");
        return each;
      } catch (UncheckedIOException e) {
        assertThat(e).hasMessageContaining("cannot leave out the cache");
      } finally {
        Files.delete(file);
      }
    }
    throw new AssertionError("no file system here can leave out the page cache: " + directory);
  }

  /** A command for the one block, of data that begins in one page and may end in another. */
  private static Command command(int opcode, long pages, int offset) {
    return new Command(opcode, 1, pages + offset, offset == 0 ? 0 : pages + 2 * BLOCK, 0, 0, 0);
  }

  /** Where a byte of a block is. */
  private static long place(long pages, int offset, int at) {
    int inFirst = BLOCK - offset;
    return at < inFirst ? pages + offset + at : pages + 2 * BLOCK + at - inFirst;
  }

  private static void fill(NvmeHost host, long pages, int offset, long number) {
    for (int at = 0; at < BLOCK; at += 8) {
      host.memory.set(LE64, place(pages, offset, at), number);
    }
  }

  private static long word(NvmeHost host, long pages, int offset, int at) {
    return host.memory.get(LE64, place(pages, offset, at));
  }
}
