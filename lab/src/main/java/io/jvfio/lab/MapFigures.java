package io.jvfio.lab;

import io.jvfio.DmaMapping;
import io.jvfio.HostDevice;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/**
 * {@code MapFigures LIBRARY}: what it takes to unmap and map memory again, in Java and in C, for
 * each IOMMU type that works on this machine.
 *
 * <p>C repeats the very calls that jvfio made: the same structs on the same descriptor. Batches of
 * both take turns, each timed by itself, so that whatever the machine does meanwhile it does to
 * both. The figures are medians, of the ratios of neighbouring batches too.
 *
 * <p>Run it with {@code -XX:-UseTLAB}: every allocation then counts at once in what the heap has in
 * use.
 */
public final class MapFigures {
  private static final long[] SIZES = {0, 2 << 20};

  /** An emulated machine takes that long to compile for good what runs for the first time. */
  private static final long FIRST_WARM_UP_NANOS = 15_000_000_000L;

  private static final long WARM_UP_NANOS = 2_000_000_000L;
  private static final long BATCH_NANOS = 10_000_000;
  private static final int ROUNDS = 151;

  private final MethodHandle remap;
  private final LastCalls kernel = new LastCalls();
  private final VfioHost host = VfioHost.of("local", kernel);
  private long warmUpNanos = FIRST_WARM_UP_NANOS;

  // SAFETY: the library is lab/src/main/c/remap.c, and so is the descriptor.
  @SuppressWarnings("restricted")
  private MapFigures(Path library) {
    remap =
        Linker.nativeLinker()
            .downcallHandle(
                SymbolLookup.libraryLookup(library, Arena.global()).findOrThrow("remap"),
                FunctionDescriptor.of(
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.ADDRESS,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.ADDRESS));
  }

  /** The program. */
  public static void main(String[] arguments) {
    var figures = new MapFigures(Path.of(arguments[0]));
    System.out.printf(
        "%-13s %9s %11s %11s %7s %9s%n", "type", "bytes", "Java ns", "C ns", "ratio", "heap B/op");
    var device =
        figures.host.devices().stream().filter(HostDevice::isBoundToVfio).findFirst().orElseThrow();
    for (var type : IommuPolicy.DEFAULT_ORDER) {
      figures.measure(device.address(), type);
    }
  }

  private void measure(PciAddress address, IommuType type) {
    try (var device = host.open(address, IommuPolicy.require(type))) {
      for (long size : SIZES) {
        try (var buffer = device.dmaSpace().allocate(Math.max(size, kernel.pageSize()))) {
          measure(type, buffer);
        }
      }
    } catch (VfioException e) {
      System.out.printf("%-13s does not work here: %s%n", type, e.meaning());
    }
  }

  private void measure(IommuType type, DmaMapping mapping) {
    kernel.begin();
    remap(mapping, 1);
    var calls = kernel.end();
    boolean iommufd = type == IommuType.IOMMUFD;
    var unmap = call(calls, iommufd ? Iommufd.IOMMU_IOAS_UNMAP : Vfio.VFIO_IOMMU_UNMAP_DMA);
    var map = call(calls, iommufd ? Iommufd.IOMMU_IOAS_MAP : Vfio.VFIO_IOMMU_MAP_DMA);

    long begin = System.nanoTime();
    while (System.nanoTime() - begin < warmUpNanos) {
      remap(mapping, 50);
      remap(unmap, map, 50);
    }
    warmUpNanos = WARM_UP_NANOS;
    int batch = Math.clamp(BATCH_NANOS * 50 / remap(unmap, map, 50), 5, 5_000);

    var java = new double[ROUNDS];
    var c = new double[ROUNDS];
    var ratios = new double[ROUNDS];
    double bytes = Double.MAX_VALUE;
    for (int round = 0; round < ROUNDS; round++) {
      boolean javaFirst = round % 2 == 0;
      if (!javaFirst) {
        c[round] = remap(unmap, map, batch);
      }
      long used = usedHeap();
      java[round] = remap(mapping, batch);
      long allocated = usedHeap() - used;
      if (javaFirst) {
        c[round] = remap(unmap, map, batch);
      }
      ratios[round] = java[round] / c[round];
      if (allocated >= 0) { // less after a garbage collection
        bytes = Math.min(bytes, (double) allocated / batch);
      }
    }
    System.out.printf(
        "%-13s %,9d %,11.0f %,11.0f %7.3f %9.3f%n",
        type, mapping.byteSize(), median(java) / batch, median(c) / batch, median(ratios), bytes);
  }

  private static LastCalls.Call call(Map<Ioctl, LastCalls.Call> calls, Ioctl command) {
    var call = calls.get(command);
    if (call == null) {
      throw new IllegalStateException(command + " was not called, but " + calls.keySet());
    }
    return call;
  }

  private static long usedHeap() {
    var runtime = Runtime.getRuntime();
    return runtime.totalMemory() - runtime.freeMemory();
  }

  /** How long so many times took in Java, in nanoseconds. */
  private static long remap(DmaMapping mapping, int count) {
    long begin = System.nanoTime();
    for (int i = 0; i < count; i++) {
      mapping.unmap();
      mapping.map();
    }
    return System.nanoTime() - begin;
  }

  /** How long so many times took in C, in nanoseconds. */
  private long remap(LastCalls.Call unmap, LastCalls.Call map, int count) {
    long begin = System.nanoTime();
    long failures;
    try {
      failures =
          (long)
              remap.invokeExact(
                  (long) count,
                  map.fd(),
                  unmap.request(),
                  unmap.struct(),
                  map.request(),
                  map.struct());
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
    long took = System.nanoTime() - begin;
    if (failures > 0) {
      throw new IllegalStateException(failures + " of C's calls failed");
    }
    return took;
  }

  private static double median(double[] values) {
    var sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
