// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.NvmeFigures.AREA;
import static io.jvfio.lab.NvmeFigures.BLOCK;
import static io.jvfio.lab.NvmeFigures.ROUNDS;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Random reads of two block devices, past the cache, by the kernel's own driver: {@code pread} in
 * C, from some threads each with one read in flight. Batches take turns, which device is first too.
 */
final class DriverFigures {
  private static final int BLOCKS = 8;
  private static final int[] THREADS = {1, 4, 16};
  private static final long WARM_UP_NANOS = 5_000_000_000L;
  private static final long BATCH_NANOS = 50_000_000;

  private final CPeer inC;
  private final String path;
  private final ExecutorService readers;
  private final int threads;
  private final List<Integer> files = new ArrayList<>();

  private DriverFigures(CPeer inC, String path, ExecutorService readers, int threads) {
    this.inC = inC;
    this.path = path;
    this.readers = readers;
    this.threads = threads;
    for (int i = 0; i < threads; i++) {
      files.add(inC.openBlockDevice(path));
    }
  }

  /** Prints a line for each number of threads. */
  static void print(CPeer inC, String one, String other) {
    System.out.printf(
        "%5s %7s %14s %11s %14s %11s %7s%n",
        "bytes", "threads", one, "IOPS", other, "IOPS", "ratio");
    for (int threads : THREADS) {
      try (var readers = Executors.newFixedThreadPool(threads)) {
        compare(
            new DriverFigures(inC, one, readers, threads),
            new DriverFigures(inC, other, readers, threads));
      }
    }
  }

  private static void compare(DriverFigures one, DriverFigures other) {
    long begin = System.nanoTime();
    double perRead = 0;
    while (System.nanoTime() - begin < WARM_UP_NANOS) {
      one.nanosPerRead(100);
      perRead = other.nanosPerRead(100);
    }
    int each = (int) Math.clamp(BATCH_NANOS / perRead / one.threads, 10, 100_000);
    var nanos = new double[ROUNDS];
    var otherNanos = new double[ROUNDS];
    var ratios = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      boolean isFirst = round % 2 == 0;
      if (isFirst) {
        nanos[round] = one.nanosPerRead(each);
      }
      otherNanos[round] = other.nanosPerRead(each);
      if (!isFirst) {
        nanos[round] = one.nanosPerRead(each);
      }
      ratios[round] = otherNanos[round] / nanos[round];
    }
    System.out.printf(
        "%5d %7d %14s %,11.0f %14s %,11.0f %7.3f%n",
        BLOCKS * BLOCK,
        one.threads,
        one.path,
        NvmeFigures.perSecond(1, NvmeFigures.median(nanos)),
        other.path,
        NvmeFigures.perSecond(1, NvmeFigures.median(otherNanos)),
        NvmeFigures.median(ratios));
  }

  private double nanosPerRead(long each) {
    long begin = System.nanoTime();
    var results = new ArrayList<Future<Long>>();
    for (int file : files) {
      results.add(readers.submit(() -> inC.readBlockDevice(file, each, BLOCKS, AREA)));
    }
    try {
      for (var result : results) {
        result.get();
      }
    } catch (ExecutionException | InterruptedException e) {
      throw new IllegalStateException("reading " + path, e);
    }
    return (double) (System.nanoTime() - begin) / (each * threads);
  }
}
