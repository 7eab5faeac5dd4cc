// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.InterruptHandler;
import io.jvfio.IrqInfo;
import io.jvfio.kernel.DeviceAnswers;
import io.jvfio.kernel.KernelAnswers;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import jdk.jfr.Recording;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Interrupts over this machine's own eventfds, of a device that is not there. */
@Timeout(120)
class EventInterruptTest {
  private static final int WARM_UP = 20_000;
  private static final int MEASURED = 1_000;

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  private static final IrqInfo MSIX = new IrqInfo(2, 4, false, false, true);

  private final Kernel kernel = LinuxKernel.instance();
  private final InterruptLoop loop = new InterruptLoop(kernel, "device");
  private final EventInterrupt interrupt = new EventInterrupt(new Absent(), loop, MSIX, 1);

  /** It takes every eventfd and signals none. */
  private static final class Absent implements InterruptControl {
    @Override
    public String subject() {
      return "device";
    }

    @Override
    public DeviceAnswers answers() {
      return KernelAnswers.INSTANCE;
    }

    @Override
    public int set(int flags, int index, int start, int count, int... eventFds) {
      return 0;
    }

    @Override
    public void waitedInVain(String interrupt) {}
  }

  /** What a handler was told, and on which thread. */
  private static final class Count implements InterruptHandler {
    volatile long total;
    volatile long thread;

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread calls it
    public void signalled(long count) {
      thread = Thread.currentThread().threadId();
      total += count;
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void signalsAreDeliveredWithoutAllocating(boolean handled) {
    try (var recording = new Recording()) {
      deliverWithoutAllocating(handled);
      // The same while somebody records, but not these.
      recording.disable("jvfio.InterruptWait");
      recording.disable("jvfio.InterruptHandler");
      recording.start();
      deliverWithoutAllocating(handled);
    } finally {
      loop.close();
      interrupt.release();
    }
  }

  private void deliverWithoutAllocating(boolean handled) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    var count = new Count();
    var timeout = Duration.ofMinutes(1);
    try (var arena = Arena.ofConfined()) {
      var one = arena.allocateFrom(ValueLayout.JAVA_LONG, 1);
      if (handled) {
        interrupt.handle(count);
      }
      signal(one, WARM_UP, handled ? count : null, timeout);
      long thread = handled ? count.thread : Thread.currentThread().threadId();
      long least = Long.MAX_VALUE;
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getThreadAllocatedBytes(thread);
        signal(one, MEASURED, handled ? count : null, timeout);
        least = Math.min(least, threads.getThreadAllocatedBytes(thread) - before);
      }
      assertThat(least).isZero();
      assertThat(thread == Thread.currentThread().threadId()).isEqualTo(!handled);
    }
  }

  private void signal(MemorySegment one, int times, @Nullable Count count, Duration timeout) {
    int fd = interrupt.fileDescriptor();
    for (int i = 0; i < times; i++) {
      long before = count == null ? 0 : count.total;
      kernel.write(fd, one);
      if (count == null) {
        interrupt.await(timeout);
      } else {
        while (count.total == before) {
          Thread.onSpinWait();
        }
      }
    }
  }

  @Test
  void aWaitIsRoundedUpToMilliseconds() {
    long start = System.nanoTime();
    assertThat(interrupt.await(Duration.ofNanos(1))).isZero();
    assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(1_000_000);
    interrupt.release();
    loop.close();
  }
}
