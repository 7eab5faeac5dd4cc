// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Steps.sequence;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import java.util.List;

/**
 * What a device file answers: regions, interrupts, configuration space, BARs.
 *
 * <p>What the controller's own registers hold is compared only where QEMU's and the model's are
 * meant to agree; the kernel has no say in it. Only registers that are there are touched: on POWER
 * a read of an empty part of a BAR is a machine check, and the kernel dies of it.
 */
final class DeviceSequences {
  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
  private static final int ROM = Vfio.VFIO_PCI_ROM_REGION_INDEX;
  private static final int REGIONS = 9;
  private static final int IRQS = 5;

  /** The controller's version register, 1.4 in QEMU. */
  private static final int VERSION = 8;

  private static final int BAR_BYTES = 0x4000;
  private static final int MSIX_TABLE = 0x2000;

  private DeviceSequences() {}

  static List<Sequence> all(int type) {
    return List.of(
        sequence(
            "device-info",
            s ->
                s.readyDevice(type)
                    .deviceInfo("d0", 15)
                    .deviceInfo("d0", 0)
                    .deviceInfo("d0", 16)
                    .deviceInfo("d0", 20)
                    .deviceInfo("d0", 24)
                    .deviceInfo("d0", 512)
                    .badAddress("d0", Vfio.VFIO_DEVICE_GET_INFO)),
        sequence(
            "device-unknown-commands",
            s ->
                s.readyDevice(type)
                    .command("d0", Vfio.VFIO_GET_API_VERSION)
                    .command("d0", Vfio.VFIO_CHECK_EXTENSION, 1)
                    .command("d0", Vfio.VFIO_SET_IOMMU, type)
                    .command("d0", Vfio.VFIO_GROUP_GET_STATUS)
                    .command("d0", Vfio.VFIO_GROUP_UNSET_CONTAINER)
                    .command("d0", new Ioctl("unknown", ';', 0xff))),
        sequence(
            "device-regions",
            s -> {
              s.readyDevice(type);
              for (int index = 0; index < REGIONS; index++) {
                s.regionInfo("d0", index, 32).regionInfo("d0", index, 256);
              }
              s.regionInfo("d0", REGIONS, 32)
                  .regionInfo("d0", 0xffff_ffffL, 32)
                  .regionInfo("d0", 0, 31)
                  .regionInfo("d0", 0, 33)
                  .regionInfo("d0", 0, 40)
                  .regionInfo("d0", CONFIG, 0)
                  .badAddress("d0", Vfio.VFIO_DEVICE_GET_REGION_INFO);
            }),
        sequence(
            "device-interrupts",
            s -> {
              s.readyDevice(type);
              for (int index = 0; index < IRQS; index++) {
                s.irqInfo("d0", index, 16);
              }
              s.irqInfo("d0", IRQS, 16)
                  .irqInfo("d0", 0xffff_ffffL, 16)
                  .irqInfo("d0", 2, 15)
                  .irqInfo("d0", 2, 64)
                  .badAddress("d0", Vfio.VFIO_DEVICE_GET_IRQ_INFO);
            }),
        sequence(
            "config-identity",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .read("d0", "config", 0x00, 4)
                    .read("d0", "config", 0x00, 2)
                    .read("d0", "config", 0x02, 2)
                    .read("d0", "config", 0x01, 1)
                    .read("d0", "config", 0x08, 4)
                    .read("d0", "config", 0x0e, 1)
                    .read("d0", "config", 0x2c, 4)
                    .read("d0", "config", 0x06, 2)
                    .read("d0", "config", 0x34, 1)
                    .read("d0", "config", 0x3d, 1)
                    .write("d0", "config", 0x00, "ffffffff")
                    .read("d0", "config", 0x00, 4)
                    .write("d0", "config", 0x08, "ffffffff")
                    .read("d0", "config", 0x08, 4)),
        sequence(
            "config-odd-accesses",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .read("d0", "config", 0x00, 8)
                    .read("d0", "config", 0x01, 3)
                    .read("d0", "config", 0x03, 2)
                    .read("d0", "config", 0x00, 0)
                    .read("d0", "config", 0x08, 6)
                    .write("d0", "config", 0x3c, "5a")
                    .read("d0", "config", 0x3c, 1)
                    .write("d0", "config", 0x3c, "00")
                    .read("d0", "config", 0x3c, 1)),
        sequence(
            "config-end",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .read("d0", "config", 0xffc, 4)
                    .read("d0", "config", 0xffe, 4)
                    .read("d0", "config", 0x1000, 1)
                    .write("d0", "config", 0x1000, "00")
                    .read("d0", "config", 0x10000, 4)),
        sequence(
            "config-bar-sizing",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .write("d0", "config", 0x10, "ffffffff")
                    .read("d0", "config", 0x10, 4)
                    .write("d0", "config", 0x14, "ffffffff")
                    .read("d0", "config", 0x14, 4)
                    .write("d0", "config", 0x18, "ffffffff")
                    .read("d0", "config", 0x18, 4)
                    .write("d0", "config", 0x30, "ffffffff")
                    .read("d0", "config", 0x30, 4)
                    .write("d0", "config", 0x10, "00000000")
                    .read("d0", "config", 0x10, 4)
                    .write("d0", "config", 0x10, "00c0feca")
                    .read("d0", "config", 0x10, 4)),
        sequence(
            "config-command",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .read("d0", "config", 0x04, 2)
                    .write("d0", "config", 0x04, "0600")
                    .read("d0", "config", 0x04, 2)
                    .read("d0", "bar", VERSION, 4)
                    .write("d0", "config", 0x04, "0400")
                    .read("d0", "config", 0x04, 2)
                    .read("d0", "bar", VERSION, 4)
                    .write("d0", "bar", 0x14, "00000000")
                    .write("d0", "config", 0x04, "0200")
                    .read("d0", "bar", VERSION, 4)
                    .write("d0", "config", 0x04, "0204")
                    .read("d0", "config", 0x04, 2)
                    .close("d0")
                    .device("d0", "g0", 0)
                    .read("d0", "config", 0x04, 2)),
        sequence(
            "bar-registers",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .write("d0", "config", 0x04, "0600")
                    .read("d0", "bar", VERSION, 4)
                    .read("d0", "bar", 0, 4)
                    .read("d0", "bar", VERSION, 2)
                    .read("d0", "bar", VERSION + 1, 1)
                    .read("d0", "bar", VERSION + 1, 3)
                    .read("d0", "bar", 0x1c, 4)
                    .write("d0", "bar", 0x24, "03000300")
                    .read("d0", "bar", 0x24, 4)
                    .write("d0", "bar", 0x28, "0010000001000000")
                    .read("d0", "bar", 0x28, 8)
                    .read("d0", "bar", 0x2c, 4)
                    .read("d0", "bar", VERSION, 0)),
        sequence(
            "bar-end",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .write("d0", "config", 0x04, "0600")
                    .read("d0", "bar", BAR_BYTES, 4)
                    .write("d0", "bar", BAR_BYTES, "00000000")
                    .read("d0", "bar", 1L << 30, 4)),
        sequence(
            "bar-msix-table",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .write("d0", "config", 0x04, "0600")
                    .read("d0", "bar", MSIX_TABLE, 4)
                    .write("d0", "bar", MSIX_TABLE, "01020304")
                    .read("d0", "bar", MSIX_TABLE, 16)
                    .read("d0", "bar", MSIX_TABLE + 1, 2)),
        sequence(
            "absent-regions",
            s ->
                s.readyDevice(type)
                    .region("d0", 2, "bar2")
                    .region("d0", ROM, "rom")
                    .read("d0", "bar2", 0, 4)
                    .write("d0", "bar2", 0, "00000000")
                    .read("d0", "rom", 0, 4)
                    .write("d0", "rom", 0, "00000000")
                    .readAt("d0", 8L << 40, 4)
                    .readAt("d0", 9L << 40, 4)
                    .readAt("d0", 1L << 62, 4)
                    .readAt("d0", -1, 4)
                    .readAt("none", 0, 4)),
        sequence(
            "bar-mapping",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .write("d0", "config", 0x04, "0600")
                    .mapDevice("m", "d0", "bar", 0, 0x1000, Kernel.MAP_SHARED)
                    .load("m", VERSION)
                    .load("m", 0)
                    .mapDevice("all", "d0", "bar", 0, BAR_BYTES, Kernel.MAP_SHARED)
                    .load("all", VERSION)
                    .mapDevice("second", "d0", "bar", 0x1000, 0x1000, Kernel.MAP_SHARED)
                    .unmapDevice("m")
                    .load("all", VERSION)
                    .unmapDevice("all")
                    .unmapDevice("second")),
        sequence(
            "bar-mapping-refused",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .region("d0", 2, "bar2")
                    .region("d0", ROM, "rom")
                    .mapDevice("m", "d0", "bar", 0, 0x1000, Kernel.MAP_PRIVATE)
                    .mapDevice("m", "d0", "bar", 0, BAR_BYTES + 0x1000, Kernel.MAP_SHARED)
                    .mapDevice("m", "d0", "bar", BAR_BYTES, 0x1000, Kernel.MAP_SHARED)
                    .mapDevice("m", "d0", "bar", 0x100, 0x1000, Kernel.MAP_SHARED)
                    .mapDevice("m", "d0", "bar", 0, 0, Kernel.MAP_SHARED)
                    .mapDevice("m", "d0", "config", 0, 0x1000, Kernel.MAP_SHARED)
                    .mapDevice("m", "d0", "rom", 0, 0x1000, Kernel.MAP_SHARED)
                    .mapDevice("m", "d0", "bar2", 0, 0x1000, Kernel.MAP_SHARED)
                    .mapDevice("m", "none", "bar", 0, 0x1000, Kernel.MAP_SHARED)
                    .mapDevice("m", "g0", "bar", 0, 0x1000, Kernel.MAP_SHARED)),
        sequence(
            "device-reset",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .write("d0", "config", 0x04, "0600")
                    .reset("d0")
                    .read("d0", "config", 0x04, 2)
                    .read("d0", "bar", VERSION, 4)
                    .reset("d0")),
        sequence(
            "device-twins",
            s ->
                s.readyDevice(type)
                    .device("twin", "g0", 0)
                    .region("d0", CONFIG, "config")
                    .write("d0", "config", 0x04, "0600")
                    .read("twin", "config", 0x04, 2)
                    .close("d0")
                    .read("twin", "config", 0x04, 2)
                    .read("twin", "config", 0x00, 4)));
  }
}
