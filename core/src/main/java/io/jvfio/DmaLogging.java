// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingControl;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingRange;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingReport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A device's own log of the pages that it has written, where its driver keeps one. What other
 * devices write is not in it. Source: {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_*}.
 *
 * <p>Safe for use by several threads.
 */
public final class DmaLogging implements DirtyTracking {
  /** The smallest page that the kernel reports, in bytes. */
  private static final long SMALLEST_PAGE = 4 << 10;

  private final DeviceFeatures features;
  private final long pageSize;
  private final AtomicBoolean closed = new AtomicBoolean();

  private DmaLogging(DeviceFeatures features, long pageSize) {
    this.features = features;
    this.pageSize = pageSize;
  }

  static DmaLogging start(
      DeviceFeatures features, int kernelPage, long pageSize, List<DmaRange> ranges) {
    check(kernelPage, pageSize, ranges);
    var feature = DeviceFeature.DMA_LOGGING_START;
    try (var arena = Arena.ofConfined()) {
      var array = arena.allocate(VfioDeviceFeatureDmaLoggingRange.STRUCT.layout(), ranges.size());
      for (int i = 0; i < ranges.size(); i++) {
        var range = array.asSlice(i * VfioDeviceFeatureDmaLoggingRange.BYTES);
        VfioDeviceFeatureDmaLoggingRange.IOVA.set(range, ranges.get(i).iova());
        VfioDeviceFeatureDmaLoggingRange.LENGTH.set(range, ranges.get(i).byteSize());
      }
      var struct =
          DeviceFeatures.struct(arena, feature.use(), VfioDeviceFeatureDmaLoggingControl.BYTES);
      var control = DeviceFeatures.data(struct);
      VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.set(control, pageSize);
      VfioDeviceFeatureDmaLoggingControl.NUM_RANGES.set(control, ranges.size());
      VfioDeviceFeatureDmaLoggingControl.RANGES.set(control, array.address());
      features.check(
          feature,
          "%d ranges in pages of %,d bytes".formatted(ranges.size(), pageSize),
          features.call(struct));
      return new DmaLogging(features, VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.get(control));
    }
  }

  private static void check(int kernelPage, long pageSize, List<DmaRange> ranges) {
    long most = kernelPage / VfioDeviceFeatureDmaLoggingRange.BYTES;
    if (Long.bitCount(pageSize) != 1 || ranges.isEmpty() || ranges.size() > most) {
      throw new IllegalArgumentException(
          "a log takes 1 to %d ranges in pages of a power of two, not %d in pages of %,d bytes"
              .formatted(most, ranges.size(), pageSize));
    }
    var sorted =
        ranges.stream()
            .sorted(Comparator.comparing(DmaRange::iova, Long::compareUnsigned))
            .toList();
    for (int i = 0; i < sorted.size(); i++) {
      var range = sorted.get(i);
      if (((range.iova() | range.byteSize()) & pageSize - 1) != 0) {
        throw new IllegalArgumentException(
            "%s is not made of whole pages of %,d bytes".formatted(range, pageSize));
      }
      var next = i + 1 < sorted.size() ? sorted.get(i + 1) : null;
      if (next != null
          && Long.compareUnsigned(next.iova(), range.iova() + range.byteSize() - 1) <= 0) {
        throw new IllegalArgumentException(range + " overlaps " + next);
      }
    }
  }

  @Override
  public long pageSize() {
    return pageSize;
  }

  @Override
  public void read(DmaMapping mapping, MemorySegment bitmap) {
    read(DmaRange.of(mapping), bitmap);
  }

  /**
   * Reads which pages of a range were written since the last read; addresses outside of what is
   * watched read as clean.
   *
   * @param bitmap is filled: bit i of the little-endian bit string is page i of the range, in pages
   *     of {@link #pageSize()}; native memory
   * @throws IllegalArgumentException if {@code bitmap} has less than one bit a page, in whole
   *     multiples of 8 bytes
   * @throws VfioException if the kernel refuses
   * @throws IllegalStateException if closed
   */
  public void read(DmaRange range, MemorySegment bitmap) {
    if (closed.get()) {
      throw new IllegalStateException("the log of " + features.subject() + " is closed");
    }
    long unit = Math.max(pageSize, SMALLEST_PAGE);
    long needed = Math.ceilDiv(Math.ceilDiv(range.byteSize(), unit), Long.SIZE) * Long.BYTES;
    if (bitmap.byteSize() < needed) {
      throw new IllegalArgumentException(
          "%,d bytes for a bitmap that has %,d".formatted(bitmap.byteSize(), needed));
    }
    bitmap.fill((byte) 0); // the kernel only sets bits
    var feature = DeviceFeature.DMA_LOGGING_REPORT;
    try (var arena = Arena.ofConfined()) {
      var struct =
          DeviceFeatures.struct(arena, feature.use(), VfioDeviceFeatureDmaLoggingReport.BYTES);
      var report = DeviceFeatures.data(struct);
      VfioDeviceFeatureDmaLoggingReport.IOVA.set(report, range.iova());
      VfioDeviceFeatureDmaLoggingReport.LENGTH.set(report, range.byteSize());
      VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE.set(report, unit);
      VfioDeviceFeatureDmaLoggingReport.BITMAP.set(report, bitmap.address());
      features.check(feature, range.toString(), features.call(struct));
    }
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      var feature = DeviceFeature.DMA_LOGGING_STOP;
      try (var arena = Arena.ofConfined()) {
        features.check(
            feature, "set", features.call(DeviceFeatures.struct(arena, feature.use(), 0)));
      }
    }
  }

  @Override
  public String toString() {
    return "log of DMA writes, " + features;
  }
}
