// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.PciAddress;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeOptions;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * {@code NvmeFigures LIBRARY ADDRESS ADDRESS [FILE]}: random reads of two NVMe controllers of the
 * same kind, polled, one by jvfio and one by a C program that uses VFIO in the same way; then the
 * other way round; with doorbells in memory and without. The file is the block device of a third
 * one, which the kernel's own driver has.
 *
 * <p>Batches of each take turns, timed by themselves, so that whatever the machine does meanwhile
 * it does to all. The figures are medians, of the ratios of neighbouring batches too; a ratio above
 * 1 means that Java reads more per second.
 *
 * <p>{@code NvmeFigures --tail SECONDS ADDRESS}: how long each of the reads takes, one at a time,
 * over so long a time.
 *
 * <p>{@code NvmeFigures --drivers LIBRARY FILE FILE}: random reads of two block devices by the
 * kernel's own driver, from one thread or from several.
 *
 * <p>Run it with {@code -XX:-UseTLAB}: every allocation then counts at once in what the heap has in
 * use.
 */
public final class NvmeFigures {
  private static final int[] BLOCKS = {8, 1};
  private static final int[] DEPTHS = {1, 32};
  private static final int MAX_DEPTH = 32;

  /** Of the first 512 MiB. */
  static final int AREA = 20;

  static final int BLOCK = 512;
  private static final long FIRST_WARM_UP_NANOS = 15_000_000_000L;
  private static final long WARM_UP_NANOS = 2_000_000_000L;
  private static final long BATCH_NANOS = 10_000_000;
  static final int ROUNDS = 201;

  /** Longer than a command may take. */
  private static final long LONGEST_NANOS = 100_000_000_000L;

  private final CPeer inC;
  private final @Nullable String blockDevice;
  private long warmUpNanos = FIRST_WARM_UP_NANOS;

  private NvmeFigures(Path library, @Nullable String blockDevice) {
    inC = new CPeer(library);
    this.blockDevice = blockDevice;
  }

  /** The program. */
  public static void main(String[] arguments) {
    if (arguments[0].equals("--tail")) {
      tail(Long.parseLong(arguments[1]), arguments[2]);
      return;
    }
    if (arguments[0].equals("--drivers")) {
      DriverFigures.print(new CPeer(Path.of(arguments[1])), arguments[2], arguments[3]);
      return;
    }
    var figures =
        new NvmeFigures(Path.of(arguments[0]), arguments.length > 3 ? arguments[3] : null);
    System.out.printf(
        "%-12s %-9s %5s %5s %11s %11s %7s %11s %7s %9s%n",
        "Java reads",
        "doorbells",
        "bytes",
        "depth",
        "Java IOPS",
        "C IOPS",
        "ratio",
        "kernel IOPS",
        "ratio",
        "heap B/op");
    for (boolean shadowDoorbells : new boolean[] {true, false}) {
      figures.measure(arguments[1], arguments[2], shadowDoorbells);
      figures.measure(arguments[2], arguments[1], shadowDoorbells);
    }
  }

  private void measure(String ofJava, String ofC, boolean shadowDoorbells) {
    var options = NvmeOptions.defaults().withShadowDoorbells(shadowDoorbells);
    var name = "%-12s %-9s".formatted(ofJava, shadowDoorbells ? "memory" : "registers");
    try (var device = VfioHost.local().open(PciAddress.parse(ofJava));
        var controller = NvmeController.open(device, options);
        var peer = inC.new Controller(ofC, shadowDoorbells)) {
      var loop = loop(device, controller);
      int file = blockDevice == null ? -1 : inC.openBlockDevice(blockDevice);
      for (int blocks : BLOCKS) {
        for (int depth : DEPTHS) {
          measure(name, loop, peer, depth == 1 ? file : -1, depth, blocks);
        }
      }
    }
  }

  private static ReadLoop loop(VfioDevice device, NvmeController controller) {
    var buffer = device.dmaSpace().allocate((long) MAX_DEPTH * ReadLoop.LARGEST);
    return new ReadLoop(controller.openQueue(), controller.namespace(1), buffer);
  }

  private void measure(
      String name, ReadLoop loop, CPeer.Controller peer, int file, int depth, int blocks) {
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < warmUpNanos) {
      loop.read(1_000, depth, blocks, AREA);
      peer.read(1_000, depth, blocks, AREA);
    }
    warmUpNanos = WARM_UP_NANOS;
    int batch =
        Math.clamp(BATCH_NANOS * 1_000 / peer.read(1_000, depth, blocks, AREA), depth, 100_000);

    var java = new double[ROUNDS];
    var c = new double[ROUNDS];
    var kernel = new double[ROUNDS];
    var ratios = new double[ROUNDS];
    var kernelRatios = new double[ROUNDS];
    double heap = Double.MAX_VALUE;
    for (int round = 0; round < ROUNDS; round++) {
      boolean javaFirst = round % 2 == 0;
      if (!javaFirst) {
        c[round] = peer.read(batch, depth, blocks, AREA);
      }
      long used = usedHeap();
      java[round] = loop.read(batch, depth, blocks, AREA);
      long allocated = usedHeap() - used;
      if (javaFirst) {
        c[round] = peer.read(batch, depth, blocks, AREA);
      }
      if (file >= 0) {
        kernel[round] = inC.readBlockDevice(file, batch, blocks, AREA);
      }
      ratios[round] = c[round] / java[round];
      kernelRatios[round] = kernel[round] / java[round];
      if (allocated >= 0) { // less after a garbage collection
        heap = Math.min(heap, (double) allocated / batch);
      }
    }
    System.out.printf(
        "%s %5d %5d %,11.0f %,11.0f %7.3f %,11.0f %7.3f %9.3f%n",
        name,
        blocks * BLOCK,
        depth,
        perSecond(batch, median(java)),
        perSecond(batch, median(c)),
        median(ratios),
        file >= 0 ? perSecond(batch, median(kernel)) : 0,
        median(kernelRatios),
        heap);
  }

  static double perSecond(int count, double nanos) {
    return count * 1e9 / nanos;
  }

  private static void tail(long seconds, String address) {
    try (var device = VfioHost.local().open(PciAddress.parse(address));
        var controller = NvmeController.open(device)) {
      var loop = loop(device, controller);
      int blocks = BLOCKS[0];
      loop.read(FIRST_WARM_UP_NANOS, blocks, AREA, new Histogram(LONGEST_NANOS, 3));
      var histogram = new Histogram(LONGEST_NANOS, 3);
      long used = usedHeap();
      long collections = collections();
      loop.read(seconds * 1_000_000_000, blocks, AREA, histogram);
      System.out.printf(
          "%s: %,d reads of %d bytes in %d s, depth 1: p50 %,d  p99 %,d  p99.9 %,d  p99.99 %,d  max"
              + " %,d ns; %d collections, heap %,d bytes more%n",
          ManagementFactory.getGarbageCollectorMXBeans().stream()
              .map(GarbageCollectorMXBean::getName)
              .toList(),
          histogram.getTotalCount(),
          blocks * BLOCK,
          seconds,
          histogram.getValueAtPercentile(50),
          histogram.getValueAtPercentile(99),
          histogram.getValueAtPercentile(99.9),
          histogram.getValueAtPercentile(99.99),
          histogram.getMaxValue(),
          collections() - collections,
          usedHeap() - used);
    }
  }

  private static long collections() {
    return ManagementFactory.getGarbageCollectorMXBeans().stream()
        .mapToLong(GarbageCollectorMXBean::getCollectionCount)
        .sum();
  }

  private static long usedHeap() {
    var runtime = Runtime.getRuntime();
    return runtime.totalMemory() - runtime.freeMemory();
  }

  static double median(double[] values) {
    var sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
