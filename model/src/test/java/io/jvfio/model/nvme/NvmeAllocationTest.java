// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.DmaLease;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import jdk.jfr.Recording;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The model on the hot path: every command as cheap as the last, and nothing for the collector. */
class NvmeAllocationTest {
  private static final int WARM_UP = 40_000;
  private static final int MEASURED = 2_000;

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  private static final String COMMAND = "jvfio.NvmeServedCommand";

  private static final int ENTRIES = 64;
  private static final long SQ = 0x3000;
  private static final long CQ = 0x4000;
  private static final long DATA = 0x10_0000;

  /**
   * A way to memory that makes no object for the part of a segment.
   *
   * @param lease lends the memory as it lies; null if it is not lent
   */
  private record Memory(MemorySegment bytes, @Nullable DmaLease lease) implements DmaPort {
    static Memory lent(MemorySegment bytes) {
      return new Memory(
          bytes,
          new DmaLease() {
            @Override
            public long address(long iova) {
              return bytes.address() + iova;
            }

            @Override
            public void end(long iova, long byteSize, boolean wasWritten) {}
          });
    }

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

    @Override
    public @Nullable DmaLease lease(long iova, long byteSize, boolean isWritten) {
      return lease;
    }
  }

  /** This machine's kernel, but that a flush by a thread takes no time. */
  private static final class Unflushed extends ForwardingKernel {
    Unflushed() {
      super(LinuxKernel.instance());
    }

    @Override
    public int synchronizeData(int fd) {
      return 0;
    }
  }

  private static final InterruptPort NOBODY =
      new InterruptPort() {
        @Override
        public void signal(int vector) {}

        @Override
        public void line(boolean asserted) {}
      };

  @TempDir Path directory;

  private int tail;
  private int head;
  private int phase = 1;

  /** What somebody may record meanwhile. */
  enum Recorder {
    /** Nothing, though other tests of this process may have recorded before. */
    OF_NOTHING,
    /** Something else. */
    OF_OTHER_EVENTS,
    /** Commands, all of which are faster than that. */
    OF_SLOW_COMMANDS;

    Recording start() {
      var recording = new Recording();
      switch (this) {
        case OF_NOTHING -> {
          return recording;
        }
        case OF_OTHER_EVENTS -> recording.disable(COMMAND);
        case OF_SLOW_COMMANDS -> recording.enable(COMMAND).withThreshold(Duration.ofHours(1));
      }
      recording.start();
      return recording;
    }
  }

  @ParameterizedTest
  @EnumSource
  void allocatesNothingForReadsAndWrites(Recorder recorder) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var _ = recorder.start();
        var arena = Arena.ofConfined();
        var model = NvmeModel.inMemory("S", 1 << 20)) {
      var memory = arena.allocate(2 << 20, 4096);
      model.connect(new Memory(memory, null), NOBODY);
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

  @Test
  void allocatesNothingForDoorbellsInMemory() {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var arena = Arena.ofConfined();
        var model = NvmeModel.inMemory("S", 1 << 20)) {
      var memory = arena.allocate(2 << 20, 4096);
      var doorbells = arena.allocate(4096, 4096);
      model.connect(new Memory(memory, null), NOBODY);
      model.mapRegisters(doorbells);
      start(model, memory);
      store(model, memory, doorbells, WARM_UP);

      long least = Long.MAX_VALUE;
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getCurrentThreadAllocatedBytes();
        store(model, memory, doorbells, MEASURED);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
      long last = CQ + 16L * ((tail + ENTRIES - 1) % ENTRIES);
      assertThat((memory.get(ValueLayout.JAVA_SHORT, last + 14) >>> 1) & 0x7fff).isZero();
    }
  }

  /** All threads together: those that make the calls allocate no more than who asks for them. */
  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @CsvSource({"true, true", "true, false", "false, true", "false, false"})
  void allocatesNothingForCommandsOnAFile(boolean byRing, boolean lends) throws IOException {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    var file = Files.write(directory.resolve("disk"), new byte[1 << 20]);
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, 1 << 20))
            .withKernel(new Unflushed());
    try (var arena = Arena.ofShared();
        var model = NvmeModel.of(byRing ? options : options.withoutRing())) {
      assertThat(model.storage().getFirst()).endsWith(byRing ? "by io_uring" : "by threads");
      var memory = arena.allocate(2 << 20, 4096);
      var self = Thread.currentThread();
      model.connectPoll(() -> LockSupport.unpark(self));
      model.connect(lends ? Memory.lent(memory) : new Memory(memory, null), NOBODY);
      start(model, memory);
      runOnFile(model, memory, WARM_UP);

      long least = Long.MAX_VALUE;
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getTotalThreadAllocatedBytes();
        runOnFile(model, memory, MEASURED);
        least = Math.min(least, threads.getTotalThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
    }
  }

  /** Reads and writes of 4 KiB, and some flushes, as many at once as the queue takes. */
  private void runOnFile(NvmeModel model, MemorySegment memory, int times) {
    for (int done = 0; done < times; done += ENTRIES / 2) {
      for (int i = 0; i < ENTRIES / 2; i++) {
        int opcode = i == 0 ? 0 : 1 + (i & 1);
        put(memory, SQ + 64L * tail, opcode, DATA + 4096L * i, 8 * i, 0, 7);
        tail = (tail + 1) % ENTRIES;
      }
      model.write(0, 0x1008, 4, tail);
      for (int i = 0; i < ENTRIES / 2; i++) {
        awaitCompletion(model, memory);
      }
      model.write(0, 0x100c, 4, head);
    }
  }

  private void awaitCompletion(NvmeModel model, MemorySegment memory) {
    int status = memory.get(ValueLayout.JAVA_SHORT, CQ + 16L * head + 14);
    while ((status & 1) != phase) {
      if (!model.poll()) {
        LockSupport.parkNanos(100_000);
      }
      status = memory.get(ValueLayout.JAVA_SHORT, CQ + 16L * head + 14);
    }
    if ((status & 0xfffe) != 0) {
      throw new AssertionError(Integer.toHexString(status));
    }
    head = (head + 1) % ENTRIES;
    phase ^= head == 0 ? 1 : 0;
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

  /** The same, of which the model is not told; now and then with a value that is no entry's. */
  private void store(NvmeModel model, MemorySegment memory, MemorySegment doorbells, int times) {
    for (int i = 0; i < times; i++) {
      put(memory, SQ + 64L * tail, 1 + (i & 1), DATA, 8 * (i & 63), 0, 7);
      tail = (tail + 1) % ENTRIES;
      if (i % 16 == 0) {
        doorbells.set(ValueLayout.JAVA_INT, 8, ENTRIES + i);
        poll(model);
      }
      doorbells.set(ValueLayout.JAVA_INT, 8, tail);
      poll(model);
      doorbells.set(ValueLayout.JAVA_INT, 12, tail);
    }
  }

  private static void poll(NvmeModel model) {
    while (model.poll()) {
      // There may be more.
    }
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
