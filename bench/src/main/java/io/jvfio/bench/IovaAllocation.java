package io.jvfio.bench;

import io.jvfio.iova.IovaMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
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
  private static final long PAGE = 4096;

  /** How many mappings are live. */
  @Param({"1000", "1000000"})
  public int live;

  private final SplittableRandom random = new SplittableRandom(1);
  private final Object owner = new Object();
  private final IovaMap<Object> map = new IovaMap<>();
  private final Arena arena = Arena.ofConfined();
  private long tree;

  /** Where the mappings start, or 0: a batch's are the first. */
  private long[] starts = {};

  private long[] sizes = {};
  private MemorySegment peerStarts = MemorySegment.NULL;
  private MemorySegment peerSizes = MemorySegment.NULL;
  private int batch;

  /** Fills both spaces, and replaces mappings until holes are as usual. */
  @Setup
  public void fill() {
    batch = Math.min(live / 2, 20_000);
    map.addRange(PAGE, (1L << 48) - 1);
    tree = Peers.newIovaTree(PAGE, 1L << 48);
    starts = new long[live];
    sizes = new long[batch];
    peerStarts = arena.allocate(ValueLayout.JAVA_LONG, batch);
    peerSizes = arena.allocate(ValueLayout.JAVA_LONG, batch);
    for (int mapped = 0; mapped < live; mapped += batch) {
      for (int i = 0; i < batch; i++) {
        choose(i, mapped + i);
      }
      tellPeer();
      replaceBoth();
    }
    for (int replaced = 0; replaced < 2 * live; replaced += batch) {
      draw();
      replaceBoth();
    }
  }

  /** Frees the space that Java does not. */
  @TearDown
  public void delete() {
    Peers.deleteIovaTree(tree);
    arena.close();
  }

  /** Draws what to free, and the sizes of what is to take its place. */
  @Setup(Level.Invocation)
  public void draw() {
    for (int i = 0; i < batch; i++) {
      choose(i, random.nextInt(i, live));
    }
    tellPeer();
  }

  private void choose(int i, int chosen) {
    long start = starts[chosen];
    starts[chosen] = starts[i];
    starts[i] = start;
    int dice = random.nextInt(64);
    sizes[i] = dice == 0 ? 512 * PAGE : dice < 6 ? 16 * PAGE : PAGE;
  }

  private void tellPeer() {
    MemorySegment.copy(starts, 0, peerStarts, ValueLayout.JAVA_LONG, 0, batch);
    MemorySegment.copy(sizes, 0, peerSizes, ValueLayout.JAVA_LONG, 0, batch);
  }

  private void replaceHere() {
    for (int i = 0; i < batch; i++) {
      if (starts[i] != IovaMap.NONE && map.remove(starts[i]) == null) {
        throw new IllegalStateException("a mapping is lost");
      }
      starts[i] = map.allocate(sizes[i], PAGE, 0, -1, owner);
    }
  }

  private void replaceThere() {
    Peers.replaceIovas(tree, batch, peerStarts, peerSizes, PAGE);
  }

  private void compare() {
    if (MemorySegment.ofArray(starts).asSlice(0, peerStarts.byteSize()).mismatch(peerStarts) >= 0) {
      throw new IllegalStateException("the two sides do not choose the same addresses");
    }
  }

  private void replaceBoth() {
    replaceHere();
    replaceThere();
    compare();
  }

  /** Frees a mapping and allocates another. */
  @Benchmark
  public void replace(Pair pair) {
    long begin = System.nanoTime();
    replaceHere();
    long between = System.nanoTime();
    replaceThere();
    pair.add(batch, begin, between, System.nanoTime());
  }

  /** Makes sure that both sides did the same. */
  @TearDown(Level.Invocation)
  public void check() {
    compare();
  }
}
