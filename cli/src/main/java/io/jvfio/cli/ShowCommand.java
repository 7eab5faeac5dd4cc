package io.jvfio.cli;

import io.jvfio.IrqInfo;
import io.jvfio.PciAddress;
import io.jvfio.PciCapability;
import io.jvfio.RegionInfo;
import io.jvfio.VfioDevice;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio show}. */
@Command(
    name = "show",
    description = "Open a device and show its IOMMU, regions, interrupts and capabilities.",
    mixinStandardHelpOptions = true)
final class ShowCommand implements Runnable {
  private static final int VENDOR = 0x00;
  private static final int DEVICE = 0x02;
  private static final int REVISION = 0x08;
  private static final int SUBSYSTEM_VENDOR = 0x2c;
  private static final int SUBSYSTEM = 0x2e;

  @ParentCommand @Nullable Main main;
  @Mixin PolicyOptions policy = new PolicyOptions();

  @Parameters(
      paramLabel = "DEVICE",
      description = "A PCI address.",
      converter = AddressConverter.class)
  @Nullable PciAddress address;

  @Override
  public void run() {
    var command = Objects.requireNonNull(main);
    var output = command.output();
    var iommuPolicy = policy.policy();
    try (var opened = command.openHost()) {
      var host = opened.host();
      var known = host.device(Objects.requireNonNull(address));
      try (var device = host.open(known.address(), iommuPolicy)) {
        if (output.isJson()) {
          output.json(
              Json.object(
                  "host", host.name(),
                  "address", device.name(),
                  "class", "0x%06x".formatted(known.classCode()),
                  "vendor", "0x%04x".formatted(device.config().read16(VENDOR)),
                  "device", "0x%04x".formatted(device.config().read16(DEVICE)),
                  "revision", device.config().read8(REVISION),
                  "subsystemVendor", "0x%04x".formatted(device.config().read16(SUBSYSTEM_VENDOR)),
                  "subsystem", "0x%04x".formatted(device.config().read16(SUBSYSTEM)),
                  "driver", known.driver(),
                  "group", known.group(),
                  "iommu", device.dmaSpace().type().id(),
                  "windows",
                      device.dmaSpace().windows().stream()
                          .map(
                              window ->
                                  Json.object(
                                      "start", "0x%x".formatted(window.start()),
                                      "last", "0x%x".formatted(window.last()),
                                      "pageSize", window.pageSize()))
                          .toList(),
                  "regions", device.regions().stream().map(region -> json(region.info())).toList(),
                  "interrupts",
                      device.interrupts().indexes().stream().map(ShowCommand::json).toList(),
                  "capabilities",
                      PciCapability.of(device.config()).stream().map(ShowCommand::json).toList()));
        } else {
          output.line(
              "%s  %s %04x:%04x rev %02x, group %s, driver %s"
                  .formatted(
                      device.name(),
                      PciClass.name(known.classCode()),
                      device.config().read16(VENDOR),
                      device.config().read16(DEVICE),
                      device.config().read8(REVISION),
                      known.group().isPresent() ? known.group().getAsInt() : "-",
                      known.driver().orElse("-")));
          print(output, device);
        }
      }
    }
  }

  private static void print(Output output, VfioDevice device) {
    var space = device.dmaSpace();
    output.line(
        "IOMMU     "
            + space.type()
            + space.windows().stream()
                .map(window -> window + " in pages of " + Text.bytes(window.pageSize()))
                .collect(Collectors.joining(", ", ": ", "")));
    output.line("");
    var regions = new Table("", "REGION", "SIZE", "ACCESS", "MAPPING");
    device.regions().stream()
        .filter(region -> region.info().byteSize() > 0)
        .forEach(
            region ->
                regions.row(
                    region.info().label(),
                    Text.bytes(region.info().byteSize()),
                    access(region.info()),
                    region.mappableAreas().isEmpty()
                        ? "-"
                        : region.mappableAreas().stream()
                            .map(area -> "0x%x+0x%x".formatted(area.offset(), area.byteSize()))
                            .collect(Collectors.joining(" "))));
    output.table(regions);
    output.line("");
    var interrupts = new Table("", "INTERRUPT", "COUNT", "PROPERTIES");
    device.interrupts().indexes().stream()
        .filter(interrupt -> interrupt.count() > 0)
        .forEach(
            interrupt ->
                interrupts.row(
                    interrupt.label(), Integer.toString(interrupt.count()), properties(interrupt)));
    output.table(interrupts);
    output.line("");
    var capabilities = new Table("", "OFFSET", "CAPABILITY");
    PciCapability.of(device.config())
        .forEach(
            capability ->
                capabilities.row("0x%03x".formatted(capability.offset()), capability.name()));
    output.table(capabilities);
  }

  private static String access(RegionInfo region) {
    return (region.readable() ? "read" : "") + (region.writable() ? "+write" : "");
  }

  private static String properties(IrqInfo interrupt) {
    return Stream.of(
            interrupt.maskable() ? "maskable" : "",
            interrupt.autoMasked() ? "masked by each signal" : "",
            interrupt.resizable() && interrupt.count() > 1 ? "vectors can be added later" : "")
        .filter(text -> !text.isEmpty())
        .collect(Collectors.joining(", "));
  }

  private static Map<String, Object> json(RegionInfo region) {
    return Json.object(
        "index", region.index(),
        "name", region.label(),
        "size", region.byteSize(),
        "readable", region.readable(),
        "writable", region.writable(),
        "mappable", region.mappable(),
        "msixMappable", region.msixMappable());
  }

  private static Map<String, Object> json(IrqInfo interrupt) {
    return Json.object(
        "index", interrupt.index(),
        "name", interrupt.label(),
        "count", interrupt.count(),
        "maskable", interrupt.maskable(),
        "autoMasked", interrupt.autoMasked(),
        "resizable", interrupt.resizable());
  }

  private static Map<String, Object> json(PciCapability capability) {
    return Json.object(
        "offset", capability.offset(),
        "id", capability.id(),
        "extended", capability.extended(),
        "name", capability.name());
  }
}
