// SPDX-License-Identifier: Apache-2.0
package io.jvfio.bench;

import io.jvfio.DmaBuffer;
import io.jvfio.nvme.NvmeCompletionHandler;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.nvme.NvmeQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What the NVMe driver takes for a read: put, doorbell, completion taken, doorbell; against C that
 * writes the same rings. The controller completes at once, and what it takes for that is measured
 * by itself in the same batch and taken off, on both sides.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class NvmeSubmission implements NvmeCompletionHandler {
  private static final int BATCH = 64_000;
  private static final int ENTRIES = 64;

  /** A queue that no driver has. */
  private static final int BARE = 60;

  /** Commands per doorbell, and bytes of each. */
  @Param({"1x512", "1x4096", "32x512", "32x4096", "32x131072"})
  public String shape = "";

  private final RingController device = new RingController();
  private @Nullable NvmeController controller;
  private @Nullable NvmeNamespace namespace;
  private @Nullable NvmeQueue queue;
  private @Nullable DmaBuffer buffer;
  private int depth;
  private int blocks;
  private int bareTail;
  private long peer;
  private long tokens;
  private long failed;

  /** Opens the driver, and makes sure that both sides do the same. */
  @Setup
  public void open() throws InterruptedException {
    int separator = shape.indexOf('x');
    depth = Integer.parseInt(shape.substring(0, separator));
    blocks = Integer.parseInt(shape.substring(separator + 1)) / 512;
    device.serve();
    var opened =
        NvmeController.open(device.device(), NvmeOptions.defaults().withQueueEntries(ENTRIES));
    controller = opened;
    namespace = opened.namespace(1);
    queue = opened.openQueue();
    device.pause();
    device.createQueue(BARE, ENTRIES);
    buffer = device.device().dmaSpace().allocate(32L * 131072);
    peer = Peers.newNvme(ENTRIES);
    reads();
    long expected = (long) BATCH / depth * (depth * (depth - 1L) / 2);
    if (tokens != expected
        || failed != 0
        || Peers.nvmeReads(peer, BATCH, depth, blocks) != expected) {
      throw new IllegalStateException(
          "%d, and %d failed, instead of %d".formatted(tokens, failed, expected));
    }
  }

  /** Closes the driver. */
  @TearDown
  public void close() throws InterruptedException {
    device.serve();
    opened(queue).close();
    opened(controller).close();
    device.pause();
    device.close();
    Peers.deleteNvme(peer);
  }

  private static <T> T opened(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("not open");
    }
    return part;
  }

  @Override
  public void completed(long token, int status, int result) {
    tokens += token;
    failed |= status;
  }

  private void reads() {
    var to = opened(queue);
    var from = opened(namespace);
    var into = opened(buffer);
    int id = to.id();
    long stride = blocks * 512L;
    for (int i = 0; i < BATCH; i += depth) {
      for (int j = 0; j < depth; j++) {
        to.read(from, i + j, blocks, into, j * stride, j);
      }
      to.ring();
      device.complete(id);
      to.poll(this);
    }
  }

  /** What the controller does in {@link #reads}, and nothing else. */
  private void completions() {
    int tail = bareTail;
    for (int i = 0; i < BATCH; i += depth) {
      tail = (tail + depth) % ENTRIES;
      device.ring(BARE, tail);
      device.complete(BARE);
    }
    bareTail = tail;
  }

  /** A read, from before it is put until its completion is taken. */
  @Benchmark
  public long read(Pair pair) {
    long begin = System.nanoTime();
    reads();
    long between = System.nanoTime();
    completions();
    long end = System.nanoTime();
    long java = between - begin - (end - between);
    begin = System.nanoTime();
    Peers.nvmeReads(peer, BATCH, depth, blocks);
    between = System.nanoTime();
    Peers.nvmeCompletions(peer, BATCH, depth);
    end = System.nanoTime();
    pair.add(BATCH, java, between - begin - (end - between));
    if (failed != 0) {
      throw new IllegalStateException("a read failed");
    }
    return tokens;
  }
}
