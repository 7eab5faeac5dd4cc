// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.IommufdSteps.ALL;
import static io.jvfio.lab.IommufdSteps.FIXED;
import static io.jvfio.lab.IommufdSteps.READ;
import static io.jvfio.lab.IommufdSteps.WRITE;
import static io.jvfio.lab.IommufdSteps.sequence;
import static io.jvfio.lab.Operand.memory;
import static io.jvfio.lab.Operand.number;
import static io.jvfio.lab.Operand.value;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_HUGE_PAGES;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_OP_GET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_OP_SET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_RLIMIT_MODE;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_CLEAR;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_GET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_SET;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import java.util.ArrayList;
import java.util.List;

/**
 * iommufd with 4 KiB pages: its objects, devices that are opened by nodes of their own, and
 * iommufds in the place of containers.
 */
final class IommufdSequences {
  private static final long PAGE = 0x1000;
  private static final long MIB = 1 << 20;
  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
  private static final Operand NONE = number(0);
  private static final Operand BAD_MEMORY = number(8);

  private IommufdSequences() {}

  static List<Sequence> all() {
    var all = new ArrayList<Sequence>();
    all.addAll(objects());
    all.addAll(maps());
    all.addAll(ranges());
    all.addAll(copies());
    all.addAll(options());
    all.addAll(devices());
    all.addAll(tables());
    all.addAll(containers());
    return all;
  }

  private static List<Sequence> objects() {
    return List.of(
        sequence(
            "iommufd-commands",
            s -> {
              s.iommufd("f");
              Iommufd.COMMANDS.forEach(command -> s.then(o -> o.badAddress("f", command)));
              for (int unknown : new int[] {0x7f, 0x8f, 0x90, 0x94, 0x95, 0xff}) {
                s.then(o -> o.command("f", new Ioctl("unknown", ';', unknown), 0));
              }
              s.then(
                  o ->
                      o.command("f", Vfio.VFIO_GROUP_GET_STATUS)
                          .command("f", Vfio.VFIO_DEVICE_GET_INFO)
                          .command("f", Vfio.VFIO_DEVICE_BIND_IOMMUFD)
                          .readAt("f", 0, 4)
                          .writeAt("f", 0, "00000000")
                          .mapDeviceAt("b", "f", 0, PAGE, Kernel.MAP_SHARED));
            }),
        sequence(
            "iommufd-sizes",
            s ->
                s.iommufd("f")
                    .ioas(0, 0)
                    .ioas(11, 0)
                    .ioas(12, 0)
                    .ioasWithTail(0)
                    .ioasWithTail(1)
                    .ioasWithTail(-1)
                    .destroy(number(1), 7)
                    .destroy(number(1), 8)
                    .ranges(number(2), 0, 0, 31, NONE)
                    .ranges(number(2), 0, 0, 32, NONE)
                    .map(number(2), ALL, 0, NONE, PAGE, 0, 39)
                    .unmap(number(2), 0, PAGE, 23)
                    .hardware(number(1), 0, 0, NONE, 31)
                    .hardware(number(1), 0, 0, NONE, 32)
                    .hardware(number(1), 0, 0, NONE, 40)),
        sequence(
            "iommufd-objects",
            s ->
                s.iommufd("f")
                    .destroy(number(0))
                    .destroy(number(1))
                    .destroy(number(-1))
                    .ioas(12, 1)
                    .ioas("a")
                    .ioas("b")
                    .ioas("c")
                    .destroy(value("a"))
                    .destroy(value("a"))
                    .ioas("a2")
                    .destroy(value("b"))
                    .destroy(value("a2"))
                    .ioas("d")
                    .ioas("e")
                    .ioas("g")),
        sequence(
            "iommufd-files-are-apart",
            s ->
                s.iommufd("f")
                    .iommufd("e")
                    .ioas("e", "a")
                    .destroy(value("a"))
                    .ioas("b")
                    .close("e")
                    .destroy(value("b"))));
  }

  private static List<Sequence> maps() {
    return List.of(
        sequence(
            "ioas-map-arguments",
            s ->
                s.iommufd("f")
                    .ioas("s")
                    .memory("m", MIB)
                    .map("s", ALL | 8, memory("m"), PAGE, 0)
                    .map(value("s"), ALL, 1, memory("m"), PAGE, 0, 40)
                    .map("s", ALL, memory("m"), -1, 0)
                    .map("s", ALL, memory("m"), PAGE, -1)
                    .map("s", FIXED, memory("m"), PAGE, 0)
                    .map("s", FIXED, memory("m"), -1, 0)
                    .map(number(77), ALL, 0, memory("m"), PAGE, 0, 40)
                    .map("s", ALL, memory("m"), 0, 0)
                    .map("s", ALL, memory("m"), -PAGE, 0)
                    .map("s", ALL, number(-PAGE), 2 * PAGE, 0)
                    .map("s", ALL, memory("m"), PAGE, -PAGE)
                    .map("s", ALL, memory("m"), 2 * PAGE, -PAGE)
                    .map("s", ALL, BAD_MEMORY, PAGE, 0x100000)
                    .map("s", FIXED | READ, memory("m"), PAGE, 0x200000)
                    .map("s", FIXED | WRITE, memory("m"), PAGE, 0x300000)
                    .unmap("s", 0, -1)
                    .unmap("s", 0, -1)),
        sequence(
            "ioas-map-by-the-byte",
            s ->
                s.iommufd("f")
                    .ioas("s")
                    .ranges("s", 0, NONE)
                    .memory("m", MIB)
                    .map("s", memory("m", 5), 0x10003, 7)
                    .map("s", memory("m", 100), 0x1000a, 0x2000)
                    .map("s", memory("m"), 0x10009, 1)
                    .unmap("s", 0x10003, 6)
                    .unmap("s", 0x10003, 7)
                    .unmap("s", 0x1000a, 0x2001)
                    .unmap("s", 0, -1)),
        sequence(
            "ioas-map-overlap",
            s ->
                s.attached()
                    .memory("m", MIB)
                    .map("s", memory("m"), 0x100000, 0x10000)
                    .map("s", memory("m"), 0x100000, 0x10000)
                    .map("s", memory("m"), 0x104000, PAGE)
                    .map("s", memory("m"), 0xff000, 0x2000)
                    .map("s", memory("m"), 0x10f000, 0x2000)
                    .map("s", memory("m"), 0xf0000, 0x40000)
                    .map("s", memory("m"), 0x110000, 0x10000)
                    .unmap("s", 0x100000, 0x20000)
                    .unmap("s", 0x100000, 0x20000)),
        sequence(
            "ioas-map-attached",
            s ->
                s.attached()
                    .memory("m", MIB)
                    .map("s", memory("m", 1), 0x100000, PAGE)
                    .map("s", memory("m"), 0x100001, PAGE)
                    .map("s", memory("m"), 0x100000, PAGE + 1)
                    .map("s", memory("m"), 0xfee00000L, PAGE)
                    .map("s", memory("m"), 0xfedff000L, 2 * PAGE)
                    .map("s", memory("m"), 0xfedff000L, PAGE)
                    .map("s", memory("m"), 0xfef00000L, PAGE)
                    .map("s", memory("m"), 1L << 48, PAGE)
                    .map("s", memory("m"), (1L << 48) - PAGE, PAGE)
                    .map("s", memory("m"), (1L << 48) - PAGE, 2 * PAGE)
                    .map("s", memory("m"), -PAGE, PAGE)
                    .map("s", BAD_MEMORY, 0x200000, PAGE)
                    .map("s", NONE, 0x200000, PAGE)
                    .map("s", memory("m"), 0, PAGE)
                    .unmap("s", 0, 1L << 49)),
        sequence(
            "ioas-map-memory",
            s ->
                s.attached()
                    .then(o -> o.readOnlyMemory("r", MIB))
                    .map("s", memory("r"), 0, PAGE)
                    .map("s", FIXED | WRITE, memory("r"), PAGE, 0)
                    .map("s", FIXED | READ, memory("r"), PAGE, 0)
                    .memory("m", MIB)
                    .then(o -> o.hole("m", 0x8000, 0x8000))
                    .map("s", memory("m"), 0x100000, 0x10000)
                    .map("s", memory("m", 0x8000), 0x100000, PAGE)
                    .map("s", memory("m"), 0x100000, 0x8000)
                    .pinned()
                    .then(o -> o.hole("m", 0, MIB))
                    .unmap("s", 0x100000, 0x8000)
                    .pinned()),
        sequence(
            "ioas-map-anywhere",
            s ->
                s.iommufd("f")
                    .ioas("s")
                    .memory("m", 8 * MIB)
                    .map("s", READ | WRITE, memory("m"), PAGE, 0x5000)
                    .map("s", READ, memory("m"), PAGE, 0)
                    .map("s", WRITE, memory("m"), 3 * PAGE, 0)
                    .map("s", READ, memory("m", PAGE), 3 * PAGE, 0)
                    .map("s", READ, memory("m", 7), 100, 0)
                    .map("s", READ, memory("m", 0x2000), 5, 0)
                    .map("s", READ, memory("m"), 4 * MIB, 0)
                    .map("s", READ, memory("m"), 8 * MIB, 0)
                    .map("s", READ, memory("m", 0x3000), MIB, 0)
                    .map("s", READ, NONE, PAGE, 0)
                    .map("s", READ, memory("m"), 0, 0)
                    .map("s", READ, memory("m"), 1L << 62, 0)
                    .map("s", READ, memory("m"), Long.MAX_VALUE, 0)
                    .unmap("s", PAGE, PAGE)
                    .map("s", READ, memory("m"), PAGE, 0)
                    .unmap("s", 0, -1)),
        sequence(
            "ioas-map-anywhere-attached",
            s ->
                s.attached()
                    .memory("m", 8 * MIB)
                    .map("s", READ | WRITE, memory("m"), PAGE, 0)
                    .map("s", READ | WRITE, memory("m"), 4 * MIB, 0)
                    .map("s", READ | WRITE, memory("m", PAGE), 2 * PAGE, 0)
                    .map("s", READ | WRITE, memory("m", 8), PAGE, 0)
                    .map("s", READ | WRITE, memory("m"), PAGE - 1, 0)
                    .map("s", READ | WRITE, BAD_MEMORY, PAGE, 0)
                    .pinned()
                    .unmap("s", 0, -1)
                    .pinned()),
        sequence(
            "ioas-unmap",
            s ->
                s.attached()
                    .memory("m", MIB)
                    .unmap(number(77), 0, PAGE, 24)
                    .unmap("s", 0, 0)
                    .unmap("s", 0, PAGE)
                    .unmap("s", -1, PAGE)
                    .unmap("s", PAGE, -1)
                    .unmap("s", -PAGE, 2 * PAGE)
                    .unmap("s", 0, -1)
                    .map("s", memory("m"), 0x100000, 4 * PAGE)
                    .unmap("s", 0x101000, PAGE)
                    .unmap("s", 0x103000, PAGE)
                    .unmap("s", 0x103000, 2 * PAGE)
                    .unmap("s", 0xff000, 3 * PAGE)
                    .unmap("s", 0x100000, PAGE)
                    .map("s", memory("m"), 0x104000, PAGE)
                    .map("s", memory("m"), 0x110000, 4 * PAGE)
                    // The first two go, and nobody says so.
                    .unmap("s", 0x100000, 0x11000)
                    .unmap("s", 0x100000, 0x10000)
                    .unmap("s", 0x110000, 4 * PAGE)
                    .map("s", memory("m"), 0, PAGE)
                    .map("s", memory("m"), 0x80000000L, PAGE)
                    .unmap("s", 0, 1L << 32)),
        sequence(
            "ioas-goes-with-its-mappings",
            s ->
                s.iommufd("f")
                    .ioas("s")
                    .memory("m", MIB)
                    .map("s", memory("m"), 0, MIB)
                    .pinned()
                    .destroy(value("s"))
                    .mapFile("s", "f")));
  }

  private static List<Sequence> ranges() {
    return List.of(
        sequence(
            "ioas-iova-ranges",
            s ->
                s.iommufd("f")
                    .ioas("s")
                    .memory("m", MIB)
                    .ranges("s", 0, NONE)
                    .ranges("s", 1, memory("m"))
                    .then(o -> o.look("m", 0, 32))
                    .ranges("s", 4, memory("m"))
                    .ranges("s", 1, BAD_MEMORY)
                    .ranges(value("s"), 1, 1, 32, memory("m"))
                    .ranges(number(77), 1, 0, 32, memory("m"))
                    .node("d", 0)
                    .bind("d", "f", "dev")
                    .ranges("s", 4, memory("m"))
                    .attach("d", "s")
                    .ranges("s", 0, NONE)
                    .ranges("s", 1, memory("m", 0x100))
                    .then(o -> o.look("m", 0x100, 48))
                    .ranges("s", 2, memory("m", 0x200))
                    .then(o -> o.look("m", 0x200, 48))
                    .ranges("s", 16, memory("m", 0x300))
                    .detach("d")
                    .ranges("s", 1, memory("m"))),
        sequence(
            "ioas-allow-iovas",
            s ->
                s.iommufd("f")
                    .ioas("s")
                    .memory("m", MIB)
                    .then(
                        o ->
                            o.store("m", 0, number(0x100000), number(0x1fffff))
                                .store("m", 16, number(0x400000), number(0x4fffff))
                                .store("m", 32, number(0x1ff000), number(0x2fffff))
                                .store("m", 48, number(5), number(5))
                                .store("m", 64, number(6), number(5))
                                .store("m", 80, number(0xfee00000L), number(0xfee00fffL))
                                .store("m", 96, number(0), number(-1)))
                    .allow("s", 1, BAD_MEMORY)
                    .allow(number(77), 1, 0, memory("m"))
                    .allow(value("s"), 1, 1, memory("m"))
                    .allow("s", 3, memory("m"))
                    .allow("s", 1, memory("m", 48))
                    .allow("s", 1, memory("m", 64))
                    .allow("s", 2, memory("m"))
                    .map("s", READ, memory("m"), PAGE, 0)
                    .map("s", READ, memory("m"), MIB, 0)
                    .map("s", READ, memory("m"), MIB, 0)
                    .map("s", memory("m"), 0x900000, PAGE)
                    .allow("s", 0, NONE)
                    .map("s", READ, memory("m"), PAGE, 0)
                    .allow("s", 1, memory("m", 80))
                    .node("d", 0)
                    .bind("d", "f", "dev")
                    .attach("d", "s")
                    .allow("s", 1, memory("m", 96))
                    .attach("d", "s")
                    .allow("s", 2, memory("m"))
                    .attach("d", "s")
                    .allow("s", 1, memory("m", 80))
                    .allow("s", 1, memory("m", 96))
                    .ranges("s", 8, memory("m", 0x100))));
  }

  private static List<Sequence> copies() {
    return List.of(
        sequence(
            "ioas-copy-arguments",
            s ->
                s.iommufd("f")
                    .ioas("a")
                    .ioas("b")
                    .memory("m", MIB)
                    .map("a", memory("m"), 0x100000, 0x10000)
                    .copy("b", "a", ALL | 8, 0, 0x100000, PAGE)
                    .copy("b", "a", FIXED, 0, 0x100000, PAGE)
                    .copy("b", "a", ALL, 0, 0x100000, -1)
                    .copy("b", "a", ALL, 0, -1, PAGE)
                    .copy("b", "a", ALL, -1, 0x100000, PAGE)
                    .copy(number(77), value("a"), ALL, 0, 0x100000, PAGE)
                    .copy(value("b"), number(77), ALL, 0, 0x100000, PAGE)
                    .copy("b", "a", ALL, 0, 0x100000, 0)
                    .copy("b", "a", ALL, 0, -PAGE, 2 * PAGE)
                    .copy("b", "a", ALL, 0, 0xff000, PAGE)
                    .copy("b", "a", ALL, 0, 0x100000, 0x11000)
                    .copy("b", "a", ALL, 0x5000, 0x100000, 0x10000)
                    .copy("b", "a", ALL, 0x5000, 0x100000, PAGE)
                    .copy("b", "a", READ, 0, 0x102000, 3 * PAGE)
                    .copy("b", "a", ALL, 0x100001, 0x102001, 5)
                    .copy("a", "a", ALL, 0, 0x100000, 0x10000)
                    .unmap("a", 0x100000, 0x10000)
                    .unmap("a", 0, -1)
                    .unmap("b", 0, -1)),
        sequence(
            "ioas-copy-attached",
            s ->
                s.attached()
                    .ioas("a")
                    .memory("m", MIB)
                    .map("a", memory("m"), 0x100000, 4 * PAGE)
                    .map("a", FIXED | READ, memory("m", 8 * PAGE), 4 * PAGE, 0x104000)
                    .pinned()
                    .copy("s", "a", FIXED | READ, 0x200000, 0x100000, 8 * PAGE)
                    .pinned()
                    .copy("s", "a", ALL, 0x300000, 0x102000, 4 * PAGE)
                    .copy("s", "a", ALL, 0x300000, 0x101000, 2 * PAGE)
                    .copy("s", "s", ALL, 0x400000, 0x201000, PAGE)
                    .pinned()
                    .unmap("s", 0x200000, 8 * PAGE)
                    .pinned()
                    .copy("s", "a", ALL, 0xfee00000L, 0x100000, PAGE)
                    .copy("s", "a", ALL, 0x500800, 0x100800, PAGE)
                    .copy("s", "a", ALL, 0x500000, 0x100800, PAGE)
                    .unmap("s", 0, -1)
                    .pinned()));
  }

  private static List<Sequence> options() {
    return List.of(
        sequence(
            "iommufd-options",
            s ->
                s.iommufd("f")
                    .option(2, IOMMU_OPTION_OP_GET, NONE, 0)
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 1, NONE, 0)
                    .option(IOMMU_OPTION_RLIMIT_MODE, 2, NONE, 0)
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, number(1), 0)
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, NONE, 7)
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, NONE, 2)
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, NONE, 1)
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, NONE, 7)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET, number(1), 7)
                    .ioas("s")
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, NONE, 0)
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, NONE, 2)
                    .destroy(value("s"))
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, NONE, 0)),
        sequence(
            "ioas-small-pages",
            s ->
                s.iommufd("f")
                    .ioas("s")
                    .memory("m", MIB)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET, value("s"), 7)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, value("s"), 2)
                    .option(IOMMU_OPTION_HUGE_PAGES, 2, value("s"), 0)
                    .map("s", memory("m", 5), 5, 7)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, value("s"), 0)
                    .unmap("s", 5, 7)
                    .map("s", memory("m"), 0, PAGE)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, value("s"), 0)
                    .ranges("s", 0, NONE)
                    .map("s", memory("m", 5), 0x10005, 7)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET, value("s"), 7)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, value("s"), 1)
                    .ranges("s", 0, NONE)
                    .node("d", 0)
                    .bind("d", "f", "dev")
                    .attach("d", "s")
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, value("s"), 0)
                    .unmap("s", 0, PAGE)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, value("s"), 0)
                    .map("s", memory("m"), 0, PAGE)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, value("s"), 0)
                    .option(IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, value("s"), 1)),
        sequence(
            "iommufd-vfio-ioas",
            s ->
                s.iommufd("f")
                    .vfioIoas(IOMMU_VFIO_IOAS_GET, NONE)
                    .vfioIoas(IOMMU_VFIO_IOAS_GET, 1, NONE)
                    .vfioIoas(3, NONE)
                    .vfioIoas(IOMMU_VFIO_IOAS_SET, number(1))
                    .vfioIoas(IOMMU_VFIO_IOAS_CLEAR, NONE)
                    .ioas("s")
                    .ioas("t")
                    .vfioIoas(IOMMU_VFIO_IOAS_SET, value("t"))
                    .vfioIoas(IOMMU_VFIO_IOAS_GET, NONE)
                    .destroy(value("t"))
                    .vfioIoas(IOMMU_VFIO_IOAS_GET, NONE)
                    .vfioIoas(IOMMU_VFIO_IOAS_SET, value("s"))
                    .vfioIoas(IOMMU_VFIO_IOAS_CLEAR, NONE)
                    .vfioIoas(IOMMU_VFIO_IOAS_GET, NONE)));
  }

  private static List<Sequence> devices() {
    return List.of(
        sequence(
            "node-before-bind",
            s -> {
              s.iommufd("f").node("d", 0);
              List.of(
                      Vfio.VFIO_DEVICE_GET_INFO,
                      Vfio.VFIO_DEVICE_GET_REGION_INFO,
                      Vfio.VFIO_DEVICE_GET_IRQ_INFO,
                      Vfio.VFIO_DEVICE_RESET,
                      Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT,
                      Vfio.VFIO_DEVICE_DETACH_IOMMUFD_PT,
                      Vfio.VFIO_DEVICE_BIND_IOMMUFD,
                      Vfio.VFIO_GET_API_VERSION,
                      new Ioctl("unknown", ';', 0xff))
                  .forEach(command -> s.then(o -> o.badAddress("d", command)));
              s.detach("d")
                  .attach("d", number(1), 12, 0)
                  .then(
                      o ->
                          o.deviceInfo("d", 24)
                              .readAt("d", 7L << 40, 4)
                              .readAt("d", 0, 0)
                              .writeAt("d", 0, "00")
                              .mapDeviceAt("b", "d", 0, PAGE, Kernel.MAP_SHARED));
            }),
        sequence(
            "node-bind-arguments",
            s ->
                s.iommufd("f")
                    .node("d", 0)
                    .bind("d", 15, 0, new Operand.Descriptor("f"))
                    .bind("d", 0, 0, new Operand.Descriptor("f"))
                    .bind("d", 16, 1, new Operand.Descriptor("f"))
                    .bind("d", 16, 0, number(-1))
                    .bind("d", 16, 0, number(100_000))
                    .bind("d", 16, 0, new Operand.Descriptor("d"))
                    .then(o -> o.container("c"))
                    .bind("d", 16, 0, new Operand.Descriptor("c"))
                    .bind("d", 64, 0, new Operand.Descriptor("f"))
                    .bind("d", "f", "again")
                    .bind("d", 16, 0, number(100_000))
                    .bind("d", 15, 0, number(-1))
                    .then(o -> o.badAddress("d", Vfio.VFIO_DEVICE_BIND_IOMMUFD))),
        sequence(
            "node-bind-and-close",
            s ->
                s.iommufd("f")
                    .node("d", 0)
                    .node("twin", 0)
                    .bind("d", "f", "dev")
                    .bind("twin", "f", "dev2")
                    .then(o -> o.deviceInfo("twin", 24).deviceInfo("d", 24))
                    .destroy(value("dev"))
                    .close("d")
                    .destroy(value("dev"))
                    .bind("twin", "f", "dev")
                    .node("d", 0)
                    .bind("d", "f", "dev2")
                    .then(o -> o.deviceInfo("twin", 24))),
        sequence(
            "node-outlives-its-iommufd",
            s ->
                s.attached()
                    .close("f")
                    .then(o -> o.deviceInfo("d", 24))
                    .attach("d", "s")
                    .detach("d")
                    .attach("d", "s")
                    .iommufd("f")
                    .node("twin", 0)
                    .bind("twin", "f", "dev2")
                    .close("d")
                    .bind("twin", "f", "dev2")
                    .attach("twin", "s")),
        sequence(
            "node-against-group",
            s ->
                s.iommufd("f")
                    .node("d", 0)
                    .then(o -> o.group("g0", 0))
                    .bind("d", "f", "dev")
                    .then(o -> o.status("g0").close("g0"))
                    .bind("d", "f", "dev")
                    .then(o -> o.group("g0", 0).group("g1", 1))
                    .close("d")
                    .then(o -> o.group("g0", 0).status("g0"))
                    .node("d", 0)
                    .bind("d", "f", "dev")),
        sequence(
            "node-is-a-device",
            s ->
                s.attached()
                    .then(
                        o ->
                            o.deviceInfo("d", 24)
                                .regionInfo("d", 0, 64)
                                .irqInfo("d", 2, 16)
                                .region("d", CONFIG, "config")
                                .read("d", "config", 0, 4)
                                .read("d", "config", 4, 2)
                                .write("d", "config", 4, "0600")
                                .read("d", "config", 4, 2)
                                .region("d", 0, "bar")
                                .read("d", "bar", 8, 4)
                                .mapDevice("b", "d", "bar", 0, PAGE, Kernel.MAP_SHARED)
                                .load("b", 8)
                                .reset("d"))
                    .close("d")
                    .node("twin", 0)
                    .bind("twin", "f", "dev2")
                    .then(o -> o.unmapDevice("b"))
                    .bind("twin", "f", "dev2")),
        sequence(
            "group-device-is-bound",
            s ->
                s.iommufd("f")
                    .then(o -> o.readyDevice(Vfio.VFIO_TYPE1v2_IOMMU))
                    .bind("d0", "f", "dev")
                    .bind("d0", 15, 0, NONE)
                    .attach("d0", number(1), 12, 0)
                    .detach("d0")
                    .then(o -> o.badAddress("d0", Vfio.VFIO_DEVICE_BIND_IOMMUFD))),
        sequence(
            "node-attach-arguments",
            s ->
                s.bound()
                    .ioas("s")
                    .attach("d", value("s"), 11, 0)
                    .attach("d", value("s"), 12, 1)
                    .attach("d", number(77), 12, 0)
                    .attach("d", value("dev"), 12, 0)
                    .then(
                        o ->
                            o.badAddress("d", Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT)
                                .badAddress("d", Vfio.VFIO_DEVICE_DETACH_IOMMUFD_PT))
                    .detach("d", 7, 0)
                    .detach("d", 8, 1)
                    .detach("d")
                    .attach("d", value("s"), 64, 0)
                    .detach("d", 64, 0)
                    .detach("d")),
        sequence(
            "node-attach-and-replace",
            s ->
                s.bound()
                    .ioas("a")
                    .ioas("b")
                    .attachAs("ta", "d", "a")
                    .attach("d", "a")
                    .attach("d", "ta")
                    .destroy(value("a"))
                    .destroy(value("ta"))
                    .attachAs("tb", "d", "b")
                    .destroy(value("ta"))
                    .destroy(value("a"))
                    .attach("d", value("a"), 12, 0)
                    .detach("d")
                    .destroy(value("tb"))
                    .destroy(value("b"))
                    .destroy(value("dev"))),
        sequence(
            "node-attach-two-devices",
            s ->
                s.attached()
                    .node("e", 1)
                    .bind("e", "f", "dev1")
                    .attachAs("t1", "e", "s")
                    .memory("m", MIB)
                    .map("s", memory("m"), 0, MIB)
                    .pinned()
                    .ioas("o")
                    .attach("d", "o")
                    .pinned()
                    .detach("e")
                    .pinned()
                    .attach("e", "o")
                    .attach("d", "s")
                    .pinned()
                    .close("d")
                    .pinned()),
        sequence(
            "node-attach-refused",
            s ->
                s.bound()
                    .memory("m", MIB)
                    .ioas("byte")
                    .map("byte", memory("m", 5), 5, 7)
                    .attach("d", "byte")
                    .ioas("msi")
                    .map("msi", memory("m"), 0xfee00000L, PAGE)
                    .attach("d", "msi")
                    .ioas("high")
                    .map("high", memory("m"), 1L << 48, PAGE)
                    .attach("d", "high")
                    .ioas("bad")
                    .map("bad", BAD_MEMORY, 0x1008, 0x8)
                    .attach("d", "bad")
                    .unmap("bad", 0, -1)
                    .map("bad", NONE, 0x1000, PAGE)
                    .attach("d", "bad")
                    .ranges("bad", 0, NONE)
                    .ioas("s")
                    .attach("d", "s")
                    .attach("d", "byte")
                    .attach("d", "msi")
                    .attach("d", "high")
                    .attach("d", "bad")
                    .detach("d")
                    .ranges("s", 0, NONE)
                    .attach("d", "s")));
  }

  private static List<Sequence> tables() {
    int track = Iommufd.IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
    int parent = Iommufd.IOMMU_HWPT_ALLOC_NEST_PARENT;
    return List.of(
        sequence(
            "hwpt-alloc-arguments",
            s ->
                s.bound()
                    .ioas("s")
                    .table("t", 0, 1, value("dev"), value("s"), 0, 0)
                    .table("t", 0, 0, value("dev"), value("s"), 0, 8)
                    .table("t", 0, 0, value("dev"), value("s"), 1, 0)
                    .table("t", 0, 0, value("dev"), value("s"), 1, 8)
                    .table("t", 0, 0, number(77), value("s"), 0, 0)
                    .table("t", 0, 0, value("s"), value("s"), 0, 0)
                    .table("t", 0, 0, value("dev"), number(77), 0, 0)
                    .table("t", 0, 0, value("dev"), value("dev"), 0, 0)
                    .table("t", parent, "dev", "s")
                    .table("t", track, "dev", "s")
                    .table("t", 4, "dev", "s")
                    .table("t", 8, "dev", "s")
                    .table("t", 1 << 31, "dev", "s")
                    .table("t", 0, "dev", "s")
                    .table("n", 0, "dev", "t")
                    .table("n", 0, 0, value("dev"), value("t"), 1, 8)
                    .table("n", 4, 0, value("dev"), value("t"), 1, 8)
                    .table("n", 2, 0, value("dev"), value("t"), 1, 8)),
        sequence(
            "hwpt-life",
            s ->
                s.bound()
                    .ioas("s")
                    .memory("m", MIB)
                    .map("s", memory("m"), 0x100000, MIB)
                    .pinned()
                    .table("t", 0, "dev", "s")
                    .pinned()
                    .ranges("s", 4, memory("m"))
                    .destroy(value("s"))
                    .attach("d", "s")
                    .attachAs("x", "d", "t")
                    .ranges("s", 4, memory("m"))
                    .destroy(value("t"))
                    .attachAs("auto", "d", "s")
                    .destroy(value("t"))
                    .pinned()
                    .table("t", 0, "dev", "s")
                    .attach("d", "t")
                    .destroy(value("auto"))
                    .detach("d")
                    .pinned()
                    .destroy(value("t"))
                    .pinned()
                    .unmap("s", 0, -1)
                    .destroy(value("s"))),
        sequence(
            "hwpt-refused",
            s ->
                s.bound()
                    .ioas("s")
                    .memory("m", MIB)
                    .map("s", memory("m", 1), 1, 1)
                    .table("t", 0, "dev", "s")
                    .unmap("s", 1, 1)
                    .map("s", NONE, 0, PAGE)
                    .table("t", 0, "dev", "s")
                    .unmap("s", 0, PAGE)
                    .map("s", memory("m"), 1L << 48, PAGE)
                    .table("t", 0, "dev", "s")
                    .unmap("s", 0, -1)
                    .map("s", memory("m"), 0xfee00000L, PAGE)
                    .table("t", 0, "dev", "s")
                    .attach("d", "t")
                    .unmap("s", 0, -1)
                    .attach("d", "t")),
        sequence(
            "hwpt-hardware-info",
            s ->
                s.bound()
                    .memory("m", MIB)
                    .then(o -> o.store("m", 0, number(-1), number(-1), number(-1), number(-1)))
                    .hardware(value("dev"), 1, 0, NONE, 40)
                    .hardware(number(77), 0, 0, NONE, 40)
                    .hardware(value("dev"), 0, 0, NONE, 40)
                    .hardware(value("dev"), 0, 0, BAD_MEMORY, 40)
                    .hardware(value("dev"), 0, 4, BAD_MEMORY, 40)
                    .hardware(value("dev"), 0, 10, memory("m"), 40)
                    .then(o -> o.look("m", 0, 32))
                    .hardware(value("dev"), 0, 28, memory("m"), 40)
                    .then(o -> o.look("m", 0, 32))
                    .hardware(value("dev"), 0, 24, memory("m"), 32)),
        sequence(
            "hwpt-dirty-pages",
            s ->
                s.attached()
                    .memory("m", MIB)
                    .map("s", memory("m"), 0, 16 * PAGE)
                    .track(value("t"), 1)
                    .track(value("t"), 0)
                    .track(value("t"), 2)
                    .track(value("s"), 1)
                    .track(number(77), 1)
                    .dirty(value("t"), 2, 0, 0, PAGE, PAGE, memory("m"))
                    .dirty(value("t"), 0, 1, 0, PAGE, PAGE, memory("m"))
                    .dirty(value("s"), 0, 0, 0, PAGE, PAGE, memory("m"))
                    .dirty(value("t"), 0, 0, 0, 0, PAGE, memory("m"))
                    .dirty(value("t"), 0, 0, -PAGE, 2 * PAGE, PAGE, memory("m"))
                    .dirty(value("t"), 0, 0, 1, PAGE, PAGE, memory("m"))
                    .dirty(value("t"), 0, 0, 0, 5, PAGE, memory("m"))
                    .dirty(value("t"), 0, 0, 0, PAGE, 0, memory("m"))
                    .dirty(value("t"), 0, 0, PAGE, PAGE, 2 * PAGE, memory("m"))
                    .dirty(value("t"), 0, 0, 0, PAGE, PAGE, memory("m"))
                    .dirty(value("t"), 1, 0, 0, 16 * PAGE, PAGE, memory("m"))));
  }

  private static List<Sequence> containers() {
    return List.of(
        sequence(
            "iommufd-as-container-without-group",
            s -> {
              s.iommufd("f");
              s.then(
                  o -> {
                    o.command("f", Vfio.VFIO_GET_API_VERSION);
                    for (int extension = 0; extension <= 12; extension++) {
                      o.check("f", extension).setIommu("f", extension);
                    }
                    o.type1Info("f", 24)
                        .type1Info("f", 8)
                        .memory("m", MIB)
                        .map("f", memory("m"), NONE, PAGE, 3, 32)
                        .map("f", memory("m"), NONE, PAGE, 8, 32)
                        .unmap("f", NONE, PAGE, 0, 24)
                        .unmap("f", NONE, PAGE, 1, 24);
                  });
              s.ioas("s").vfioIoas(IOMMU_VFIO_IOAS_SET, value("s"));
              s.then(
                  o -> {
                    o.check("f", 4);
                    for (int type = 0; type <= 12; type++) {
                      o.setIommu("f", type);
                    }
                    o.type1Info("f", 512)
                        .memory("n", MIB)
                        .map("f", memory("n"), NONE, PAGE, 3, 32)
                        .map("f", memory("n"), number(0x100000), PAGE, 0, 32)
                        .unmap("f", NONE, MIB, 0, 24)
                        .unmap("f", NONE, 2 * MIB, 0, 24);
                  });
            }),
        sequence(
            "iommufd-as-container-and-nodes",
            s ->
                s.iommufd("f")
                    .then(o -> o.group("g0", 0).setContainer("g0", "f").status("g0"))
                    .vfioIoas(IOMMU_VFIO_IOAS_GET, NONE)
                    .then(o -> o.setContainer("g0", "f").check("f", 4))
                    .then(o -> o.setIommu("f", Vfio.VFIO_TYPE1v2_IOMMU).device("d0", "g0", 0))
                    .then(o -> o.check("f", 4).type1Info("f", 512))
                    .destroy(number(1))
                    .destroy(number(2))
                    .destroy(number(3))
                    .node("e", 1)
                    .bind("e", "f", "dev1")
                    .attach("e", number(1), 12, 0)
                    .then(o -> o.group("g1", 1).unsetContainer("g0").unsetContainer("g0"))
                    .then(o -> o.status("g0").deviceInfo("d0", 24))
                    .then(o -> o.container("c").setContainer("g0", "c").status("g0"))
                    .then(o -> o.close("d0").setContainer("g0", "c").status("g0"))),
        sequence(
            "iommufd-as-container-without-its-ioas",
            s ->
                s.iommufd("f")
                    .then(o -> o.group("g0", 0).setContainer("g0", "f"))
                    .vfioIoas(IOMMU_VFIO_IOAS_CLEAR, NONE)
                    .then(o -> o.setIommu("f", 3).device("d0", "g0", 0))
                    .destroy(number(1))
                    .ioas("s")
                    .memory("m", MIB)
                    .map("s", memory("m"), 0xfee00000L, PAGE)
                    .vfioIoas(IOMMU_VFIO_IOAS_SET, value("s"))
                    .then(o -> o.setIommu("f", 3).device("d0", "g0", 0))
                    .unmap("s", 0, -1)
                    .then(o -> o.device("d0", "g0", 0).device("twin", "g0", 0))
                    .then(o -> o.close("d0").deviceInfo("twin", 24))
                    .destroy(value("s"))),
        sequence(
            "iommufd-as-container-two-iommufds",
            s ->
                s.iommufd("f")
                    .iommufd("e")
                    .then(
                        o ->
                            o.group("g0", 0)
                                .group("g1", 1)
                                .setContainer("g0", "f")
                                .setContainer("g1", "e")
                                .setContainer("g1", "f")
                                .device("d0", "g0", 0)
                                .device("d1", "g1", 1)
                                .close("f")
                                .close("e")
                                .deviceInfo("d0", 24)
                                .status("g1")
                                .close("g1")
                                .group("g1", 1))),
        sequence(
            "iommufd-as-container-parts-of-mappings",
            s ->
                s.iommufd("f")
                    .then(
                        o ->
                            o.group("g0", 0)
                                .setContainer("g0", "f")
                                .setIommu("f", Vfio.VFIO_TYPE1_IOMMU)
                                .setIommu("f", Vfio.VFIO_TYPE1v2_IOMMU)
                                .device("d0", "g0", 0)
                                .memory("m", MIB)
                                .map("f", memory("m"), number(0x100000), 8 * PAGE, 3, 32)
                                .pinned()
                                .unmap("f", number(0x102000), PAGE, 0, 24)
                                .pinned()
                                .unmap("f", number(0x102800), PAGE, 0, 24)
                                .unmap("f", number(0x103800), PAGE, 0, 24)
                                .unmap("f", number(0x100000), PAGE, 0, 24)
                                .unmap("f", number(0x106000), 16 * PAGE, 0, 24)
                                .unmap("f", number(0x104000), 0, 0, 24)
                                .pinned()
                                .setIommu("f", Vfio.VFIO_TYPE1_IOMMU)
                                .unmap("f", NONE, 0, 2, 24)
                                .pinned())));
  }

  /** A device that no IOMMU covers. */
  static List<Sequence> unprotected() {
    return List.of(
        sequence(
            "noiommu-container",
            s ->
                s.then(
                    o -> {
                      o.container("c")
                          .check("c", Vfio.VFIO_NOIOMMU_IOMMU)
                          .open("n", "/dev/vfio/noiommu-{n0}")
                          .open("again", "/dev/vfio/noiommu-{n0}")
                          .status("n")
                          .setContainer("n", "c")
                          .status("n")
                          .device("d", "n", "{u0}");
                      for (int type = 0; type <= 12; type++) {
                        o.check("c", type);
                      }
                      for (int type = 0; type <= 12; type++) {
                        o.setIommu("c", type);
                      }
                      o.type1Info("c", 64)
                          .memory("m", MIB)
                          .map(memory("m"), 0, PAGE)
                          .unmap(0, PAGE)
                          .enable("c")
                          .command("c", Vfio.VFIO_GET_API_VERSION)
                          .check("c", 8)
                          .check("c", 1)
                          .command("c", new Ioctl("unknown", ';', 0xff))
                          .device("d", "n", "{u0}")
                          .deviceInfo("d", 24)
                          .unsetContainer("n")
                          .close("d")
                          .unsetContainer("n");
                    })),
        sequence(
            "noiommu-among-others",
            s ->
                s.then(
                    o ->
                        o.attached()
                            .open("n", "/dev/vfio/noiommu-{n0}")
                            .setContainer("n", "c")
                            .setIommu("c", Vfio.VFIO_NOIOMMU_IOMMU)
                            .unsetContainer("g0")
                            .setContainer("n", "c")
                            .setContainer("g0", "c")
                            .setIommu("c", Vfio.VFIO_TYPE1_IOMMU)
                            .setIommu("c", Vfio.VFIO_NOIOMMU_IOMMU)
                            .setContainer("g0", "c"))),
        sequence(
            "noiommu-has-no-node",
            s -> s.then(o -> o.open("d", "/dev/vfio/devices/vfio2").open("n", "/dev/vfio/{n0}"))),
        sequence(
            "noiommu-on-iommufd",
            s -> {
              s.iommufd("f")
                  .then(
                      o ->
                          o.open("n", "/dev/vfio/noiommu-{n0}")
                              .setContainer("n", "f")
                              .status("n")
                              .group("g0", 0)
                              .setContainer("g0", "f"));
              s.then(
                  o -> {
                    for (int type = 0; type <= 12; type++) {
                      o.check("f", type).setIommu("f", type);
                    }
                    o.type1Info("f", 64)
                        .memory("m", MIB)
                        .map("f", memory("m"), NONE, PAGE, 3, 32)
                        .unmap("f", NONE, PAGE, 0, 24);
                  });
              s.ioas("s")
                  .vfioIoas(IOMMU_VFIO_IOAS_SET, value("s"))
                  .then(o -> o.device("d", "n", "{u0}"))
                  .vfioIoas(IOMMU_VFIO_IOAS_CLEAR, NONE)
                  .then(o -> o.device("d", "n", "{u0}").deviceInfo("d", 24))
                  .bind("d", "f", "dev")
                  .then(o -> o.unsetContainer("n").deviceInfo("d", 24).close("d").status("n"));
            }),
        sequence(
            "noiommu-after-an-ioas",
            s ->
                s.iommufd("f")
                    .ioas("s")
                    .vfioIoas(IOMMU_VFIO_IOAS_SET, value("s"))
                    .then(o -> o.open("n", "/dev/vfio/noiommu-{n0}").setContainer("n", "f"))));
  }

  /**
   * The same steps with an iommufd in the place of each container. What they say of the container
   * stays as it is; the kernel's answers are what differs.
   */
  static List<Sequence> onIommufd(List<Sequence> sequences) {
    return sequences.stream()
        .map(
            sequence ->
                new Sequence(
                    "iommufd-" + sequence.name(),
                    sequence.steps().stream().map(IommufdSequences::onIommufd).toList()))
        .toList();
  }

  private static Step onIommufd(Step step) {
    return step instanceof Step.Open(String file, String path, int flags)
            && path.equals("/dev/vfio/vfio")
        ? new Step.Open(file, "/dev/iommu", flags)
        : step;
  }

  /** What a user without capabilities gets who may lock 64 KiB. */
  static List<Sequence> unprivileged() {
    return List.of(
        sequence(
            "iommufd-limit-of-the-user",
            s ->
                s.attached()
                    .memory("m", MIB)
                    .map("s", memory("m"), 0, 0x20000)
                    .map("s", memory("m"), 0, 0x11000)
                    .map("s", memory("m"), 0, 0x10000)
                    .pinned()
                    .map("s", memory("m"), MIB, PAGE)
                    .copy("s", "s", ALL, MIB, 0, PAGE)
                    .map("s", NONE, MIB, 0x20000)
                    .unmap("s", 0, 0x10000)
                    .map("s", memory("m"), 2 * MIB, PAGE)
                    .unmap("s", 0, -1)
                    .map("s", memory("m"), 0, 0x10000)
                    .detach("d")
                    .map("s", memory("m"), MIB, 0x20000)
                    .pinned()
                    .attach("d", "s")
                    .unmap("s", MIB, 0x20000)
                    .attach("d", "s")
                    .pinned()),
        sequence(
            "iommufd-limit-mode",
            s ->
                s.iommufd("f")
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, NONE, 1)
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, NONE, 7)
                    .ioas("s")
                    .option(IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, NONE, 2)),
        sequence(
            "iommufd-limit-beside-a-container",
            s ->
                s.attached()
                    .then(
                        o ->
                            o.container("c")
                                .group("g1", 1)
                                .setContainer("g1", "c")
                                .setIommu("c", Vfio.VFIO_TYPE1v2_IOMMU)
                                .memory("m", MIB)
                                .map(memory("m"), 0, 0x10000))
                    .map("s", memory("m"), 0, 0x10000)
                    .then(o -> o.map(memory("m"), MIB, PAGE))
                    .map("s", memory("m"), MIB, PAGE)),
        sequence(
            "noiommu-needs-rights",
            s -> s.then(o -> o.open("n", "/dev/vfio/noiommu-{n0}").container("c").check("c", 8))));
  }
}
