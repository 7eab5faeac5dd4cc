// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.memory;
import static io.jvfio.lab.Operand.number;
import static io.jvfio.lab.Operand.value;
import static io.jvfio.lab.Steps.READ;
import static io.jvfio.lab.Steps.READ_WRITE;
import static io.jvfio.lab.Steps.WRITE;
import static io.jvfio.lab.Steps.sequence;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import java.util.List;

/**
 * sPAPR v1 and v2 on pSeries, with 4 KiB pages and a default window of 1 GiB at 0.
 *
 * <p>Only the sequences under "windows" let the kernel make a window. On a host without Dynamic DMA
 * Windows the first of those poisons the device until reboot.
 */
final class SpaprSequences {
  private static final int V1 = Vfio.VFIO_SPAPR_TCE_IOMMU;
  private static final int V2 = Vfio.VFIO_SPAPR_TCE_v2_IOMMU;
  private static final long KIB = 1 << 10;
  private static final long MIB = 1 << 20;
  private static final long GIB = 1 << 30;
  private static final long PAGE = 4 * KIB;
  private static final Ioctl EEH = new Ioctl("VFIO_EEH_PE_OP", ';', 121);

  private SpaprSequences() {}

  /** v1 without any window. */
  static List<Sequence> v1() {
    return List.of(
        sequence(
            "spapr-v1-enable",
            s ->
                s.ready(V1)
                    .spaprInfo("c")
                    .disable("c")
                    .enable("c")
                    .enable("c")
                    .spaprInfo("c")
                    .disable("c")
                    .disable("c")
                    .enable("c")
                    .unsetContainer("g0")),
        sequence(
            "spapr-v1-enable-goes-with-the-container",
            s -> s.ready(V1).enable("c").close("c").status("g0").close("g0")),
        sequence(
            "spapr-v1-enable-outlives-its-container",
            s ->
                s.readyDevice(V1)
                    .enable("c")
                    .close("c")
                    .close("g0")
                    .deviceInfo("d0", 24)
                    .close("d0")),
        sequence(
            "spapr-v1-get-info",
            s ->
                s.ready(V1)
                    .spaprInfo("c", 15)
                    .spaprInfo("c", 0)
                    .spaprInfo("c", 16)
                    .spaprInfo("c", 24)
                    .spaprInfo("c", 31)
                    .spaprInfo("c", 32)
                    .spaprInfo("c", 64)
                    .type1Info("c", 24)
                    .badAddress("c", Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO)),
        sequence(
            "spapr-v1-not-enabled",
            s ->
                s.ready(V1)
                    .memory("m", MIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .unmap(0, 64 * KIB)
                    .map(memory("m"), 0, 0, 0)
                    .badAddress("c", Vfio.VFIO_IOMMU_MAP_DMA)
                    .badAddress("c", Vfio.VFIO_IOMMU_UNMAP_DMA)
                    .enable("c")
                    .disable("c")
                    .map(memory("m"), 0, 64 * KIB)),
        sequence(
            "spapr-v1-arguments-before-the-window",
            s ->
                s.ready(V1)
                    .enable("c")
                    .memory("m", MIB)
                    .map("c", memory("m"), number(0), PAGE, READ_WRITE, 31)
                    .map(memory("m"), 0, PAGE, 4)
                    .map(memory("m"), 0, PAGE, 8)
                    .map(memory("m"), 0, PAGE, READ_WRITE | 8)
                    .unmap("c", number(0), PAGE, 0, 23)
                    .unmap(0, PAGE, 1)
                    .unmap(0, 0, 2)
                    .badAddress("c", Vfio.VFIO_IOMMU_MAP_DMA)
                    .badAddress("c", Vfio.VFIO_IOMMU_UNMAP_DMA)),
        sequence(
            "spapr-v1-commands-of-v2",
            s ->
                s.ready(V1)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .unregister(memory("m"), MIB)
                    .createWindow("w", 16, GIB, 1)
                    .removeWindow(number(0))
                    .badAddress("c", Vfio.VFIO_IOMMU_SPAPR_REGISTER_MEMORY)
                    .badAddress("c", Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE)
                    .badAddress("c", EEH)),
        sequence(
            "spapr-v1-one-group",
            s ->
                s.ready(V1)
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .status("g1")
                    .enable("c")
                    .setContainer("g1", "c")
                    .container("c1")
                    .setContainer("g1", "c1")
                    .setIommu("c1", V1)
                    .enable("c1")
                    .close("c1")
                    .close("g1")));
  }

  /** v1 with its window. */
  static List<Sequence> v1Windows() {
    return List.of(
        sequence(
            "spapr-v1-map",
            s ->
                s.ready(V1)
                    .spaprInfo("c")
                    .memory("m", MIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .enable("c")
                    .enable("c")
                    .map(memory("m"), 0, 64 * KIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .map(memory("m"), 4 * PAGE, PAGE)
                    .map(memory("m"), GIB, 64 * KIB)
                    .map(memory("m"), 0x800, 64 * KIB)
                    .map(memory("m", 0x800), 0, 64 * KIB)
                    .map(memory("m"), 0, 0x800)
                    .map(memory("m"), 0, 0)
                    .unmap(0, 64 * KIB)
                    .unmap(0, 64 * KIB)
                    .unmap(GIB, 64 * KIB)
                    .disable("c")
                    .setIommu("c", V1)),
        sequence(
            "spapr-v1-map-order-of-checks",
            s ->
                s.ready(V1)
                    .enable("c")
                    .memory("m", MIB)
                    .map(memory("m"), GIB, PAGE, 0)
                    .map(memory("m"), GIB, 0x800)
                    .map(memory("m"), 0x800, 0x800, 0)
                    .map(memory("m"), 0, PAGE, 0)
                    .map(memory("m"), 0x800, PAGE, 0)
                    .map(memory("m"), 0x800, 0)
                    .map(number(0x10000), 0x800, PAGE)
                    .map(number(0x10000), 0, PAGE)
                    .map(memory("m"), -PAGE, PAGE)
                    .map(memory("m"), 1L << 59, PAGE)
                    .map(memory("m"), GIB - PAGE, PAGE)
                    .map(memory("m"), 0, PAGE, READ)
                    .map(memory("m"), 0, PAGE, WRITE)
                    .unmap(GIB, 0x800)
                    .unmap(0, 0x800)
                    .unmap(0x800, PAGE)
                    .unmap(0x800, 0)
                    .unmap(0, 0)
                    .unmap(0, PAGE)
                    .unmap(GIB - PAGE, PAGE)),
        sequence(
            "spapr-v1-memory",
            s ->
                s.ready(V1)
                    .enable("c")
                    .readOnlyMemory("r", MIB)
                    .map(memory("r"), 0, PAGE, READ)
                    .map(memory("r"), 0, PAGE, READ_WRITE)
                    .memory("m", MIB)
                    .hole("m", 0x8000, 0x8000)
                    .map(memory("m"), 0, 0x10000)
                    .unmap(0, 0x10000)
                    .map(memory("m"), 0, 0x8000)
                    .hole("m", 0, 0x8000)
                    .unmap(0, 0x8000)),
        sequence(
            "spapr-v1-unmap-anything",
            s ->
                s.ready(V1)
                    .enable("c")
                    .memory("m", MIB)
                    .map(memory("m"), 0, 16 * PAGE)
                    .unmap(4 * PAGE, PAGE)
                    .unmap(0, 8 * PAGE)
                    .unmap(0, 32 * PAGE)
                    .map(memory("m"), 0, 16 * PAGE)
                    .map(memory("m", 64 * KIB), 8 * PAGE, 16 * PAGE)
                    .unmap(0, MIB)),
        sequence(
            "spapr-v1-disable-while-mapped",
            s ->
                s.ready(V1)
                    .enable("c")
                    .memory("m", MIB)
                    .map(memory("m"), 0, 16 * PAGE)
                    .disable("c")
                    .unmap(0, 16 * PAGE)
                    .enable("c")
                    .unmap(0, 16 * PAGE)
                    .map(memory("m"), 0, PAGE)
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", V1)
                    .unmap(0, PAGE)
                    .enable("c")
                    .unmap(0, PAGE)),
        sequence(
            "spapr-v1-mappings-go-with-the-group",
            s ->
                s.readyDevice(V1)
                    .enable("c")
                    .memory("m", MIB)
                    .map(memory("m"), 0, MIB)
                    .close("c")
                    .close("g0")
                    .deviceInfo("d0", 24)
                    .close("d0")),
        sequence(
            "spapr-v1-two-containers",
            s ->
                s.ready(V1)
                    .container("c1")
                    .group("g1", 1)
                    .setContainer("g1", "c1")
                    .setIommu("c1", V1)
                    .enable("c")
                    .enable("c1")
                    .memory("m", MIB)
                    .map(memory("m"), 0, MIB)
                    .map("c1", memory("m"), number(0), MIB, READ_WRITE, 32)
                    .unmap(0, MIB)
                    .disable("c")
                    .unmap("c1", number(0), MIB, 0, 24)),
        sequence(
            "spapr-v1-across-the-end",
            s ->
                s.ready(V1)
                    .enable("c")
                    .memory("m", MIB)
                    .map(memory("m"), GIB - 2 * PAGE, 4 * PAGE)
                    .map(memory("m"), GIB - 2 * PAGE, 2 * PAGE)
                    .map(memory("m"), GIB - PAGE, 2 * PAGE)
                    .unmap(GIB - 2 * PAGE, 2 * PAGE)));
  }

  /** v2 without any window. */
  static List<Sequence> v2() {
    return List.of(
        sequence(
            "spapr-v2-get-info",
            s ->
                s.ready(V2)
                    .spaprInfo("c", 15)
                    .spaprInfo("c", 0)
                    .spaprInfo("c", 16)
                    .spaprInfo("c", 24)
                    .spaprInfo("c", 31)
                    .spaprInfo("c", 32)
                    .spaprInfo("c", 64)
                    .type1Info("c", 24)
                    .badAddress("c", Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO)),
        sequence(
            "spapr-v2-register",
            s ->
                s.ready(V2)
                    .memory("m", 4 * MIB)
                    .enable("c")
                    .disable("c")
                    .unregister(memory("m"), MIB)
                    .register(memory("m"), MIB)
                    .register(memory("m"), MIB)
                    .register(memory("m"), 2 * MIB)
                    .register(memory("m", 512 * KIB), MIB)
                    .register(memory("m", 64 * KIB), 64 * KIB)
                    .register(memory("m", MIB), MIB)
                    .register(memory("m", 2 * MIB), PAGE)
                    .unregister(memory("m"), 512 * KIB)
                    .unregister(memory("m"), 2 * MIB)
                    .unregister(memory("m", MIB), MIB)
                    .unregister(memory("m", MIB), MIB)
                    .unregister(memory("m"), MIB)
                    .unregister(memory("m"), MIB)),
        sequence(
            "spapr-v2-register-arguments",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m", 0x800), PAGE)
                    .register(memory("m"), 0x800)
                    .register(number(-PAGE), 2 * PAGE)
                    .register("c", memory("m"), PAGE, 1, 24)
                    .register("c", memory("m"), PAGE, 0, 23)
                    .register("c", memory("m"), PAGE, 0, 0)
                    .register("c", memory("m"), PAGE, 0, 48)
                    .badAddress("c", Vfio.VFIO_IOMMU_SPAPR_REGISTER_MEMORY)
                    .unregister(memory("m", 0x800), PAGE)
                    .unregister(memory("m"), 0x800)
                    .unregister("c", memory("m"), PAGE, 1, 24)
                    .unregister("c", memory("m"), PAGE, 0, 23)
                    .unregister("c", memory("m"), PAGE, 0, 48)
                    .badAddress("c", Vfio.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY)),
        sequence(
            "spapr-v2-register-memory-that-is-not-there",
            s ->
                s.ready(V2)
                    .register(number(0x10000), PAGE)
                    .readOnlyMemory("r", MIB)
                    .register(memory("r"), MIB)
                    .memory("m", MIB)
                    .hole("m", 512 * KIB, 512 * KIB)
                    .register(memory("m"), MIB)
                    .register(memory("m"), 512 * KIB)
                    .unregister(memory("m"), 512 * KIB)),
        sequence(
            "spapr-v2-registration-goes-with-the-container",
            s ->
                s.ready(V2)
                    .memory("m", 2 * MIB)
                    .register(memory("m"), MIB)
                    .register(memory("m", MIB), MIB)
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", V2)
                    .unregister(memory("m"), MIB)
                    .register(memory("m"), 2 * MIB)
                    .close("c")
                    .close("g0")),
        sequence(
            "spapr-v2-registration-is-shared",
            s ->
                s.ready(V2)
                    .container("c1")
                    .group("g1", 1)
                    .setContainer("g1", "c1")
                    .setIommu("c1", V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .register("c1", memory("m"), MIB, 0, 24)
                    .register("c1", memory("m"), 512 * KIB, 0, 24)
                    .unregister(memory("m"), MIB)
                    .unregister(memory("m"), MIB)
                    .unregister("c1", memory("m"), MIB, 0, 24)),
        sequence(
            "spapr-v2-not-registered",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .unmap(0, 64 * KIB)
                    .badAddress("c", Vfio.VFIO_IOMMU_MAP_DMA)
                    .badAddress("c", Vfio.VFIO_IOMMU_UNMAP_DMA)
                    .map(memory("m"), 0, 0, 0)),
        sequence(
            "spapr-v2-arguments-before-the-window",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map("c", memory("m"), number(0), PAGE, READ_WRITE, 31)
                    .map(memory("m"), 0, PAGE, 4)
                    .map(memory("m"), 0, PAGE, 8)
                    .unmap("c", number(0), PAGE, 0, 23)
                    .unmap(0, PAGE, 1)
                    .unmap(0, 0, 2)
                    .badAddress("c", Vfio.VFIO_IOMMU_MAP_DMA)
                    .badAddress("c", Vfio.VFIO_IOMMU_UNMAP_DMA)
                    .createWindow("c", "w", 12, GIB, 1, 1, 40)
                    .createWindow("c", "w", 12, GIB, 1, 0, 39)
                    .createWindow("c", "w", 12, GIB, 1, 0, 0)
                    .badAddress("c", Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE)
                    .badAddress("c", EEH)),
        sequence(
            "spapr-v2-remove-the-pending-window",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .removeWindow("c", number(0), 1, 16)
                    .removeWindow("c", number(0), 0, 15)
                    .removeWindow("c", number(0), 0, 0)
                    .badAddress("c", Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE)
                    .removeWindow(number(PAGE))
                    .removeWindow(number(1L << 59))
                    .removeWindow(number(0))
                    .removeWindow(number(0))
                    .spaprInfo("c")
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, PAGE)
                    .unmap(0, PAGE)
                    .removeWindow("c", number(0), 0, 32)),
        sequence(
            "spapr-v2-then-v1",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", V1)
                    .register(memory("m"), MIB)
                    .enable("c")
                    .spaprInfo("c")
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", V2)
                    .enable("c")
                    .spaprInfo("c")),
        sequence(
            "spapr-v2-two-groups-without-windows",
            s ->
                s.ready(V2)
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .spaprInfo("c")
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .unsetContainer("g0")
                    .spaprInfo("c")
                    .unregister(memory("m"), MIB)
                    .unsetContainer("g1")));
  }

  /** Lets the hypervisor refuse a window of each group. */
  static List<Sequence> poison() {
    return List.of(
        sequence("spapr-poison-g0", s -> s.ready(V2).createWindow("w", 12, GIB, 1)),
        sequence(
            "spapr-poison-g1",
            s ->
                s.container("c")
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .setIommu("c", V2)
                    .createWindow("w", 12, GIB, 1)));
  }

  /** v2 with windows that a hypervisor with Dynamic DMA Windows grants. */
  static List<Sequence> v2Windows() {
    return List.of(
        sequence(
            "spapr-v2-default-window",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .spaprInfo("c")
                    .register(memory("m"), MIB)
                    .register(memory("m"), MIB)
                    .register(memory("m"), MIB / 2)
                    .map(memory("m"), 0, 64 * KIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .map(memory("m"), 4 * PAGE, PAGE)
                    .map(memory("m"), GIB, PAGE)
                    .map(memory("m"), 0x800, PAGE)
                    .map(memory("m", 0x800), 0, PAGE)
                    .map(memory("m"), 0, 0x800)
                    .map(memory("m"), 0, 0)
                    .map(memory("m"), 0, PAGE, 0)
                    .unmap(0, 64 * KIB)
                    .unmap(0, 64 * KIB)
                    .unmap(GIB, PAGE)
                    .unmap(0x800, PAGE)
                    .unmap(0, 0x800)
                    .unregister(memory("m"), MIB)
                    .map(memory("m"), 0, 64 * KIB)),
        sequence(
            "spapr-v2-map-registered-memory-only",
            s ->
                s.ready(V2)
                    .memory("m", 4 * MIB)
                    .register(memory("m"), MIB)
                    .register(memory("m", 2 * MIB), MIB)
                    .map(memory("m", MIB), 0, PAGE)
                    .map(memory("m", MIB - PAGE), 0, 2 * PAGE)
                    .map(memory("m", MIB - PAGE), 0, PAGE)
                    .map(memory("m", 2 * MIB), PAGE, MIB)
                    .map(memory("m"), GIB - MIB, MIB, READ)
                    .unmap(0, 2 * MIB)
                    .unmap(GIB - MIB, MIB)
                    .unregister(memory("m"), MIB)
                    .unregister(memory("m", 2 * MIB), MIB)),
        sequence(
            "spapr-v2-unmap-creates-the-window",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .unmap(0, PAGE)
                    .removeWindow(number(PAGE))
                    .unmap(0, PAGE)),
        sequence(
            "spapr-v2-create-second-window",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .createWindow("w", 16, GIB, 1)
                    .map("c", memory("m"), value("w"), 64 * KIB, READ_WRITE, 32)
                    .map("c", memory("m"), value("w"), PAGE, READ_WRITE, 32)
                    .map("c", memory("m"), value("w", PAGE), 64 * KIB, READ_WRITE, 32)
                    .map("c", memory("m"), value("w", GIB), 64 * KIB, READ_WRITE, 32)
                    .unmap("c", value("w"), 64 * KIB, 0, 24)
                    .unmap("c", value("w"), PAGE, 0, 24)
                    .unmap("c", value("w", PAGE), 64 * KIB, 0, 24)
                    .createWindow("x", 12, GIB, 1)
                    .createWindow("x", 12, MIB, 0)
                    .createWindow("x", 13, GIB, 1)
                    .createWindow("x", 16, 0x30000000, 1)
                    .createWindow("x", 16, GIB, 9)
                    .spaprInfo("c")
                    .removeWindow(value("w"))
                    .removeWindow(value("w"))
                    .removeWindow(number(0x12345000))
                    .removeWindow(number(0))
                    .map(memory("m"), 0, PAGE)
                    .unregister(memory("m"), MIB)),
        sequence(
            "spapr-v2-create-on-a-fresh-container-makes-two",
            s ->
                s.ready(V2)
                    .createWindow("w", 16, GIB, 1)
                    .createWindow("x", 16, GIB, 1)
                    .removeWindow(value("w", GIB))
                    .removeWindow(value("w", GIB - 1))
                    .createWindow("x", 16, GIB, 1)
                    .removeWindow(value("x"))
                    .removeWindow(number(0))
                    .removeWindow(number(0))),
        sequence(
            "spapr-v2-window-of-4k-pages",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .createWindow("w", 12, GIB, 1)
                    .map("c", memory("m"), value("w"), MIB, READ_WRITE, 32)
                    .map("c", memory("m"), value("w", GIB - PAGE), PAGE, READ, 32)
                    .map("c", memory("m"), value("w", -PAGE), PAGE, READ, 32)
                    .map(memory("m"), 0, MIB, READ)
                    .unmap("c", value("w"), MIB, 0, 24)
                    .unmap(0, MIB)
                    .removeWindow(value("w", GIB / 2))
                    .map("c", memory("m"), value("w"), MIB, READ_WRITE, 32)),
        sequence(
            "spapr-v2-replace-the-default-window",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .removeWindow(number(0))
                    .map(memory("m"), 0, PAGE)
                    .createWindow("w", 12, GIB, 1)
                    .createWindow("x", 16, 2 * GIB, 1)
                    .createWindow("y", 16, 2 * GIB, 2)
                    .map("c", memory("m"), value("w"), PAGE, READ_WRITE, 32)
                    .spaprInfo("c")
                    .removeWindow(value("x"))
                    .removeWindow(value("w"))
                    .map(memory("m"), 0, PAGE)),
        sequence(
            "spapr-v2-remove-while-mapped",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, MIB)
                    .removeWindow(number(0x12345000))
                    .unmap(0, MIB)
                    .unregister(memory("m"), MIB)
                    .createWindow("w", 12, GIB, 1)
                    .register(memory("m"), MIB)
                    .map("c", memory("m"), value("w"), MIB, READ_WRITE, 32)
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", V2)
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, MIB)),
        sequence(
            "spapr-v2-windows-go-with-the-container",
            s ->
                s.readyDevice(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, MIB)
                    .createWindow("w", 12, GIB, 1)
                    .map("c", memory("m"), value("w"), MIB, READ_WRITE, 32)
                    .close("c")
                    .close("g0")
                    .close("d0")),
        sequence(
            "spapr-v2-windows-then-v1",
            s ->
                s.ready(V2)
                    .createWindow("w", 16, GIB, 1)
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", V1)
                    .spaprInfo("c")
                    .memory("m", MIB)
                    .enable("c")
                    .map(memory("m"), 0, MIB)
                    .unmap(0, MIB)
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", V2)
                    .spaprInfo("c")
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, MIB)),
        sequence(
            "spapr-v2-two-containers",
            s ->
                s.ready(V2)
                    .container("c1")
                    .group("g1", 1)
                    .setContainer("g1", "c1")
                    .setIommu("c1", V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map("c1", memory("m"), number(0), PAGE, READ_WRITE, 32)
                    .register("c1", memory("m"), MIB, 0, 24)
                    .map(memory("m"), 0, MIB)
                    .map("c1", memory("m"), number(0), MIB, READ_WRITE, 32)
                    .createWindow("w", 16, GIB, 1)
                    .createWindow("c1", "x", 16, GIB, 1, 0, 40)
                    .unmap(0, MIB)
                    .unmap("c1", number(0), MIB, 0, 24)),
        sequence(
            "spapr-v2-second-group-after-a-window",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, MIB)
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .status("g1")
                    .unmap(0, MIB)),
        // What may go wrong in ways that outlive the sequence comes last.
        sequence(
            "spapr-v2-create-refused-before-the-hypervisor",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, PAGE)
                    .createWindow("w", 13, GIB, 1)
                    .createWindow("w", 20, GIB, 1)
                    .createWindow("w", 16, 0, 1)
                    .createWindow("w", 16, 0x30000000, 1)
                    .map(memory("m"), 0, PAGE)),
        sequence(
            "spapr-v2-unregister-while-mapped",
            s ->
                s.ready(V2)
                    .memory("m", MIB)
                    .register(memory("m"), MIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .unregister(memory("m"), MIB)
                    .unregister(memory("m"), MIB)
                    .unmap(0, 64 * KIB)
                    .map(memory("m"), 0, 64 * KIB)
                    .unregister(memory("m"), MIB)));
  }
}
