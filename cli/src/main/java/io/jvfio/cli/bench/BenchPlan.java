// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import io.jvfio.cli.option.SizeRange;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Text;
import io.jvfio.nvme.NvmeNamespace;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * What a run of {@code nvme bench} is to do.
 *
 * @param pattern which blocks, and what to do to them
 * @param sizes bytes of one I/O
 * @param depth I/Os in flight of each job
 * @param jobs threads, each with a queue pair and a part of the range of its own
 * @param rangeBytes how much of the namespace from its first block on; empty for all of it
 * @param timeNanos when to stop, after the warm-up
 * @param byteLimit after how many bytes to stop, after the warm-up
 * @param warmupNanos how long the I/Os do not count
 * @param rate I/Os per second of all jobs together, started at fixed times; empty for as many as go
 * @param verify whether written blocks say what they are, and are looked at when read
 * @param readSeed for reads to be verified: which seed the blocks were written with, if it matters
 * @param seed of the random order, and of the content
 * @param interrupts whether completions are waited for by interrupt, rather than by polling
 * @param goesOn whether a job goes on after commands that the driver had to end
 */
public record BenchPlan(
    BenchPattern pattern,
    SizeRange sizes,
    int depth,
    int jobs,
    OptionalLong rangeBytes,
    OptionalLong timeNanos,
    OptionalLong byteLimit,
    long warmupNanos,
    OptionalDouble rate,
    boolean verify,
    OptionalLong readSeed,
    long seed,
    boolean interrupts,
    boolean goesOn) {

  /** I/O buffers start at pages, as those of most programs do. */
  private static final long PAGE_SIZE = 4096;

  /** More of the heap than this is not taken for remembering what was written. */
  private static final int SHARE_OF_HEAP = 4;

  /** Bytes of memory between the buffers of two I/Os. */
  long slotBytes() {
    return Math.ceilDiv(sizes.largest(), PAGE_SIZE) * PAGE_SIZE;
  }

  /** How many blocks of the namespace belong to the run. */
  long blocks(NvmeNamespace namespace) {
    return rangeBytes.orElse(namespace.byteSize()) / namespace.blockSize();
  }

  /** How many blocks belong to each job; the rest of a division belongs to none. */
  public long blocksPerJob(NvmeNamespace namespace) {
    long unit = sizes.smallest() / namespace.blockSize();
    return blocks(namespace) / jobs / unit * unit;
  }

  /**
   * Checks that all this can be done with a namespace.
   *
   * @throws CommandFailure if not
   */
  public void check(NvmeNamespace namespace) {
    int blockSize = namespace.blockSize();
    if (sizes.smallest() % blockSize != 0) {
      throw new CommandFailure(
          "--block-size %s is no multiple of the namespace's block size, %d"
              .formatted(Text.bytes(sizes.smallest()), blockSize));
    }
    if (rangeBytes.orElse(0) > namespace.byteSize()) {
      throw new CommandFailure(
          "--range %s is more than the namespace, which has %s"
              .formatted(Text.bytes(rangeBytes.orElse(0)), Text.bytes(namespace.byteSize())));
    }
    if (blocksPerJob(namespace) * blockSize < sizes.largest()) {
      throw new CommandFailure(
          "%s do not give each of %d jobs a part of %s at least"
              .formatted(
                  Text.bytes(blocks(namespace) * blockSize), jobs, Text.bytes(sizes.largest())));
    }
    if (byteLimit.isPresent() && byteLimit.getAsLong() < (long) jobs * blockSize) {
      throw new CommandFailure("--size is less than one block of each job");
    }
    if (verify && pattern.writes()) {
      long needed = blocksPerJob(namespace) * jobs * Integer.BYTES;
      long available = Runtime.getRuntime().maxMemory() / SHARE_OF_HEAP;
      if (needed > available || blocksPerJob(namespace) > Integer.MAX_VALUE - 8) {
        throw new CommandFailure(
            "--verify remembers what it wrote to each block: %s of heap for this range, of %s; take less with --range"
                .formatted(Text.span((double) needed), Text.span((double) available)));
      }
    }
  }
}
