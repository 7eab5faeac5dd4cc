// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import static java.util.Objects.requireNonNull;

import io.jvfio.DmaWindow;
import io.jvfio.MapOptions;
import io.jvfio.ReservedRange;
import io.jvfio.dma.MappedSpace.Mapping;
import io.jvfio.iommu.IommuDomain;
import io.jvfio.spi.Explanation;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The addresses of a DMA space: which are valid, which are taken and by what, and the one place
 * that says why one cannot be used.
 *
 * <p>Guarded by the lock of its space.
 */
final class Addresses {
  private final IovaMap<Mapping> taken = new IovaMap<>();
  private final List<ReservedRange> reserved;
  private List<DmaWindow> windows = List.of();

  Addresses(List<ReservedRange> reserved) {
    this.reserved =
        reserved.stream()
            .distinct()
            .sorted(Comparator.comparing(ReservedRange::start, Long::compareUnsigned))
            .toList();
  }

  /** The valid ranges, ascending. */
  List<DmaWindow> windows() {
    return windows;
  }

  /** The holes that the platform keeps, ascending. */
  List<ReservedRange> reserved() {
    return reserved;
  }

  /** All mappings that have an address, ascending. */
  List<Mapping> mappings() {
    var all = new ArrayList<Mapping>(taken.size());
    taken.forEach((_, _, mapping) -> all.add(mapping));
    return all;
  }

  /** Whether no address is taken. */
  boolean isEmpty() {
    return taken.size() == 0;
  }

  /** Takes an address; false if a part of it is taken or not valid. */
  boolean take(long iova, Mapping mapping) {
    return taken.insert(iova, mapping.byteSize, mapping);
  }

  /** Gives up the address of a mapping. */
  void give(Mapping mapping) {
    taken.remove(mapping.iova);
  }

  /** Takes over the windows that all domains have in common. */
  void learnWindows(List<? extends IommuDomain> domains) {
    var common = List.copyOf(domains.getFirst().windows());
    for (var domain : domains.subList(1, domains.size())) {
      common = intersection(common, domain.windows());
    }
    common =
        common.stream()
            .sorted(Comparator.comparing(DmaWindow::start, Long::compareUnsigned))
            .toList();
    for (var window : windows) {
      if (!common.contains(window)) {
        taken.removeRange(window.start(), window.last());
      }
    }
    for (var window : common) {
      if (!windows.contains(window)) {
        taken.addRange(window.start(), window.last());
      }
    }
    windows = common;
  }

  private static List<DmaWindow> intersection(List<DmaWindow> some, List<DmaWindow> others) {
    var both = new ArrayList<DmaWindow>();
    for (var one : some) {
      for (var other : others) {
        intersection(one, other).ifPresent(both::add);
      }
    }
    return both;
  }

  /** What two ranges have in common, with the larger page; empty if nothing. */
  private static Optional<DmaWindow> intersection(DmaWindow one, DmaWindow other) {
    long from = Long.compareUnsigned(one.start(), other.start()) >= 0 ? one.start() : other.start();
    long to = Long.compareUnsigned(one.last(), other.last()) <= 0 ? one.last() : other.last();
    return Long.compareUnsigned(from, to) <= 0
        ? Optional.of(new DmaWindow(from, to, Math.max(one.pageSize(), other.pageSize())))
        : Optional.empty();
  }

  @Nullable DmaWindow windowOf(long iova) {
    return windows.stream().filter(window -> window.contains(iova, 1)).findFirst().orElse(null);
  }

  OptionalLong nextFree(long iova, long byteSize) {
    if (byteSize < 1) {
      return OptionalLong.empty();
    }
    for (long lowest : new long[] {iova, 0}) {
      for (var window : windows) {
        long from = unsignedMax(lowest, window.start());
        long size = roundUp(byteSize, window.pageSize());
        if (Long.compareUnsigned(from, window.last()) <= 0 && size > 0) {
          long found = taken.nextFree(size, window.pageSize(), from, window.last());
          if (found != IovaMap.NONE) {
            return OptionalLong.of(found);
          }
        }
      }
    }
    return OptionalLong.empty();
  }

  /**
   * Why memory cannot be mapped at an address; empty if it can.
   *
   * @param memory its address in this process, or -1 where that does not matter
   * @param backing the pages that it is made of, or -1
   * @param highest the last address that the device reaches
   */
  Optional<Explanation> refusal(long iova, long byteSize, long memory, long backing, long highest) {
    if (byteSize < 1 || Long.compareUnsigned(iova + byteSize - 1, iova) < 0) {
      return refused(
          "%,d bytes from 0x%x are no range of addresses.".formatted(byteSize, iova),
          "Choose a length of at least 1 that does not pass the end of the 64-bit space.");
    }
    var window = windowOf(iova);
    if (window == null) {
      return outside(iova, byteSize);
    }
    if (!window.contains(iova, byteSize)) {
      long room = window.last() - iova + 1;
      return refused(
          "%,d bytes from 0x%x pass the end of the valid range %s, which has room for %,d there%s."
              .formatted(byteSize, iova, window, room, hole(iova, byteSize)),
          "Map at most so many bytes there, or at another address.");
    }
    if (Long.compareUnsigned(iova + byteSize - 1, highest) > 0) {
      return refused(
          "%,d bytes from 0x%x pass 0x%x, the last address that the device reaches."
              .formatted(byteSize, iova, highest),
          "Map them at a lower address.");
    }
    long page = window.pageSize();
    if ((iova & (page - 1)) != 0) {
      return refused(
          "0x%x is no multiple of 0x%x (%,d bytes), the IOMMU page of the range %s."
              .formatted(iova, page, page, window),
          "The next multiples are 0x%x and 0x%x.".formatted(iova & -page, (iova & -page) + page));
    }
    var memoryRefusal = memoryRefusal(window, byteSize, memory, backing);
    if (memoryRefusal.isPresent()) {
      return memoryRefusal;
    }
    if (taken.overlaps(iova, byteSize)) {
      var other = overlapping(iova);
      return refused(
          "It overlaps the mapping %s, made at %s.".formatted(other, other.place),
          "Close that mapping first, or take another address.");
    }
    return Optional.empty();
  }

  /** The first mapping that ends at or after {@code iova}, which there is. */
  Mapping overlapping(long iova) {
    var around = taken.at(iova);
    return requireNonNull(around != null ? around : taken.at(taken.firstFrom(iova)));
  }

  static Optional<Explanation> memoryRefusal(
      DmaWindow window, long byteSize, long memory, long backing) {
    long page = window.pageSize();
    if ((byteSize & (page - 1)) != 0) {
      return refused(
          "%,d bytes are no multiple of %,d, the IOMMU page of the range %s."
              .formatted(byteSize, page, window),
          "Round the length up: what follows the memory in its last page is mapped too.");
    }
    if (backing != -1 && Long.compareUnsigned(backing, page) < 0) {
      return refused(
          "The range %s has IOMMU pages of %,d bytes, and the memory is made of pages of %,d."
              .formatted(window, page, backing),
          "Use BufferOptions.hugePages(%d), or another window.".formatted(page));
    }
    if (memory != -1 && (memory & (page - 1)) != 0) {
      return refused(
          "The memory starts at 0x%x, which is no multiple of %,d, the IOMMU page of the range %s."
              .formatted(memory, page, window),
          "Allocate it aligned, such as with Arena.allocate(byteSize, %d).".formatted(page));
    }
    return Optional.empty();
  }

  private Optional<Explanation> outside(long iova, long byteSize) {
    for (var range : reserved) {
      if (range.overlaps(iova, 1)) {
        return refused(
            "0x%x is in the reserved range %s: %s.".formatted(iova, range, range.meaning()),
            "Take an address outside of it.");
      }
    }
    return refused(
        "0x%x is in no valid range; the ranges are %s%s."
            .formatted(iova, windows, hole(iova, byteSize)),
        "Take an address in one of them.");
  }

  private String hole(long iova, long byteSize) {
    return reserved.stream()
        .filter(range -> range.overlaps(iova, byteSize))
        .findFirst()
        .map(range -> "; %s lies in between".formatted(range))
        .orElse("");
  }

  Explanation noRoom(long byteSize, MapOptions options) {
    return new Explanation(
        "No valid IOVA range has %,d free bytes in one piece%s%s; the ranges are %s."
            .formatted(
                byteSize,
                options.alignment() == 1
                    ? ""
                    : " at a multiple of 0x%x".formatted(options.alignment()),
                options.highest() == -1
                    ? ""
                    : " up to 0x%x, the last address that the device reaches"
                        .formatted(options.highest()),
                windows),
        "Close buffers that are no longer needed, or use smaller ones.");
  }

  /** The largest IOMMU page that this memory can be mapped with. */
  static long usablePage(long address, long byteSize, long backing) {
    return Long.lowestOneBit(address | byteSize | backing);
  }

  /**
   * A free address in the first window that has one.
   *
   * @param owner takes the address; null to leave it free
   */
  OptionalLong choose(long byteSize, MapOptions options, long usablePage, @Nullable Mapping owner) {
    for (var window : windows) {
      long highest = unsignedMin(options.highest(), window.last());
      if (window.pageSize() > usablePage || Long.compareUnsigned(window.start(), highest) > 0) {
        continue;
      }
      long alignment = unsignedMax(options.alignment(), window.pageSize());
      long found =
          owner == null
              ? taken.nextFree(byteSize, alignment, window.start(), highest)
              : taken.allocate(byteSize, alignment, window.start(), highest, owner);
      if (found != IovaMap.NONE) {
        return OptionalLong.of(found);
      }
    }
    return OptionalLong.empty();
  }

  private static Optional<Explanation> refused(String meaning, String nextStep) {
    return Optional.of(new Explanation(meaning, nextStep));
  }

  private static long unsignedMax(long a, long b) {
    return Long.compareUnsigned(a, b) >= 0 ? a : b;
  }

  private static long unsignedMin(long a, long b) {
    return Long.compareUnsigned(a, b) <= 0 ? a : b;
  }

  static long roundUp(long byteSize, long unit) {
    return (byteSize + unit - 1) & -unit;
  }
}
