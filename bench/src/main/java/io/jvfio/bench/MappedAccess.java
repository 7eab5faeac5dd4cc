// SPDX-License-Identifier: Apache-2.0
package io.jvfio.bench;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.Registers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * 32-bit registers of a mapped region against C's volatile access. The region is a file in memory:
 * a device's would answer a hundred times slower and hide what the access itself costs.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class MappedAccess {
  private static final int BATCH = 200_000;
  private static final int BYTES = 0x4000;
  private static final long REGISTER = 0x1008;

  private final Kernel kernel = LinuxKernel.instance();
  private Path file = Path.of("");
  private @Nullable Registers registers;
  private long address;

  /** Maps the file, and makes sure that both sides see the same register. */
  @Setup
  public void map() throws IOException {
    file = Files.write(Files.createTempFile("jvfio", "bench"), new byte[BYTES]);
    int fd = kernel.open(file.toString(), Kernel.O_RDWR);
    address = kernel.mmap(BYTES, Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, fd, 0);
    kernel.close(fd);
    if (address < 0) {
      throw new IllegalStateException("mmap: " + address);
    }
    var mapped = kernel.registers(address, BYTES);
    registers = mapped;
    mapped.write32(REGISTER, 7);
    Peers.modify32(1, address + REGISTER);
    if (mapped.read32(REGISTER) != 8 || Peers.read32(2, address + REGISTER) != 16) {
      throw new IllegalStateException("the two sides do not see the same register");
    }
  }

  /** Unmaps and deletes. */
  @TearDown
  public void unmap() throws IOException {
    registers().close();
    kernel.munmap(address, BYTES);
    Files.delete(file);
  }

  private Registers registers() {
    var mapped = registers;
    if (mapped == null) {
      throw new IllegalStateException("not mapped");
    }
    return mapped;
  }

  private static long reads(Registers registers) {
    long sum = 0;
    for (int i = 0; i < BATCH; i++) {
      sum += registers.read32(REGISTER);
    }
    return sum;
  }

  private static int dependentReads(Registers registers, int first) {
    int offset = first;
    for (int i = 0; i < BATCH; i++) {
      offset = registers.read32(offset);
    }
    return offset;
  }

  private static void writes(Registers registers) {
    for (int i = 0; i < BATCH; i++) {
      registers.write32(REGISTER, i);
    }
  }

  private static void modifies(Registers registers) {
    for (int i = 0; i < BATCH; i++) {
      registers.write32(REGISTER, registers.read32(REGISTER) + 1);
    }
  }

  /** Reads. */
  @Benchmark
  public long read32(Pair pair) {
    var mapped = registers();
    long begin = System.nanoTime();
    long sum = reads(mapped);
    long between = System.nanoTime();
    sum += Peers.read32(BATCH, address + REGISTER);
    pair.add(BATCH, begin, between, System.nanoTime());
    return sum;
  }

  /** Reads, each at an offset that the one before returned: how long until a value is there. */
  @Benchmark
  public long dependentRead32(Pair pair) {
    var mapped = registers();
    mapped.write32(REGISTER, (int) REGISTER);
    long begin = System.nanoTime();
    long last = dependentReads(mapped, (int) REGISTER);
    long between = System.nanoTime();
    last += Peers.dependent32(BATCH, address, (int) REGISTER);
    pair.add(BATCH, begin, between, System.nanoTime());
    return last;
  }

  /** Writes. */
  @Benchmark
  public void write32(Pair pair) {
    var mapped = registers();
    long begin = System.nanoTime();
    writes(mapped);
    long between = System.nanoTime();
    Peers.write32(BATCH, address + REGISTER);
    pair.add(BATCH, begin, between, System.nanoTime());
  }

  /** Reads a register and writes it back changed. */
  @Benchmark
  public void readThenWrite32(Pair pair) {
    var mapped = registers();
    long begin = System.nanoTime();
    modifies(mapped);
    long between = System.nanoTime();
    Peers.modify32(BATCH, address + REGISTER);
    pair.add(BATCH, begin, between, System.nanoTime());
  }
}
