// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import java.util.List;

/**
 * Devices: opening once and twice, information, configuration space, BARs.
 *
 * <p>Only registers that are known to be there are read, bus mastering stays off, and of the
 * commands that a device file takes only those are given that have no other meaning there.
 */
final class DeviceCalls implements Subject {
  private static final List<String> DEVICES = List.of("d0", "d1", "twin");
  private static final int REGION_SHIFT = 40;
  private static final long CONFIG = (long) Vfio.VFIO_PCI_CONFIG_REGION_INDEX << REGION_SHIFT;
  private static final int BAR_BYTES = 0x4000;

  /** An offset and how many bytes. */
  private record Access(long offset, int byteSize) {}

  /** Identity, status and the ends of configuration space; a BAR's address is the firmware's. */
  private static final List<Access> CONFIG_READS =
      List.of(
          new Access(0x00, 4),
          new Access(0x00, 2),
          new Access(0x02, 2),
          new Access(0x01, 1),
          new Access(0x01, 3),
          new Access(0x03, 2),
          new Access(0x00, 8),
          new Access(0x00, 0),
          new Access(0x04, 2),
          new Access(0x06, 2),
          new Access(0x08, 4),
          new Access(0x0e, 1),
          new Access(0x2c, 4),
          new Access(0x34, 1),
          new Access(0x3d, 1),
          new Access(0xffc, 4),
          new Access(0xffe, 4),
          new Access(0x1000, 1),
          new Access(0x10000, 4));

  /** The controller's capabilities and version, and beyond the end. */
  private static final List<Access> BAR_READS =
      List.of(
          new Access(0, 4),
          new Access(8, 4),
          new Access(8, 2),
          new Access(9, 1),
          new Access(8, 0),
          new Access(BAR_BYTES, 4),
          new Access(1L << 30, 4));

  /** The command register without bus mastering, little-endian. */
  private static final List<String> COMMANDS = List.of("0200", "0200", "0200", "0000", "0004");

  private static final List<Ioctl> NOT_OF_DEVICES =
      List.of(
          Vfio.VFIO_GET_API_VERSION,
          Vfio.VFIO_CHECK_EXTENSION,
          Vfio.VFIO_SET_IOMMU,
          Vfio.VFIO_GROUP_GET_STATUS,
          Vfio.VFIO_GROUP_UNSET_CONTAINER,
          new Ioctl("unknown", ';', 0xff));

  private static final List<Ioctl> COMMANDS_WITH_STRUCT =
      List.of(
          Vfio.VFIO_DEVICE_GET_INFO,
          Vfio.VFIO_DEVICE_GET_REGION_INFO,
          Vfio.VFIO_DEVICE_GET_IRQ_INFO);

  @Override
  public void offer(Draft draft, Menu menu) {
    if (!draft.groups.isEmpty()) {
      menu.add(draft.devices.isEmpty() ? 14 : 3, () -> open(draft));
    }
    if (draft.devices.isEmpty()) {
      menu.add(1, () -> information(draft, device(draft)));
      return;
    }
    menu.add(20, () -> information(draft, device(draft)));
    menu.add(10, () -> config(draft, device(draft)));
    menu.add(6, () -> bar(draft));
    menu.add(3, () -> mapping(draft));
    menu.add(4, () -> draft.steps.reset(device(draft)));
    menu.add(1, () -> draft.steps.command(device(draft), draft.oneOf(NOT_OF_DEVICES)));
    menu.add(1, () -> draft.steps.badAddress(device(draft), draft.oneOf(COMMANDS_WITH_STRUCT)));
    menu.add(4, () -> close(draft));
  }

  private static String device(Draft draft) {
    return draft.chance(2)
        ? Draft.NOWHERE
        : draft.oneOf(draft.devices.keySet().stream().toList(), "d0");
  }

  private static void open(Draft draft) {
    var group = draft.oneOf(List.copyOf(draft.groups.keySet()));
    int ordinal = group.equals("g0") ? 0 : 1;
    if (draft.chance(12)) {
      var name =
          draft.oneOf(
              List.of("0000:ff:1f.7", "", "{d" + (1 - ordinal) + "}", "{d" + ordinal + "}x"));
      draft.steps.device("wrong", group, name);
      return;
    }
    var device = "d" + ordinal;
    if (draft.devices.containsKey(device)) {
      device = "twin";
    }
    draft.steps.device(device, group, ordinal);
    var attached = draft.groups.get(group);
    var container =
        attached == null || attached.container == null
            ? null
            : draft.containers.get(attached.container);
    if (container != null && container.type != 0) {
      draft.devices.put(device, group);
    }
  }

  /** What there is to know of a device, of its regions or of its interrupts. */
  static void information(Draft draft, String device) {
    long index = draft.chance(5) ? draft.oneOf(List.of(0xffff_ffffL, 10L)) : draft.below(10);
    switch (draft.below(3)) {
      case 0 ->
          draft.steps.deviceInfo(
              device, draft.argsz(draft.oneOf(List.of(16L, 20L, 24L, 24L, 512L))));
      case 1 ->
          draft.steps.regionInfo(
              device, index, draft.argsz(draft.oneOf(List.of(32L, 32L, 40L, 256L))));
      default -> draft.steps.irqInfo(device, index % 6, draft.argsz(16));
    }
  }

  /** Reads configuration space, or turns the device's memory on and off. */
  static void config(Draft draft, String device) {
    if (draft.chance(25)) {
      draft.steps.writeAt(device, CONFIG + 4, draft.oneOf(COMMANDS));
    } else {
      var access = draft.oneOf(CONFIG_READS);
      draft.steps.readAt(device, CONFIG + access.offset(), access.byteSize());
    }
  }

  private static void bar(Draft draft) {
    if (draft.chance(15)) {
      long region = draft.oneOf(List.of(2L, 6L, 8L, 9L)) << REGION_SHIFT;
      draft.steps.readAt(device(draft), region, 4);
    } else {
      var access = draft.oneOf(BAR_READS);
      draft.steps.readAt(device(draft), access.offset(), access.byteSize());
    }
  }

  /** A part of the first BAR, which is at offset 0 of the file; not accessed. */
  private static void mapping(Draft draft) {
    long offset = draft.oneOf(List.of(0L, 0L, draft.ground.pageSize(), (long) BAR_BYTES, 0x100L));
    long byteSize = draft.oneOf(List.of(draft.ground.pageSize(), (long) BAR_BYTES, 0L));
    draft.steps.mapDeviceAt(
        "bar",
        device(draft),
        offset,
        byteSize,
        draft.chance(85) ? Kernel.MAP_SHARED : Kernel.MAP_PRIVATE);
    draft.steps.unmapDevice("bar");
  }

  private static void close(Draft draft) {
    var device = draft.chance(90) ? device(draft) : draft.oneOf(DEVICES);
    draft.steps.close(device);
    var group = draft.devices.remove(device);
    if (group != null && !draft.groups.containsKey(group) && !draft.devices.containsValue(group)) {
      draft.containers.values().stream()
          .filter(container -> container.groups.remove(group) && container.groups.isEmpty())
          .forEach(Draft.Container::clear);
    }
  }
}
