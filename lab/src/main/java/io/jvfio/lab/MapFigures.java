// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.DmaMapping;
import io.jvfio.HostDevice;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.IommuIoasMap;
import io.jvfio.linux.uapi.IommuIoasUnmap;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * {@code MapFigures LIBRARY}: what it takes to unmap and map memory again, in Java and in C, for
 * each IOMMU type that works on this machine.
 *
 * <p>C makes the same calls on jvfio's own descriptor, with structs of its own. Batches of both
 * take turns, each timed by itself, so that whatever the machine does meanwhile it does to both.
 * The figures are medians, of the ratios of neighbouring batches too.
 *
 * <p>Run it with {@code -XX:-UseTLAB}: every allocation then counts at once in what the heap has in
 * use.
 */
public final class MapFigures {
  private static final String DESCRIPTORS = "/proc/self/fd";

  /** The IOAS, which is what is made first of an iommufd; the kernel numbers from 1. */
  private static final int FIRST_OBJECT = 1;

  private static final long[] SIZES = {0, 2 << 20};

  /** An emulated machine takes that long to compile for good what runs for the first time. */
  private static final long FIRST_WARM_UP_NANOS = 15_000_000_000L;

  private static final long WARM_UP_NANOS = 2_000_000_000L;
  private static final long BATCH_NANOS = 1_000_000;
  private static final int ROUNDS = 1_001;

  /** What C is to call. */
  private record InC(
      int fd, Ioctl unmap, MemorySegment unmapStruct, Ioctl map, MemorySegment mapStruct) {}

  private final MethodHandle remap;
  private final Kernel kernel = LinuxKernel.instance();
  private final VfioHost host = VfioHost.local();
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
    var inC = inC(type, mapping);
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < warmUpNanos) {
      remap(mapping, 50);
      remap(inC, 50);
    }
    warmUpNanos = WARM_UP_NANOS;
    int batch = Math.clamp(BATCH_NANOS * 50 / remap(inC, 50), 1, 5_000);

    var java = new double[ROUNDS];
    var c = new double[ROUNDS];
    var ratios = new double[ROUNDS];
    double bytes = Double.MAX_VALUE;
    for (int round = 0; round < ROUNDS; round++) {
      boolean javaFirst = round % 2 == 0;
      if (!javaFirst) {
        c[round] = remap(inC, batch);
      }
      long used = usedHeap();
      java[round] = remap(mapping, batch);
      long allocated = usedHeap() - used;
      if (javaFirst) {
        c[round] = remap(inC, batch);
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

  /** The calls that take a mapping away and give it back, as a C program would prepare them. */
  private InC inC(IommuType type, DmaMapping mapping) {
    if (type == IommuType.IOMMUFD) {
      var unmap = IommuIoasUnmap.STRUCT.allocate(Arena.global());
      IommuIoasUnmap.IOAS_ID.set(unmap, FIRST_OBJECT);
      IommuIoasUnmap.IOVA.set(unmap, mapping.iova());
      IommuIoasUnmap.LENGTH.set(unmap, mapping.byteSize());
      var map = IommuIoasMap.STRUCT.allocate(Arena.global());
      IommuIoasMap.FLAGS.set(
          map,
          Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA
              | Iommufd.IOMMU_IOAS_MAP_READABLE
              | Iommufd.IOMMU_IOAS_MAP_WRITEABLE);
      IommuIoasMap.IOAS_ID.set(map, FIRST_OBJECT);
      IommuIoasMap.USER_VA.set(map, mapping.segment().address());
      IommuIoasMap.LENGTH.set(map, mapping.byteSize());
      IommuIoasMap.IOVA.set(map, mapping.iova());
      return new InC(
          descriptor("/dev/iommu"), Iommufd.IOMMU_IOAS_UNMAP, unmap, Iommufd.IOMMU_IOAS_MAP, map);
    }
    var unmap = VfioIommuType1DmaUnmap.STRUCT.allocate(Arena.global());
    VfioIommuType1DmaUnmap.IOVA.set(unmap, mapping.iova());
    VfioIommuType1DmaUnmap.SIZE.set(unmap, mapping.byteSize());
    var map = VfioIommuType1DmaMap.STRUCT.allocate(Arena.global());
    VfioIommuType1DmaMap.FLAGS.set(map, Vfio.VFIO_DMA_MAP_FLAG_READ | Vfio.VFIO_DMA_MAP_FLAG_WRITE);
    VfioIommuType1DmaMap.VADDR.set(map, mapping.segment().address());
    VfioIommuType1DmaMap.IOVA.set(map, mapping.iova());
    VfioIommuType1DmaMap.SIZE.set(map, mapping.byteSize());
    return new InC(
        descriptor("/dev/vfio/vfio"),
        Vfio.VFIO_IOMMU_UNMAP_DMA,
        unmap,
        Vfio.VFIO_IOMMU_MAP_DMA,
        map);
  }

  /** The descriptor that jvfio has for a file, which nobody else has open in this process. */
  private int descriptor(String path) {
    try {
      for (var fd : kernel.list(DESCRIPTORS)) {
        if (isOf(path, fd)) {
          return Integer.parseInt(fd);
        }
      }
    } catch (ErrnoException e) {
      throw new IllegalStateException(e);
    }
    throw new IllegalStateException(path + " is not open");
  }

  private boolean isOf(String path, String fd) throws ErrnoException {
    try {
      return kernel.readLink(DESCRIPTORS + "/" + fd).equals(path);
    } catch (ErrnoException e) {
      if (e.errno().equals(Errno.ENOENT)) {
        return false; // the one that listed them
      }
      throw e;
    }
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
  private long remap(InC calls, int count) {
    long begin = System.nanoTime();
    long failures;
    try {
      failures =
          (long)
              remap.invokeExact(
                  (long) count,
                  calls.fd(),
                  calls.unmap().requestNumber(kernel.architecture()),
                  calls.unmapStruct(),
                  calls.map().requestNumber(kernel.architecture()),
                  calls.mapStruct());
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
