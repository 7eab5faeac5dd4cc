// SPDX-License-Identifier: Apache-2.0
package io.jvfio.bench;

import io.jvfio.dma.IovaMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
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
 * IO virtual addresses at a steady number of live mappings, against first fit in a red-black tree
 * with the largest gap in each node. Of 64 mappings, 58 have 4 KiB, 5 have 64 KiB and one has 2
 * MiB. Both sides free by address, and must choose the same addresses. Which mappings a batch frees
 * is drawn beforehand and not timed.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class IovaAllocation {
  private static final int BATCH = 50_000;
  private static final int RECENT = 256;
  private static final long PAGE = 4096;

  /** How many mappings are live. */
  @Param({"1000", "1000000"})
  public int live;

  private final SplittableRandom random = new SplittableRandom(1);
  private final Object owner = new Object();
  private final IovaMap<Object> map = new IovaMap<>();
  private final Arena arena = Arena.ofConfined();
  private long tree;

  /** Where the mappings start, or 0; a batch replaces some of the first. */
  private long[] starts = {};

  private final int[] which = new int[BATCH];
  private final long[] sizes = new long[BATCH];

  private final MemorySegment peerStarts = arena.allocate(ValueLayout.JAVA_LONG, BATCH);
  private final MemorySegment peerWhich = arena.allocate(ValueLayout.JAVA_INT, BATCH);
  private final MemorySegment peerSizes = arena.allocate(ValueLayout.JAVA_LONG, BATCH);

  /** Fills both spaces, and replaces mappings until holes are as usual. */
  @Setup
  public void fill() {
    map.addRange(PAGE, (1L << 48) - 1);
    tree = Peers.newIovaTree(PAGE, 1L << 48);
    starts = new long[Math.max(live, BATCH)];
    for (int mapped = 0; mapped < live; mapped += BATCH) {
      for (int i = 0; i < BATCH; i++) {
        swap(i % live, (mapped + i) % live);
        which[i] = i % live;
      }
      replaceBoth();
    }
    for (int replaced = 0; replaced < 2 * live; replaced += BATCH) {
      drawAny();
      replaceBoth();
    }
  }

  /** Frees the space that Java does not. */
  @TearDown
  public void delete() {
    Peers.deleteIovaTree(tree);
    arena.close();
  }

  private void swap(int i, int j) {
    long start = starts[i];
    starts[i] = starts[j];
    starts[j] = start;
  }

  /** Chooses from all mappings; of many, moves the chosen to the front. */
  private void drawAny() {
    for (int i = 0; i < BATCH; i++) {
      if (live > BATCH) {
        swap(i, random.nextInt(i, live));
        which[i] = i;
      } else {
        which[i] = random.nextInt(live);
      }
    }
  }

  private void drawRecent() {
    for (int i = 0; i < BATCH; i++) {
      which[i] = i % RECENT;
    }
  }

  private void prepare() {
    for (int i = 0; i < BATCH; i++) {
      int dice = random.nextInt(64);
      sizes[i] = dice == 0 ? 512 * PAGE : dice < 6 ? 16 * PAGE : PAGE;
    }
    MemorySegment.copy(starts, 0, peerStarts, ValueLayout.JAVA_LONG, 0, BATCH);
    MemorySegment.copy(which, 0, peerWhich, ValueLayout.JAVA_INT, 0, BATCH);
    MemorySegment.copy(sizes, 0, peerSizes, ValueLayout.JAVA_LONG, 0, BATCH);
  }

  private void replaceHere() {
    for (int i = 0; i < BATCH; i++) {
      int place = which[i];
      if (starts[place] != IovaMap.NONE && map.remove(starts[place]) == null) {
        throw new IllegalStateException("a mapping is lost");
      }
      starts[place] = map.allocate(sizes[i], PAGE, 0, -1, owner);
    }
  }

  private void replaceThere() {
    Peers.replaceIovas(tree, BATCH, peerStarts, peerWhich, peerSizes, PAGE);
  }

  private void compare() {
    if (MemorySegment.ofArray(starts).asSlice(0, peerStarts.byteSize()).mismatch(peerStarts) >= 0) {
      throw new IllegalStateException("the two sides do not choose the same addresses");
    }
  }

  private void replaceBoth() {
    prepare();
    replaceHere();
    replaceThere();
    compare();
  }

  private void measure(Pair pair) {
    prepare();
    long begin = System.nanoTime();
    replaceHere();
    long between = System.nanoTime();
    replaceThere();
    pair.add(BATCH, begin, between, System.nanoTime());
    compare();
  }

  /** Frees any mapping and allocates another: with many, hardly anything is in a cache. */
  @Benchmark
  public void replaceAny(Pair pair) {
    drawAny();
    measure(pair);
  }

  /** Frees the oldest of a few recent mappings and allocates another, beside all that stay. */
  @Benchmark
  public void replaceRecent(Pair pair) {
    drawRecent();
    measure(pair);
  }
}
