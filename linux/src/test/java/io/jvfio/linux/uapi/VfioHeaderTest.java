// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.CCompiler.Comparison;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.PaddingLayout;
import java.lang.foreign.StructLayout;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Every struct layout, constant and ioctl number, compiled against the C headers of this machine
 * and of powerpc64le.
 */
class VfioHeaderTest {
  private static final List<String> HEADERS =
      List.of(
          "stddef.h",
          "linux/vfio.h",
          "linux/iommufd.h",
          "linux/pci_regs.h",
          "linux/fcntl.h",
          "linux/falloc.h",
          "linux/stat.h",
          "linux/io_uring.h",
          "linux/mman.h",
          "linux/memfd.h",
          "linux/resource.h",
          "asm/unistd.h",
          "asm/socket.h",
          "linux/eventpoll.h",
          "sys/eventfd.h",
          "unistd.h");

  /**
   * Structs that older headers end earlier, or newer ones later: the kernel reads as much as argsz
   * says.
   */
  private static final Map<String, Long> OTHER_SIZES =
      Map.of(
          "vfio_device_info", 20L,
          "vfio_device_bind_iommufd", 24L,
          "vfio_device_attach_iommufd_pt", 16L,
          "vfio_device_detach_iommufd_pt", 12L);

  /** Names that newer headers have no more: 6.18 and later reserve the nesting type. */
  private static final List<String> GONE = List.of("VFIO_TYPE1_NESTING_IOMMU");

  /** Names that the headers of an older distribution lack: what came with 6.2 and later. */
  private static final Pattern NEW =
      Pattern.compile(
          ".*(IOMMU_(DESTROY|IOAS|OPTION|VFIO_IOAS|HWPT|GET_HW|HW_)|struct iommu_|IOMMUFD|iommufd"
              + "|feature_dma_buf|FEATURE_DMA_BUF|region_dma_range|mig_data_size|MIG_DATA_SIZE"
              + "|precopy_info|PRECOPY_INFO|PRE_COPY|HOT_RESET_FLAG_DEV_ID|PCI_DEVID_"
              + "|PCI_EXT_CAP_ID_PL_32GT|PCI_PASID_CAP_WIDTH|PCI_PTM_CAP_RES).*");

  /** What the kernel's own headers keep to themselves: only libc tells programs of it. */
  private static final Set<String> OF_LIBC = Set.of("AF_UNIX", "SOCK_STREAM");

  /** Where newer headers are: a directory with linux/iommufd.h. */
  private static final String NEWER_HEADERS = System.getenv("JVFIO_UAPI_HEADERS");

  @Test
  void theHeadersOfThisMachineAgree() throws Exception {
    assertAgreement(CCompiler.require("gcc", "gcc linux-libc-dev"), Architecture.current(), true);
  }

  @Test
  void theHeadersOfPowerAgree() throws Exception {
    assertAgreement(
        CCompiler.require(
            "powerpc64le-linux-gnu-gcc", "gcc-powerpc64le-linux-gnu linux-libc-dev-ppc64el-cross"),
        Architecture.PPC64LE,
        true);
  }

  @Test
  void newerHeadersAgreeAndHaveAllOfIommufd() throws Exception {
    assertAgreement(newer("gcc", "gcc", "x86_64-linux-gnu"), Architecture.X86_64, false);
    assertAgreement(
        newer("powerpc64le-linux-gnu-gcc", "gcc-powerpc64le-linux-gnu", "powerpc64le-linux-gnu"),
        Architecture.PPC64LE,
        false);
  }

  /** The names that they need not have a compiler for: types are as wide there as here. */
  @Test
  void newerHeadersOfTheOtherArchitecturesAgree() throws Exception {
    assertAgreement(newer("gcc", "gcc", "aarch64-linux-gnu"), Architecture.AARCH64, false);
    assertAgreement(newer("gcc", "gcc", "riscv64-linux-gnu"), Architecture.RISCV64, false);
  }

  private static CCompiler newer(String command, String packages, String triplet) {
    var compiler = CCompiler.require(command, packages);
    if (NEWER_HEADERS == null) {
      var missing = "JVFIO_UAPI_HEADERS is not set; lab/headers prints what to set it to";
      return "true".equals(System.getenv("CI")) ? fail(missing) : abort(missing);
    }
    return compiler.withHeaders(Path.of(NEWER_HEADERS), triplet);
  }

  @Test
  void aWrongRowIsNamedAndAnUnknownNameIsNotCountedAsCompared() throws Exception {
    var compiler = CCompiler.require("gcc", "gcc linux-libc-dev");
    var comparison =
        compiler.compare(
            HEADERS,
            List.of(
                HeaderRow.equal("VFIO_TYPE1_IOMMU", 1),
                HeaderRow.equal("VFIO_SPAPR_TCE_IOMMU", 3),
                HeaderRow.equal("offsetof(struct vfio_irq_info, count)", 8),
                HeaderRow.equal("offsetof(struct vfio_irq_info, misspelt)", 8),
                HeaderRow.equal("sizeof(struct vfio_of_the_future)", 8),
                HeaderRow.equal("VFIO_OF_THE_FUTURE", 8)));

    assertThat(comparison.different())
        .hasSize(3)
        .anyMatch(row -> row.startsWith("VFIO_SPAPR_TCE_IOMMU: 0x3 here"))
        .anyMatch(row -> row.startsWith("offsetof(struct vfio_irq_info, count): 0x8 here"))
        .anyMatch(row -> row.startsWith("offsetof(struct vfio_irq_info, misspelt): 0x8 here"));
    assertThat(comparison.absent())
        .containsExactly("sizeof(struct vfio_of_the_future)", "VFIO_OF_THE_FUTURE");
    assertThat(comparison.compared()).contains("VFIO_TYPE1_IOMMU");
  }

  @Test
  void everyCommandIsListed() throws Exception {
    var declared = new ArrayList<Ioctl>();
    for (var field : constants()) {
      if (field.getType() == Ioctl.class) {
        var command = (Ioctl) field.get(null);
        assertThat(command.name()).isEqualTo(field.getName());
        declared.add(command);
      }
    }
    assertThat(commands()).containsExactlyInAnyOrderElementsOf(declared);
  }

  private static void assertAgreement(
      CCompiler compiler, Architecture architecture, boolean mayBeOld) throws Exception {
    var rows = new ArrayList<HeaderRow>();
    rows.addAll(structRows());
    rows.addAll(constantRows());
    rows.addAll(registerRows());
    rows.addAll(commandRows(architecture));
    rows.addAll(kernelRows(architecture));

    Comparison comparison = compiler.compare(HEADERS, rows);
    System.out.printf(
        "%s: %d rows compared, %d skipped because its headers lack them%n",
        compiler, comparison.compared().size(), comparison.absent().size());

    assertThat(comparison.different()).isEmpty();
    assertThat(comparison.absent())
        .allMatch(name -> GONE.contains(name) || (mayBeOld && NEW.matcher(name).matches()));
    assertThat(comparison.compared()).hasSizeGreaterThanOrEqualTo(400);
  }

  private static List<HeaderRow> structRows() throws Exception {
    var rows = new ArrayList<HeaderRow>();
    for (var layout : layouts()) {
      var struct = layout.name().orElseThrow();
      var size = HeaderRow.equal("sizeof(struct " + struct + ")", layout.byteSize());
      var otherSize = OTHER_SIZES.get(struct);
      rows.add(
          otherSize == null
              ? size
              : new HeaderRow(
                  size.name(),
                  size.condition()
                      + " || "
                      + HeaderRow.equal("sizeof(struct " + struct + ")", otherSize).condition(),
                  size.expected()));
      addFields(rows, struct, "", 0, layout);
    }
    return rows;
  }

  private static void addFields(
      List<HeaderRow> rows, String struct, String prefix, long start, GroupLayout layout) {
    long offset = start;
    for (MemoryLayout member : layout.memberLayouts()) {
      if (!(member instanceof PaddingLayout)) {
        var field = prefix + member.name().orElseThrow();
        rows.add(HeaderRow.equal("offsetof(struct " + struct + ", " + field + ")", offset));
        rows.add(
            HeaderRow.equal(
                "sizeof(((struct " + struct + " *)0)->" + field + ")", member.byteSize()));
        if (member instanceof GroupLayout group) {
          addFields(rows, struct, field + ".", offset, group);
        }
      }
      offset += member.byteSize();
    }
  }

  private static List<StructLayout> layouts() throws Exception {
    var classes =
        Path.of(Vfio.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            .resolve(Vfio.class.getPackageName().replace('.', '/'));
    var layouts = new ArrayList<StructLayout>();
    try (var files = Files.list(classes)) {
      for (var file : files.sorted().toList()) {
        var name = file.getFileName().toString().replace(".class", "");
        var type = Class.forName(Vfio.class.getPackageName() + "." + name);
        for (var field : type.getFields()) {
          if (field.getType() == Struct.class) {
            layouts.add(((Struct) field.get(null)).layout());
          }
        }
      }
    }
    return layouts;
  }

  private static List<Field> constants() {
    return Stream.of(Vfio.class, Iommufd.class, Statx.class, Uring.class)
        .flatMap(type -> Arrays.stream(type.getFields()))
        .toList();
  }

  private static List<Ioctl> commands() {
    return Stream.of(Vfio.COMMANDS, Iommufd.COMMANDS).flatMap(List::stream).toList();
  }

  private static List<HeaderRow> constantRows() throws Exception {
    var rows = new ArrayList<HeaderRow>();
    for (var field : constants()) {
      if (field.getType() == int.class && Modifier.isStatic(field.getModifiers())) {
        rows.add(HeaderRow.equal(field.getName(), field.getInt(null)));
      }
    }
    return rows;
  }

  /** By 32 bits, as wide as the registers are: C makes the masks of addresses as wide as a long. */
  private static List<HeaderRow> registerRows() throws Exception {
    var rows = new ArrayList<HeaderRow>();
    for (var field : PciRegs.class.getFields()) {
      rows.add(
          HeaderRow.equal(
              field.getName(),
              "(unsigned int)" + field.getName(),
              Integer.toUnsignedLong(field.getInt(null))));
    }
    return rows;
  }

  private static List<HeaderRow> commandRows(Architecture architecture) {
    return commands().stream()
        .map(command -> HeaderRow.equal(command.name(), command.requestNumber(architecture)))
        .toList();
  }

  private static List<HeaderRow> kernelRows(Architecture architecture) throws Exception {
    var rows = new ArrayList<HeaderRow>();
    for (var field : Kernel.class.getFields()) {
      if (field.getType() == int.class && !OF_LIBC.contains(field.getName())) {
        int value = field.getInt(null);
        rows.add(
            HeaderRow.equal(
                field.getName(),
                Integer.toUnsignedLong(
                    field.getName().startsWith("O_")
                        ? architecture.openFlags(value)
                        : field.getName().startsWith("SO_")
                            ? architecture.socketOption(value)
                            : value)));
      }
    }
    // Not part of the interface, so by value: what LinuxKernel passes on its own account.
    rows.addAll(
        Arrays.asList(
            HeaderRow.equal("O_CLOEXEC", 0x80000),
            HeaderRow.equal("RLIMIT_MEMLOCK", 8),
            HeaderRow.equal("SEEK_END", 2),
            HeaderRow.equal("AT_EMPTY_PATH", 0x1000),
            HeaderRow.equal("S_IFMT", 0xf000),
            HeaderRow.equal("S_IFREG", 0x8000),
            HeaderRow.equal("S_IFBLK", 0x6000),
            HeaderRow.equal("F_OFD_SETLK", 37),
            HeaderRow.equal("F_RDLCK", 0),
            HeaderRow.equal("F_WRLCK", 1),
            HeaderRow.equal("F_UNLCK", 2),
            HeaderRow.equal("sizeof(struct flock)", 32),
            HeaderRow.equal("__NR_io_uring_setup", 425),
            HeaderRow.equal("__NR_io_uring_enter", 426),
            HeaderRow.equal("__NR_io_uring_register", 427)));
    return rows;
  }
}
