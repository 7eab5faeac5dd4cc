// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.AddressVerdict;
import io.jvfio.DmaAccess;
import io.jvfio.DmaEstimate;
import io.jvfio.DmaRange;
import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.LiveMapping;
import io.jvfio.MapOptions;
import io.jvfio.MappableArea;
import io.jvfio.PciAddress;
import io.jvfio.PciCapability;
import io.jvfio.RegionInfo;
import io.jvfio.RegionType;
import io.jvfio.model.PciFunction;
import io.jvfio.model.RegisterMap;
import io.jvfio.model.nvme.NvmeFault;
import io.jvfio.model.nvme.NvmeFaults;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.nvme.NvmeCommand;
import io.jvfio.sim.HostOptions;
import io.jvfio.user.VfioUserServerOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.runtime.ObjectMethods;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What people see who print an object. */
class TextsTest {
  /** Parts of records that people know by their hexadecimal digits. */
  private static final Set<String> HEXADECIMAL =
      Set.of("iova", "vendor", "subsystemVendor", "classCode", "offset", "start", "opcode");

  private static Stream<Class<?>> types() {
    var house = House.built();
    return house.types().stream()
        .filter(house::isApi)
        .flatMap(
            type ->
                withNested(
                    Class.forName(
                        ModuleLayer.boot().findModule(type.module()).orElseThrow(), type.name())));
  }

  private static Stream<Class<?>> withNested(Class<?> type) {
    return Stream.concat(
        Stream.of(type),
        Arrays.stream(type.getDeclaredClasses())
            .filter(nested -> Modifier.isPublic(nested.getModifiers()))
            .flatMap(TextsTest::withNested));
  }

  /** Whether its text is what the compiler makes of a record. */
  private static boolean isGenerated(Class<?> type) {
    ClassModel model;
    try (var in =
        type.getModule().getResourceAsStream(type.getName().replace('.', '/') + ".class")) {
      model = ClassFile.of().parse(requireNonNull(in).readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return model.methods().stream()
        .filter(method -> method.methodName().equalsString("toString"))
        .flatMap(method -> method.code().stream())
        .flatMap(code -> code.elementStream())
        .anyMatch(
            element ->
                element instanceof InvokeDynamicInstruction call
                    && call.bootstrapMethod()
                        .owner()
                        .equals(ObjectMethods.class.describeConstable().orElseThrow()));
  }

  @Test
  void noRecordHasDecimalsWherePeopleReadHexadecimals() {
    var decimal = new TreeSet<String>();
    types()
        .filter(Class::isRecord)
        .filter(
            type ->
                Arrays.stream(type.getRecordComponents())
                    .anyMatch(part -> HEXADECIMAL.contains(part.getName())))
        .filter(TextsTest::isGenerated)
        .forEach(type -> decimal.add(type.getName()));
    assertThat(decimal).isEmpty();
  }

  /** What was opened is printed when something is wrong with it. */
  @Test
  void whatIsClosedSaysWhatItIs() {
    var silent = new TreeSet<String>();
    types()
        .filter(AutoCloseable.class::isAssignableFrom)
        .filter(type -> !type.isInterface() && !Modifier.isAbstract(type.getModifiers()))
        .filter(type -> !saysWhatItIs(type))
        .forEach(type -> silent.add(type.getName()));
    assertThat(silent).isEmpty();
  }

  /** Options, builders and what else has methods are printed while somebody looks for a mistake. */
  @Test
  void whatHasMethodsSaysWhatItIs() {
    var silent = new TreeSet<String>();
    types()
        .filter(type -> !type.isInterface() && !Modifier.isAbstract(type.getModifiers()))
        .filter(
            type ->
                Arrays.stream(type.getDeclaredMethods())
                    .map(Method::getModifiers)
                    .anyMatch(each -> Modifier.isPublic(each) && !Modifier.isStatic(each)))
        .filter(type -> !saysWhatItIs(type))
        .forEach(type -> silent.add(type.getName()));
    assertThat(silent).isEmpty();
  }

  private static boolean saysWhatItIs(Class<?> type) {
    try {
      return !type.getMethod("toString").getDeclaringClass().equals(Object.class);
    } catch (NoSuchMethodException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void devicesAddressesAndCapabilitiesReadAsInTheField() {
    var address = PciAddress.parse("0000:01:00.0");
    assertThat(
            new HostDevice(
                address, 0x020000, 0x8086, 0x1572, Optional.of("vfio-pci"), OptionalInt.of(26)))
        .hasToString("0000:01:00.0 8086:1572 class 020000, driver vfio-pci, group 26");
    assertThat(
            new HostDevice(address, 0x10802, 0x1b36, 0x10, Optional.empty(), OptionalInt.empty()))
        .hasToString("0000:01:00.0 1b36:0010 class 010802, no driver, no group");
    assertThat(
            new IommuGroup(
                26,
                false,
                List.of(new HostDevice(address, 0, 0, 0, Optional.empty(), OptionalInt.empty()))))
        .hasToString("group 26 (0000:01:00.0)");
    assertThat(new DmaRange(0x10000, 0x2000)).hasToString("0x10000..0x11fff (8,192 bytes)");
    assertThat(new LiveMapping(0x1000, 4096, DmaAccess.READ_WRITE, true, "A.b(A.java:1)"))
        .hasToString(
            "0x1000..0x1fff (4,096 bytes), device may read and write, made at A.b(A.java:1)");
    assertThat(new AddressVerdict(0, 4096, false, "Reserved.", OptionalLong.of(0x1000)))
        .hasToString("0x0..0xfff: Reserved. Free from 0x1000 on.");
    assertThat(
            new DmaEstimate(
                true,
                OptionalLong.of(0xf000),
                4096,
                OptionalLong.empty(),
                1,
                OptionalLong.empty(),
                List.of()))
        .hasToString("fits at 0xf000, locks 4,096 bytes");
    assertThat(MapOptions.at(0x5000).withAddressBits(32))
        .hasToString("READ_WRITE, at 0x5000, a multiple of 0x1, up to 0xffffffff");
    assertThat(new MappableArea(0x2000, 0x1000)).hasToString("0x2000..0x2fff (4,096 bytes)");
    assertThat(new RegionInfo(0, 0x4000, true, true, true, false))
        .hasToString("BAR0, 0x4000 bytes, readable, writable, mappable");
    assertThat(new RegionType(0x80008086, 1)).hasToString("graphics OpRegion (0x80008086, 1)");
    assertThat(new PciCapability.MsiX(0x40, true, false, 8, 0, 0x2000, 128, 0, 0x3000, 8))
        .hasToString(
            "MSI-X at 0x40, enabled=true, masked=false, vectors=8, tableBar=0, tableOffset=0x2000,"
                + " tableSize=128, pendingBar=0, pendingOffset=0x3000, pendingSize=8");
    assertThat(new PciCapability.SubsystemIds(0x50, 0x8086, 0x1572).toString())
        .endsWith("at 0x50, vendor=0x8086, device=0x1572");
    assertThat(NvmeCommand.of(0x06, 1, 0)).hasToString("opcode 0x06, dwords 10 to 15: 1 0 0 0 0 0");
  }

  @Test
  void optionsSayWhatIsSet() {
    var disk = NvmeNamespaceOptions.inMemory(1 << 20).withBlockSize(4096).withLimits(100, 1000);
    assertThat(disk)
        .hasToString(
            "1,048,576 bytes in blocks of 4096, in memory, at most 100 commands a second, at most"
                + " 1,000 bytes a second");
    assertThat(NvmeNamespaceOptions.inFile(Path.of("disk.img"), 512).withWriteProtection())
        .hasToString("512 bytes in blocks of 512, in disk.img, read-only");
    var fault = NvmeFault.status(0x281).onIo().onOpcode(2).after(3).times(1);
    assertThat(fault).hasToString("status 0x281 of I/O commands of opcode 0x02, after 3, 1 times");
    assertThat(
            NvmeModelOptions.of("blue", NvmeNamespaceOptions.nowhere(512))
                .withMsi()
                .withoutSgl()
                .withFaults(new NvmeFaults().inject(fault)))
        .hasToString(
            "serial blue, jvfio NVMe model, firmware 1.0, namespaces [512 bytes in blocks of 512,"
                + " kept nowhere], 64 queue pairs of 2,048, transfers of 524,288 bytes, MSI, no"
                + " SGLs, faults NONE, ["
                + fault
                + "]");
    assertThat(VfioUserServerOptions.at(Path.of("/run/a.sock")).withPolling().withGroup("kvm"))
        .hasToString(
            "at /run/a.sock, mode 0600, group kvm, up to 16 descriptors and 1,048,576 bytes a"
                + " message, 65,535 DMA maps, patience PT10S, polls, twin socket, resets between"
                + " clients, replaces none");
    assertThat(HostOptions.unprivileged().withHugePages(2 << 20, 8).withoutVfio())
        .hasToString(
            "uid 65534, capabilities 0x0, 65,536 bytes of locked memory, 1,024 open files, pid 4711,"
                + " 65,535 mappings, 2,048 interrupt vectors, no VFIO, huge pages {2097152=8}");
    assertThat(PciFunction.builder(0x1234, 0x11e8, 0xff0000))
        .hasToString("builder of 1234:11e8, BARs []");
    assertThat(RegisterMap.builder("card", 8).readOnly("inputs", 0, 1, () -> 0))
        .hasToString("builder of card, 0x8 bytes with [inputs]");
  }
}
