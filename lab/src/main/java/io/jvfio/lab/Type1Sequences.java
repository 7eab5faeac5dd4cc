// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.memory;
import static io.jvfio.lab.Operand.number;
import static io.jvfio.lab.Steps.READ;
import static io.jvfio.lab.Steps.READ_WRITE;
import static io.jvfio.lab.Steps.WRITE;
import static io.jvfio.lab.Steps.sequence;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import java.util.List;

/** Type1 and Type1v2, with 4 KiB pages: mapping, unmapping, and what GET_INFO tells. */
final class Type1Sequences {
  private static final long PAGE = 0x1000;
  private static final long MIB = 1 << 20;
  private static final int UNMAP_ALL = 2;
  private static final int UNMAP_VADDR = 4;
  private static final int MAP_VADDR = 4;

  private Type1Sequences() {}

  /**
   * All for one of the two types.
   *
   * @param name its name
   */
  static List<Sequence> all(String name, int type) {
    return List.of(
        sequence(
            name + "-map-overlap",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, 0x10000)
                    .map(memory("m"), 0x100000, 0x10000)
                    .map(memory("m"), 0x104000, 0x1000)
                    .map(memory("m"), 0xff000, 0x2000)
                    .map(memory("m"), 0x10f000, 0x2000)
                    .map(memory("m"), 0xf0000, 0x40000)
                    .map(memory("m"), 0x110000, 0x10000)
                    .map(memory("m"), 0xf0000, 0x10000)
                    .unmap(0xf0000, 0x30000)
                    .unmap(0xf0000, 0x30000)),
        sequence(
            name + "-map-arguments",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, 0)
                    .map(memory("m"), 0x100800, 0x1000)
                    .map(memory("m", 0x800), 0x100000, 0x1000)
                    .map(memory("m"), 0x100000, 0x800)
                    .map(memory("m"), 0x100000, 0x1000, 0)
                    .map(memory("m"), 0x100000, 0x1000, 8)
                    .map(memory("m"), 0x100000, 0x1000, READ | MAP_VADDR)
                    .map(memory("m"), 0x100000, 0x1000, MAP_VADDR)
                    .map("c", memory("m"), number(0x100000), 0x1000, READ_WRITE, 31)
                    .map("c", memory("m"), number(0x100000), 0x1000, READ_WRITE, 0)
                    .map("c", memory("m"), number(0x100000), 0x1000, READ_WRITE, 64)
                    .map(memory("m"), 0x200000, 0x1000, READ)
                    .map(memory("m"), 0x300000, 0x1000, WRITE)
                    .badAddress("c", Vfio.VFIO_IOMMU_MAP_DMA)
                    .badAddress("c", Vfio.VFIO_IOMMU_UNMAP_DMA)
                    .unmap(0x100000, 0x1000)
                    .unmap(0x200000, 0x1000)
                    .unmap(0x300000, 0x1000)),
        sequence(
            name + "-map-outside",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0xfee00000L, PAGE)
                    .map(memory("m"), 0xfeeff000L, PAGE)
                    .map(memory("m"), 0xfedff000L, 2 * PAGE)
                    .map(memory("m"), 0xfedff000L, PAGE)
                    .map(memory("m"), 0xfef00000L, PAGE)
                    .map(memory("m"), 1L << 56, PAGE)
                    .map(memory("m"), -PAGE, PAGE)
                    .map(memory("m"), -PAGE, 2 * PAGE)
                    .map(memory("m"), 0, -PAGE)
                    .map(number(-PAGE), 0, 2 * PAGE)
                    .map(memory("m"), 0, PAGE)
                    .unmap(-PAGE, PAGE)
                    .unmap(-PAGE, 2 * PAGE)
                    .unmap(0, 1L << 32)),
        sequence(
            name + "-memory",
            s ->
                s.ready(type)
                    .readOnlyMemory("r", MIB)
                    .map(memory("r"), 0, PAGE, READ_WRITE)
                    .map(memory("r"), 0, PAGE, WRITE)
                    .map(memory("r"), 0, PAGE, READ)
                    .unmap(0, PAGE)
                    .map(number(0x10000), 0, PAGE)
                    .memory("m", MIB)
                    .hole("m", 0x8000, 0x8000)
                    .map(memory("m"), 0, 0x10000)
                    .map(memory("m", 0x8000), 0, PAGE)
                    .map(memory("m"), 0, 0x8000)
                    .unmap(0, 0x8000)),
        sequence(
            name + "-memory-goes-while-mapped",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0, 0x10000)
                    .hole("m", 0, MIB)
                    .unmap(0, 0x10000)
                    .unmap(0, 0x10000)),
        sequence(
            name + "-same-memory-twice",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0, 0x10000)
                    .map(memory("m"), 0x100000, 0x10000)
                    .map(memory("m", 0x8000), 0x200000, 0x10000)
                    .unmap(0, 0x10000)
                    .unmap(0x100000, 0x10000)
                    .unmap(0x200000, 0x10000)),
        sequence(
            name + "-unmap-parts",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, 4 * PAGE)
                    .unmap(0x101000, PAGE)
                    .unmap(0x103000, PAGE)
                    .unmap(0x103000, 2 * PAGE)
                    .unmap(0xff000, 3 * PAGE)
                    .map(memory("m"), 0x100000, 4 * PAGE)
                    .unmap(0x100000, PAGE)
                    .map(memory("m"), 0x100000, 4 * PAGE)
                    .unmap(0x100000, 4 * PAGE)),
        sequence(
            name + "-unmap-several",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, PAGE)
                    .map(memory("m"), 0x103000, PAGE)
                    .map(memory("m"), 0x110000, 4 * PAGE)
                    .unmap(0x100000, 0x5000)
                    .unmap(0x100000, 0x5000)
                    .map(memory("m"), 0x100000, PAGE)
                    .unmap(0, 0x112000)
                    .unmap(0, 0x200000)
                    .unmap(0x110000, 4 * PAGE)),
        sequence(
            name + "-unmap-arguments",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, PAGE)
                    .unmap(0x100000, 0)
                    .unmap(0x100800, PAGE)
                    .unmap(0x100000, 0x800)
                    .unmap(0x100000, PAGE, 8)
                    .unmap(0x100000, PAGE, 1)
                    .unmap("c", number(0x100000), PAGE, 0, 23)
                    .unmap("c", number(0x100000), PAGE, 0, 0)
                    .unmap("c", number(0x100000), PAGE, 0, 48)
                    .unmap("c", number(0x100000), PAGE, 0, 24)),
        sequence(
            name + "-unmap-all",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .unmap(0, 0, UNMAP_ALL)
                    .map(memory("m"), 0, PAGE)
                    .map(memory("m"), 0x100000, 4 * PAGE)
                    .map(memory("m"), 0x80000000L, 8 * PAGE)
                    .unmap(0, PAGE, UNMAP_ALL)
                    .unmap(PAGE, 0, UNMAP_ALL)
                    .unmap(0, 0, UNMAP_ALL | 1)
                    .unmap(0, 0, UNMAP_ALL | 8)
                    .unmap(0, 0, UNMAP_ALL)
                    .unmap(0, 0, UNMAP_ALL)),
        sequence(
            name + "-vaddr",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .memory("n", MIB)
                    .map(memory("m"), 0x100000, 4 * PAGE)
                    .map(memory("n"), 0x100000, 4 * PAGE, MAP_VADDR)
                    .unmap(0x100000, 4 * PAGE, UNMAP_VADDR)
                    .unmap(0x100000, 4 * PAGE, UNMAP_VADDR)
                    .map(memory("n"), 0x100000, PAGE, MAP_VADDR)
                    .map(memory("m"), 0x100000, 4 * PAGE, MAP_VADDR)
                    .unmap(0x100000, 4 * PAGE)),
        sequence(
            name + "-get-info",
            s ->
                s.ready(type)
                    .type1Info("c", 15)
                    .type1Info("c", 0)
                    .type1Info("c", 16)
                    .type1Info("c", 20)
                    .type1Info("c", 24)
                    .type1Info("c", 100)
                    .type1Info("c", 512)
                    .memory("m", MIB)
                    .map(memory("m"), 0, PAGE)
                    .map(memory("m"), 0x100000, PAGE)
                    .type1Info("c", 512)
                    .unmap(0, 0x200000)
                    .type1Info("c", 512)),
        sequence(
            name + "-get-info-of-two-groups",
            s ->
                s.ready(type)
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .type1Info("c", 512)
                    .unsetContainer("g0")
                    .type1Info("c", 512)),
        sequence(
            name + "-mappings-outlive-a-group",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, 4 * PAGE)
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .map(memory("m"), 0x200000, 4 * PAGE)
                    .unsetContainer("g0")
                    .unmap(0x100000, 4 * PAGE)
                    .unsetContainer("g1")
                    .unmap(0x200000, 4 * PAGE)
                    .setContainer("g0", "c")
                    .setIommu("c", type)
                    .unmap(0x200000, 4 * PAGE)),
        sequence(
            name + "-mappings-go-with-the-container",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, MIB)
                    .close("c")
                    .status("g0")
                    .close("g0")),
        sequence(
            name + "-mappings-outlive-their-container",
            s ->
                s.readyDevice(type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, MIB)
                    .close("c")
                    .deviceInfo("d0", 24)
                    .close("g0")
                    .close("d0")),
        sequence(
            name + "-two-containers-count-twice",
            s ->
                s.ready(type)
                    .container("c1")
                    .group("g1", 1)
                    .setContainer("g1", "c1")
                    .setIommu("c1", type)
                    .memory("m", MIB)
                    .map(memory("m"), 0x100000, MIB)
                    .map("c1", memory("m"), number(0x100000), MIB, READ_WRITE, 32)
                    .unmap(0x100000, MIB)
                    .unmap("c1", number(0x100000), MIB, 0, 24)),
        sequence(
            name + "-commands-of-other-types",
            s ->
                s.ready(type)
                    .memory("m", MIB)
                    .enable("c")
                    .disable("c")
                    .register(memory("m"), MIB)
                    .register("c", memory("m"), MIB, 3, 24)
                    .register("c", memory("m"), MIB, 8, 24)
                    .register("c", memory("m"), MIB, 1, 7)
                    .unregister(memory("m"), MIB)
                    .createWindow("w", 12, 1 << 30, 1)
                    .removeWindow(number(0))
                    .command("c", new Ioctl("VFIO_EEH_PE_OP", ';', 121))),
        sequence(
            name + "-many-mappings",
            s -> {
              s.ready(type).memory("m", MIB);
              for (long i = 0; i < 24; i++) {
                s.map(memory("m", i * PAGE), 0x40000000L + 2 * i * PAGE, PAGE);
              }
              s.type1Info("c", 512)
                  .unmap(0x40000000L, 24 * PAGE)
                  .unmap(0x40000000L, 48 * PAGE)
                  .type1Info("c", 512);
            }));
  }
}
