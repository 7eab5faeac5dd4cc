package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** The model on the hot path: every command as cheap as the last, and nothing for the collector. */
class NvmeAllocationTest {
  private static final int WARM_UP = 40_000;
  private static final int MEASURED = 2_000;

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  private static final int ENTRIES = 64;
  private static final long SQ = 0x3000;
  private static final long CQ = 0x4000;
  private static final long DATA = 0x10_0000;

  /** A way to memory that makes no object for the part of a segment. */
  private record Memory(MemorySegment bytes) implements DmaPort {
    @Override
    public void read(long iova, MemorySegment target) {
      read(iova, target, 0, target.byteSize());
    }

    @Override
    public void write(long iova, MemorySegment source) {
      write(iova, source, 0, source.byteSize());
    }

    @Override
    public void read(long iova, MemorySegment target, long offset, long length) {
      MemorySegment.copy(bytes, iova, target, offset, length);
    }

    @Override
    public void write(long iova, MemorySegment source, long offset, long length) {
      MemorySegment.copy(source, offset, bytes, iova, length);
    }
  }

  private static final InterruptPort NOBODY =
      new InterruptPort() {
        @Override
        public void signal(int vector) {}

        @Override
        public void line(boolean asserted) {}
      };

  private int tail;

  @Test
  void allocatesNothingForReadsAndWrites() {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var arena = Arena.ofConfined();
        var model = NvmeModel.inMemory("S", 1 << 20)) {
      var memory = arena.allocate(2 << 20, 4096);
      model.connect(new Memory(memory), NOBODY);
      start(model, memory);
      run(model, memory, WARM_UP);

      // The compiler may still change its mind, and what it interprets meanwhile allocates.
      long least = Long.MAX_VALUE;
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getCurrentThreadAllocatedBytes();
        run(model, memory, MEASURED);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
      long last = CQ + 16L * ((tail + ENTRIES - 1) % ENTRIES);
      assertThat((memory.get(ValueLayout.JAVA_SHORT, last + 14) >>> 1) & 0x7fff).isZero();
    }
  }

  private void start(NvmeModel model, MemorySegment memory) {
    model.write(0, 0x24, 4, 7 | (7 << 16));
    model.write(0, 0x28, 8, 0x1000);
    model.write(0, 0x30, 8, 0x2000);
    model.write(0, 0x14, 4, 0x0046_0001);
    int size = 1 | ((ENTRIES - 1) << 16);
    put(memory, 0x1000, 0x05, CQ, size, 3 | (1 << 16), 0);
    put(memory, 0x1040, 0x01, SQ, size, 1 | (1 << 16), 0);
    model.write(0, 0x1000, 4, 2);
  }

  private static void put(
      MemorySegment memory, long at, int opcode, long prp, int cdw10, int cdw11, int cdw12) {
    memory.set(ValueLayout.JAVA_INT, at, opcode);
    memory.set(ValueLayout.JAVA_INT, at + 4, 1);
    memory.set(ValueLayout.JAVA_LONG, at + 24, prp);
    memory.set(ValueLayout.JAVA_INT, at + 40, cdw10);
    memory.set(ValueLayout.JAVA_INT, at + 44, cdw11);
    memory.set(ValueLayout.JAVA_INT, at + 48, cdw12);
  }

  /** Transfers of 4 KiB, one at a time. */
  private void run(NvmeModel model, MemorySegment memory, int times) {
    for (int i = 0; i < times; i++) {
      put(memory, SQ + 64L * tail, 1 + (i & 1), DATA, 8 * (i & 63), 0, 7);
      tail = (tail + 1) % ENTRIES;
      model.write(0, 0x1008, 4, tail);
      model.write(0, 0x100c, 4, tail);
    }
  }
}
