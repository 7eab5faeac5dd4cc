// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.DmaBuffer;
import io.jvfio.DmaSpace;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Text;
import io.jvfio.nvme.NvmeNamespace;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.function.LongConsumer;

/**
 * Random data written to a namespace, read back, and compared with the same random data made anew.
 *
 * <p>Writing and reading use the same buffer, which is cleared in between, so that data which never
 * reached the device cannot look as if it had come back.
 */
final class RoundTrip {
  private static final long CHUNK = 1 << 20;
  private static final int LONGS = (int) CHUNK / Long.BYTES;

  private final NvmeNamespace namespace;
  private final long firstBlock;
  private final long byteSize;
  private final long seed;

  /**
   * A round trip of {@code byteSize} bytes from {@code firstBlock}.
   *
   * @throws CommandFailure if it does not fit the namespace in whole blocks
   */
  RoundTrip(NvmeNamespace namespace, long firstBlock, long byteSize, long seed) {
    int blockSize = namespace.blockSize();
    if (byteSize % blockSize != 0) {
      throw new CommandFailure(
          "--size %d is no multiple of the namespace's block size, %d"
              .formatted(byteSize, blockSize));
    }
    if (firstBlock < 0 || byteSize / blockSize > namespace.blockCount() - firstBlock) {
      throw new CommandFailure(
          "%s from block %d do not fit the namespace, which has %d blocks of %d bytes"
              .formatted(Text.bytes(byteSize), firstBlock, namespace.blockCount(), blockSize));
    }
    this.namespace = namespace;
    this.firstBlock = firstBlock;
    this.byteSize = byteSize;
    this.seed = seed;
  }

  /**
   * What a round trip measured.
   *
   * @param writeNanos time of the writes and the flush
   * @param readNanos time of the reads
   */
  record Result(long writeNanos, long readNanos) {}

  /**
   * Whether the blocks hold nothing but zeros yet.
   *
   * @param progress told the number of bytes looked at so far
   */
  boolean isBlank(DmaSpace space, LongConsumer progress) {
    var zeros = MemorySegment.ofArray(new long[LONGS]);
    try (var buffer = space.allocate(CHUNK)) {
      for (long done = 0; done < byteSize; done += CHUNK) {
        var data = transfer(buffer, done, Direction.READ);
        if (zeros.asSlice(0, data.byteSize()).mismatch(data) >= 0) {
          return false;
        }
        progress.accept(done);
      }
      return true;
    }
  }

  /**
   * Does it all.
   *
   * @param progress told the number of bytes done so far, of twice the size
   * @throws CommandFailure naming the first byte that came back different
   */
  Result run(DmaSpace space, LongConsumer progress) {
    try (var buffer = space.allocate(CHUNK)) {
      long writeNanos = 0;
      var written = new SplittableRandom(seed);
      var chunk = new long[LONGS];
      var random = MemorySegment.ofArray(chunk);
      for (long done = 0; done < byteSize; done += CHUNK) {
        fill(chunk, written);
        buffer.segment().copyFrom(random);
        long start = System.nanoTime();
        transfer(buffer, done, Direction.WRITE);
        writeNanos += System.nanoTime() - start;
        progress.accept(done);
      }
      long flush = System.nanoTime();
      namespace.flush();
      writeNanos += System.nanoTime() - flush;

      long readNanos = 0;
      var expected = new SplittableRandom(seed);
      for (long done = 0; done < byteSize; done += CHUNK) {
        buffer.segment().fill((byte) 0);
        long start = System.nanoTime();
        var data = transfer(buffer, done, Direction.READ);
        readNanos += System.nanoTime() - start;
        fill(chunk, expected);
        long different = random.asSlice(0, data.byteSize()).mismatch(data);
        if (different >= 0) {
          throw new CommandFailure(
              "the data read back differ from those written, first at byte %,d"
                  .formatted(done + different));
        }
        progress.accept(byteSize + done);
      }
      return new Result(writeNanos, readNanos);
    }
  }

  private static void fill(long[] chunk, SplittableRandom random) {
    for (int i = 0; i < chunk.length; i++) {
      chunk[i] = random.nextLong();
    }
  }

  private enum Direction {
    READ,
    WRITE
  }

  private MemorySegment transfer(DmaBuffer buffer, long done, Direction direction) {
    int blockSize = namespace.blockSize();
    int blocks = Math.toIntExact(Math.min(CHUNK, byteSize - done) / blockSize);
    long block = firstBlock + done / blockSize;
    switch (direction) {
      case READ -> namespace.read(block, blocks, buffer, 0);
      case WRITE -> namespace.write(block, blocks, buffer, 0);
    }
    return buffer.segment().asSlice(0, (long) blocks * blockSize);
  }
}
