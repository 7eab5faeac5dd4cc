// SPDX-License-Identifier: Apache-2.0
package io.jvfio.bench;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * One cheap ioctl through {@link Kernel}: {@code FIONREAD} of a file, which the kernel answers with
 * one store, and a command that {@code /dev/null} does not know.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class SystemCalls {
  private static final int BATCH = 2_000;

  private final Kernel kernel = LinuxKernel.instance();
  private final Ioctl command = new Ioctl("FIONREAD", 'T', 0x1b);
  private Path file = Path.of("");
  private Arena arena = Arena.global();
  private MemorySegment struct = MemorySegment.NULL;
  private long request;
  private int fd;
  private int none;

  /** Opens the files, and makes sure that both sides do the same. */
  @Setup
  public void open() throws IOException {
    if (Architecture.current() == Architecture.PPC64LE) {
      throw new IllegalStateException("on POWER, FIONREAD has a direction and a size");
    }
    file = Files.writeString(Files.createTempFile("jvfio", "bench"), "content");
    fd = kernel.open(file.toString(), Kernel.O_RDONLY);
    none = kernel.open("/dev/null", Kernel.O_RDWR);
    arena = Arena.ofConfined();
    struct = arena.allocate(8);
    request = command.requestNumber(kernel.architecture());
    if (structs() != 0 || Peers.ioctl(BATCH, fd, request, struct) != 0) {
      throw new IllegalStateException("FIONREAD fails");
    }
    var zero = MemorySegment.NULL;
    if (numbers() >= 0 || Peers.ioctl(BATCH, none, request, zero) != -BATCH) {
      throw new IllegalStateException("/dev/null knows FIONREAD");
    }
  }

  /** Closes and deletes. */
  @TearDown
  public void close() throws IOException {
    kernel.close(fd);
    kernel.close(none);
    arena.close();
    Files.delete(file);
  }

  private long structs() {
    long sum = 0;
    for (int i = 0; i < BATCH; i++) {
      sum += kernel.ioctl(fd, command, struct);
    }
    return sum;
  }

  private long numbers() {
    long sum = 0;
    for (int i = 0; i < BATCH; i++) {
      sum += kernel.ioctl(none, command, 0L);
    }
    return sum;
  }

  /** An ioctl with a struct, which succeeds. */
  @Benchmark
  public long ioctlStruct(Pair pair) {
    long begin = System.nanoTime();
    long sum = structs();
    long between = System.nanoTime();
    sum += Peers.ioctl(BATCH, fd, request, struct);
    pair.add(BATCH, begin, between, System.nanoTime());
    return sum;
  }

  /** An ioctl with a number, which fails. */
  @Benchmark
  public long ioctlNumber(Pair pair) {
    long begin = System.nanoTime();
    long sum = numbers();
    long between = System.nanoTime();
    sum += Peers.ioctl(BATCH, none, request, MemorySegment.NULL);
    pair.add(BATCH, begin, between, System.nanoTime());
    return sum;
  }
}
