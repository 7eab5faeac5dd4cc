// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.DmaWindow;
import io.jvfio.HostDevice;
import io.jvfio.HotResetScope;
import io.jvfio.IrqInfo;
import io.jvfio.PciBar;
import io.jvfio.Region;
import io.jvfio.cli.output.Json;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** A device as JSON. */
final class DeviceJson {
  private DeviceJson() {}

  static Map<String, Object> of(String host, DeviceReport report) {
    var identity = report.identity();
    var device = report.device();
    return Json.object(
        "host", host,
        "address", device.name(),
        "class", "0x%06x".formatted(identity.classCode()),
        "className", PciClass.name(identity.classCode()),
        "vendor", hex(identity.vendor()),
        "vendorName", PciVendor.name(identity.vendor()),
        "device", hex(identity.device()),
        "revision", identity.revision(),
        "subsystemVendor", hex(identity.subsystemVendor()),
        "subsystemVendorName", PciVendor.name(identity.subsystemVendor()),
        "subsystem", hex(identity.subsystemDevice()),
        "present", report.present(),
        "driver", report.known().flatMap(HostDevice::driver),
        "group", report.known().map(HostDevice::group).orElseGet(OptionalInt::empty),
        "iommu", device.dmaSpace().type().id(),
        "windows", device.dmaSpace().windows().stream().map(DeviceJson::json).toList(),
        "reset",
            Json.object(
                "function", device.canReset(), "bus", report.hotReset().map(DeviceJson::json)),
        "features",
            report.features().map(features -> features.stream().map(DeviceJson::name).toList()),
        "eeh", report.endpoint().map(DeviceJson::name),
        "regions",
            device.regions().stream()
                .map(region -> json(region, report.bars().get(region.info().index())))
                .toList(),
        "interrupts", device.interrupts().indexes().stream().map(DeviceJson::json).toList(),
        "capabilities", report.capabilities().stream().map(CapabilityJson::of).toList());
  }

  private static String hex(int id) {
    return "0x%04x".formatted(id);
  }

  private static String name(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static Map<String, Object> json(DmaWindow window) {
    return Json.object(
        "start", "0x%x".formatted(window.start()),
        "last", "0x%x".formatted(window.last()),
        "pageSize", window.pageSize());
  }

  private static Map<String, Object> json(HotResetScope scope) {
    return Json.object(
        "possible", scope.isPossible(),
        "devices",
            scope.devices().stream()
                .map(
                    device ->
                        Json.object(
                            "address", device.address().toString(),
                            "group", device.group(),
                            "driver", device.driver(),
                            "ours", device.ours()))
                .toList(),
        "obstacles",
            scope.obstacles().stream()
                .map(
                    obstacle ->
                        Json.object(
                            "address", obstacle.device().toString(),
                            "meaning", obstacle.meaning(),
                            "nextStep", obstacle.nextStep()))
                .toList());
  }

  private static Map<String, Object> json(Region region, @Nullable PciBar bar) {
    var info = region.info();
    return Json.object(
        "index", info.index(),
        "name", info.label(),
        "size", info.byteSize(),
        "kind", info.byteSize() == 0 ? "absent" : DeviceText.kind(region, bar),
        "io", bar != null && bar.io(),
        "wide", bar != null && bar.wide(),
        "prefetchable", bar != null && bar.prefetchable(),
        "readable", info.readable(),
        "writable", info.writable(),
        "mappable", info.mappable(),
        "msixMappable", info.msixMappable(),
        "areas",
            region.mappableAreas().stream()
                .map(area -> Json.object("offset", area.offset(), "size", area.byteSize()))
                .toList(),
        "type",
            info.type().map(type -> Json.object("type", type.type(), "subtype", type.subtype())));
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
}
