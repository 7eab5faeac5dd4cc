// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.DeviceFeature;
import io.jvfio.EehEndpoint;
import io.jvfio.HostDevice;
import io.jvfio.HotResetScope;
import io.jvfio.IrqInfo;
import io.jvfio.PciBar;
import io.jvfio.Region;
import io.jvfio.RegionType;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Table;
import io.jvfio.cli.output.Text;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A device for people. */
final class DeviceText {
  private final Output output;
  private final DeviceReport report;

  DeviceText(Output output, DeviceReport report) {
    this.output = output;
    this.report = report;
  }

  void print() {
    head();
    output.line("");
    regions();
    output.line("");
    interrupts();
    output.line("");
    capabilities();
  }

  private void head() {
    var identity = report.identity();
    output.line(
        "%s  %s, %s %04x:%04x rev %02x"
            .formatted(
                report.device().name(),
                PciClass.name(identity.classCode()),
                PciVendor.label(identity.vendor()),
                identity.vendor(),
                identity.device(),
                identity.revision()));
    if (!report.present()) {
      field("answers", "no: the device is gone, and what follows is what the kernel remembers");
    }
    if (identity.subsystemVendor() != 0) {
      field(
          "subsystem",
          "%s %04x:%04x"
              .formatted(
                  PciVendor.label(identity.subsystemVendor()),
                  identity.subsystemVendor(),
                  identity.subsystemDevice()));
    }
    report.known().ifPresent(this::binding);
    var space = report.device().dmaSpace();
    field(
        "IOMMU",
        space.type()
            + space.windows().stream()
                .map(window -> window + " in pages of " + Text.bytes(window.pageSize()))
                .collect(Collectors.joining(", ", ": ", "")));
    field("reset", resets());
    report.features().ifPresent(features -> field("features", features(features)));
    report.endpoint().ifPresent(state -> field("EEH", endpoint(state)));
    report.endpointProblem().ifPresent(problem -> field("EEH", problem));
  }

  private void binding(HostDevice known) {
    var group = known.group();
    field(
        "group",
        (group.isPresent() ? Integer.toString(group.getAsInt()) : "-")
            + ", driver "
            + known.driver().orElse("-"));
  }

  private void field(String name, String text) {
    Text.wrapped(output, "  ", "%-11s%s".formatted(name, text));
  }

  private String resets() {
    var alone = report.device().canReset() ? "this function alone" : "not this function alone";
    return report.hotReset().map(scope -> alone + "; " + bus(scope)).orElse(alone);
  }

  private String bus(HotResetScope scope) {
    var own = report.device().name();
    if (scope.devices().isEmpty()) {
      return "no reset of its bus";
    }
    var others =
        scope.devices().stream()
            .map(device -> device.address().toString())
            .filter(address -> !address.equals(own))
            .toList();
    var reached =
        others.isEmpty()
            ? "a reset of its bus reaches no other device"
            : "a reset of its bus reaches " + String.join(", ", others) + " too";
    return scope.isPossible()
        ? reached
        : reached
            + ", and cannot be done now: "
            + scope.obstacles().stream()
                .map(HotResetScope.Obstacle::meaning)
                .distinct()
                .collect(Collectors.joining(" "));
  }

  private static String features(List<DeviceFeature> features) {
    return features.isEmpty()
        ? "none"
        : features.stream()
            .map(DeviceText::feature)
            .collect(Collectors.toCollection(LinkedHashSet::new))
            .stream()
            .collect(Collectors.joining(", "));
  }

  private static String feature(DeviceFeature feature) {
    return switch (feature) {
      case VF_TOKEN -> "token for virtual functions";
      case MIGRATION, MIGRATION_STATE, MIGRATION_DATA_SIZE -> "migration";
      case LOW_POWER_ENTRY, LOW_POWER_EXIT -> "low power";
      case LOW_POWER_ENTRY_WITH_WAKEUP -> "low power that tells when it ends";
      case DMA_LOGGING_START, DMA_LOGGING_STOP, DMA_LOGGING_REPORT -> "log of writes";
      case DMA_BUF -> "dma-buf of its BARs";
    };
  }

  private static String endpoint(EehEndpoint.State state) {
    return switch (state) {
      case NORMAL -> "watched, and working";
      case RESET -> "in reset";
      case STOPPED -> "stopped after an error: registers read as ones, and there is no DMA";
      case STOPPED_DMA -> "DMA is stopped after an error";
      case UNAVAILABLE -> "not available";
    };
  }

  private void regions() {
    var table = new Table("", "REGION", "SIZE", "KIND", "ACCESS", "MAPPING");
    for (var region : report.device().regions()) {
      var info = region.info();
      if (info.byteSize() > 0) {
        table.row(
            info.label(),
            Text.bytes(info.byteSize()),
            kind(region, report.bars().get(info.index())),
            access(info.readable(), info.writable()),
            mapping(region));
      }
    }
    output.table(table);
  }

  /** What a region is. */
  static String kind(Region region, @Nullable PciBar bar) {
    if (bar != null) {
      return bar.io()
          ? "I/O ports"
          : (bar.wide() ? "64-bit" : "32-bit")
              + " memory"
              + (bar.prefetchable() ? ", prefetchable" : "");
    }
    return switch (region.info().index()) {
      case 6 -> "expansion ROM";
      case 7 -> "configuration space";
      case 8 -> "VGA";
      default -> region.info().type().map(RegionType::label).orElse("of its driver");
    };
  }

  private static String access(boolean readable, boolean writable) {
    return Stream.of(readable ? "read" : "", writable ? "write" : "")
        .filter(word -> !word.isEmpty())
        .collect(Collectors.joining("+"));
  }

  private static String mapping(Region region) {
    var areas = region.mappableAreas();
    if (areas.isEmpty()) {
      return "-";
    }
    boolean whole = areas.size() == 1 && areas.getFirst().byteSize() == region.info().byteSize();
    return (whole
            ? "all"
            : areas.stream()
                .map(area -> "0x%x+0x%x".formatted(area.offset(), area.byteSize()))
                .collect(Collectors.joining(" ")))
        + (region.info().msixMappable() ? ", with the MSI-X table" : "");
  }

  private void interrupts() {
    var table = new Table("", "INTERRUPT", "COUNT", "PROPERTIES");
    report.device().interrupts().indexes().stream()
        .filter(interrupt -> interrupt.count() > 0)
        .forEach(
            interrupt ->
                table.row(
                    interrupt.label(), Integer.toString(interrupt.count()), properties(interrupt)));
    output.table(table);
  }

  private static String properties(IrqInfo interrupt) {
    return joined(
        List.of(
            interrupt.maskable() ? "maskable" : "",
            interrupt.autoMasked() ? "masked by each signal" : "",
            interrupt.count() <= 1
                ? ""
                : interrupt.resizable()
                    ? "vectors can be added while others are in use"
                    : "number fixed while in use"));
  }

  private static String joined(Collection<String> words) {
    return words.stream().filter(word -> !word.isEmpty()).collect(Collectors.joining(", "));
  }

  private void capabilities() {
    if (report.capabilities().isEmpty()) {
      output.line("The device has no capabilities.");
      return;
    }
    var table = new Table("", "OFFSET", "CAPABILITY", "DETAILS");
    for (var capability : report.capabilities()) {
      table.row(
          "0x%03x".formatted(capability.offset()),
          capability.name(),
          CapabilityText.of(capability));
    }
    output.table(table);
  }
}
