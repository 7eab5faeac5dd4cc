// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.AddressVerdict;
import io.jvfio.DmaAccess;
import io.jvfio.DmaEstimate;
import io.jvfio.DmaLayout;
import io.jvfio.DmaWindow;
import io.jvfio.DynamicWindows;
import io.jvfio.IommuType;
import io.jvfio.LiveMapping;
import io.jvfio.cli.option.AddressText;
import io.jvfio.cli.output.Text;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/**
 * All that {@code jvfio iova} tells, and the words for it that text and picture share.
 *
 * @param host the host's name
 * @param address the device
 * @param layout its DMA space
 * @param windowing what windows can be created; empty where none can
 * @param origins for the address of a live map, the option that made it
 * @param explained the answer to a question about an address
 * @param fits the answers to questions about sizes
 */
record IovaReport(
    String host,
    String address,
    DmaLayout layout,
    Optional<Windowing> windowing,
    Map<Long, String> origins,
    Optional<AddressVerdict> explained,
    List<Fit> fits) {

  /**
   * What windows can be created.
   *
   * @param limit how many there can be at once
   * @param pageSizes their IOMMU page sizes, in bytes
   * @param levels the most levels of their tables
   */
  record Windowing(int limit, List<Long> pageSizes, int levels) {
    static Windowing of(DynamicWindows windows) {
      return new Windowing(windows.limit(), windows.pageSizes(), windows.levels());
    }
  }

  /** What a user asked whether it fits, and the answer. */
  record Fit(PlacedSize asked, DmaEstimate estimate) {

    /** In a sentence without its end. */
    String answer() {
      if (!estimate.fits()) {
        return "does not fit";
      }
      return estimate.iova().isPresent()
          ? "fits at " + AddressText.of(estimate.iova().getAsLong())
          : "fits, at an address that shows when it is mapped";
    }

    /** Locked memory and mapping entries, needed and available. */
    List<String> costs() {
      return List.of(
          "locked memory: %,d bytes needed, %s"
              .formatted(estimate.lockedBytesNeeded(), available(estimate.lockedBytesAvailable())),
          "mapping entries: %,d needed, %s"
              .formatted(estimate.entriesNeeded(), available(estimate.entriesAvailable())));
    }

    private static String available(OptionalLong amount) {
      return amount.isPresent() ? "%,d available".formatted(amount.getAsLong()) : "no limit";
    }
  }

  String title() {
    return "DMA space of " + address;
  }

  /** How much may be used, and what limits it, a sentence or two each. */
  List<String> summary() {
    var lines = new ArrayList<String>();
    lines.add(usable());
    lines.add(
        "Mapping entries: %s. Locked memory: %s, %s."
            .formatted(
                layout.entriesLeft().isPresent()
                    ? "%,d left".formatted(layout.entriesLeft().getAsLong())
                    : "no limit",
                Text.bytes(layout.lockedBytes()),
                layout.lockableBytes().isPresent()
                    ? Text.bytes(layout.lockableBytes().getAsLong()) + " more may be locked"
                    : "no limit"));
    windowing.map(this::further).ifPresent(lines::add);
    return lines;
  }

  private String further(Windowing choice) {
    var used = "DMA windows: %d of %d.".formatted(layout.windows().size(), choice.limit());
    return layout.windows().size() >= choice.limit()
        ? used + " Another one can be created once one is removed."
        : used
            + " Another one can have pages of %s, and up to %d level%s of tables; the platform chooses its start."
                .formatted(
                    choice.pageSizes().stream().map(Text::bytes).collect(Collectors.joining(", ")),
                    choice.levels(),
                    choice.levels() == 1 ? "" : "s");
  }

  private String usable() {
    if (!isTranslated()) {
      return "There is no IOMMU: the device reaches all memory, and each map has the physical address of its"
          + " memory.";
    }
    var windows = layout.windows();
    if (windows.isEmpty()) {
      return "Usable: nothing, for there is no %s.".formatted(rangeName());
    }
    double bytes =
        windows.stream()
            .mapToDouble(window -> Text.unsigned(window.last() - window.start()) + 1)
            .sum();
    return "Usable: %s in %d %s%s, in pages of %s."
        .formatted(
            Text.span(bytes),
            windows.size(),
            rangeName(),
            windows.size() == 1 ? "" : "s",
            windows.stream()
                .map(window -> Text.bytes(window.pageSize()))
                .distinct()
                .collect(Collectors.joining(" or ")));
  }

  private boolean isTranslated() {
    return layout.type() != IommuType.NOIOMMU;
  }

  private boolean hasWindows() {
    return layout.type() == IommuType.SPAPR_TCE || layout.type() == IommuType.SPAPR_TCE_V2;
  }

  /** What a range of valid addresses is called with this IOMMU. */
  private String rangeName() {
    return hasWindows() ? "DMA window" : "valid range";
  }

  /** A name for a window, such as {@code DMA window 1}. */
  String name(DmaWindow window) {
    return isTranslated()
        ? rangeName() + " " + (layout.windows().indexOf(window) + 1)
        : "physical addresses";
  }

  /** What a stretch is, in a few words. */
  String what(Stretch stretch) {
    return switch (stretch.kind()) {
      case FREE -> isTranslated() ? "free" : "not mapped by this process";
      case MAPPED ->
          stretch.mappings().size() == 1
              ? liveMap(stretch.mappings().getFirst())
              : "%,d live maps".formatted(stretch.mappings().size());
      case RESERVED -> "reserved (" + kindOf(stretch) + ")";
      case OUTSIDE -> "not translated";
    };
  }

  private static String liveMap(LiveMapping mapping) {
    return (mapping.mapped() ? "live map, " : "address taken, unmapped, ")
        + access(mapping.access());
  }

  private static String kindOf(Stretch stretch) {
    return stretch.reserved() == null ? "" : stretch.reserved().kind();
  }

  /** Why a stretch is what it is; empty where there is nothing to say. */
  String why(Stretch stretch) {
    return switch (stretch.kind()) {
      case FREE ->
          stretch.reserved() == null
              ? ""
              : stretch.reserved().kind() + ", " + stretch.reserved().meaning();
      case MAPPED -> stretch.mappings().size() == 1 ? origin(stretch) : spread(stretch);
      case RESERVED -> stretch.reserved() == null ? "" : stretch.reserved().meaning();
      case OUTSIDE -> outside(stretch);
    };
  }

  private String origin(Stretch stretch) {
    var mapping = stretch.mappings().getFirst();
    return "by " + origins.getOrDefault(mapping.iova(), mapping.place());
  }

  private static String spread(Stretch stretch) {
    return Text.span((double) stretch.mappedBytes())
        + (stretch.byteSize() > stretch.mappedBytes()
            ? " in all, with free addresses in between"
            : " in all, without a gap");
  }

  private String outside(Stretch stretch) {
    if (hasWindows()) {
      return "in no DMA window";
    }
    var windows = layout.windows();
    if (windows.isEmpty()) {
      return "no valid range at all";
    }
    if (Long.compareUnsigned(stretch.last(), windows.getFirst().start()) < 0) {
      return "below the first valid range";
    }
    long last = windows.getLast().last();
    if (Long.compareUnsigned(stretch.start(), last) < 0) {
      return "between valid ranges";
    }
    return Long.bitCount(last + 1) == 1
        ? "beyond the %d address bits of the IOMMU".formatted(Long.numberOfTrailingZeros(last + 1))
        : "beyond the last valid range";
  }

  /** What a device may do, as other commands say it of regions. */
  static String access(DmaAccess access) {
    return access == DmaAccess.READ_WRITE ? "read+write" : access.name().toLowerCase(Locale.ROOT);
  }

  /** What was asked about an address, and the answer, without the reason. */
  static String asked(AddressVerdict verdict) {
    return "%s+%s: %s"
        .formatted(
            AddressText.of(verdict.iova()),
            Text.bytes(verdict.byteSize()),
            verdict.free() ? "free" : "refused");
  }

  /** Where the next free address is. */
  static String next(AddressVerdict verdict) {
    return verdict.nextFree().isPresent()
        ? "The next free address for that size is %s."
            .formatted(AddressText.of(verdict.nextFree().getAsLong()))
        : "No address is free for that size.";
  }
}
