// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.sim.Guest.READ;
import static io.jvfio.sim.Guest.READ_WRITE;
import static io.jvfio.sim.Guest.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DmaTest {
  private static final long MIB = 1 << 20;
  private static final String X86 = "0000:00:01.0";
  private static final String POWER = "0000:00:00.0";

  private final CopyEngine engine = new CopyEngine(64 * MIB);
  private @Nullable Guest opened;

  @AfterEach
  void close() {
    if (opened != null) {
      opened.close();
    }
  }

  private Guest guest(String host, String address) {
    var guest =
        new Guest(
            host,
            HostOptions.defaults()
                .withModels(device -> device.equals(address) ? engine : null)
                .withLockedMemoryLimit(Kernel.NO_LIMIT));
    opened = guest;
    return guest;
  }

  /** Lets the engine transfer and says whether it could. */
  private static boolean transfer(Registers registers, long command, long iova, long length) {
    registers.write64(CopyEngine.IOVA, iova);
    registers.write64(CopyEngine.LENGTH, length);
    registers.write64(CopyEngine.COMMAND, command);
    return registers.read64(CopyEngine.STATUS) == 0;
  }

  private static Registers openDevice(Guest guest, int group, String address) {
    int device = guest.device(group, address);
    busMaster(guest, device, true);
    long mapped = guest.kernel.mmap(0x1000, 3, Kernel.MAP_SHARED, device, 0);
    assertThat(mapped).isPositive();
    return guest.kernel.registers(mapped, 0x1000);
  }

  private static void busMaster(Guest guest, int device, boolean on) {
    var command = guest.arena.allocateFrom(ValueLayout.JAVA_SHORT, (short) (on ? 6 : 2));
    assertThat(guest.kernel.pwrite(device, command, (7L << 40) + 4)).isEqualTo(2);
  }

  @Test
  void type1TranslatesWhatIsMapped() {
    var guest = guest("x86-6.12", X86);
    int group = guest.group(1);
    int container = guest.container(group, 3);
    var registers = openDevice(guest, group, X86);
    long memory = guest.memory(2 * MIB);
    guest.view(memory, 2 * MIB).set(ValueLayout.JAVA_LONG, 0x1ff8, 0x1122_3344_5566_7788L);
    assertThat(guest.map(container, 0x10_0000, memory, 2 * MIB)).isEqualTo("0");

    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0x10_1ff8, 8)).isTrue();

    assertThat(engine.buffer.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x1122_3344_5566_7788L);
    engine.buffer.set(ValueLayout.JAVA_LONG, 0, 42);
    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0x10_0008, 8)).isTrue();
    assertThat(guest.view(memory, 16).get(ValueLayout.JAVA_LONG, 8)).isEqualTo(42);
    assertThat(guest.host.faults()).isEmpty();
  }

  @Test
  void oneTransferCrossesMappingsThatAreNeighboursOnlyForTheDevice() {
    var guest = guest("x86-6.12", X86);
    int group = guest.group(1);
    int container = guest.container(group, 3);
    var registers = openDevice(guest, group, X86);
    long first = guest.memory(0x1000);
    long second = guest.memory(0x1000);
    guest.map(container, 0x2000, first, 0x1000);
    guest.map(container, 0x1000, second, 0x1000);
    engine.buffer.asSlice(0, 0x2000).fill((byte) 7);

    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0x1000, 0x2000)).isTrue();

    assertThat(guest.view(first, 0x1000).get(ValueLayout.JAVA_BYTE, 0xfff)).isEqualTo((byte) 7);
    assertThat(guest.view(second, 0x1000).get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 7);
  }

  @Test
  void whatIsNotMappedFaults() {
    var guest = guest("x86-6.12", X86);
    int group = guest.group(1);
    int container = guest.container(group, 3);
    var registers = openDevice(guest, group, X86);
    long memory = guest.memory(0x2000);
    guest.map(container, 0, memory, 0x1000);

    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0, 0x1001)).isFalse();

    assertThat(guest.host.faults())
        .containsExactly(new IommuFault(X86, 0x1000, false, "nothing is mapped there"));
  }

  @Test
  void permissionsAreTheDevices() {
    var guest = guest("x86-6.12", X86);
    int group = guest.group(1);
    int container = guest.container(group, 3);
    var registers = openDevice(guest, group, X86);
    long memory = guest.memory(0x2000);
    guest.map(container, 0, memory, 0x1000, READ);
    guest.map(container, 0x1000, memory + 0x1000, 0x1000, WRITE);

    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0, 8)).isFalse();
    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0x1000, 8)).isFalse();
    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0, 8)).isTrue();
    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0x1000, 8)).isTrue();

    assertThat(guest.host.faults())
        .extracting(IommuFault::reason)
        .containsExactly("mapped for reading only", "mapped for writing only");
  }

  @Test
  void aDeviceThatIsNoBusMasterReachesNothing() {
    var guest = guest("x86-6.12", X86);
    int group = guest.group(1);
    int container = guest.container(group, 3);
    guest.map(container, 0, guest.memory(0x1000), 0x1000);
    var registers = openDevice(guest, group, X86);
    int device = guest.device(group, X86);
    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0, 8)).isTrue();

    busMaster(guest, device, false);

    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0, 8)).isFalse();
    assertThat(guest.host.faults())
        .containsExactly(new IommuFault(X86, 0, false, "bus mastering is off"));
  }

  @Test
  void memoryThatIsUnmappedByTheProcessStaysTheDevices() {
    var guest = guest("x86-6.12", X86);
    int group = guest.group(1);
    int container = guest.container(group, 3);
    var registers = openDevice(guest, group, X86);
    long memory = guest.memory(0x1000);
    try (var lifetime = Arena.ofConfined()) {
      guest.kernel.memory(memory, 0x1000, lifetime).set(ValueLayout.JAVA_LONG, 0, 99);
    }
    guest.map(container, 0, memory, 0x1000);

    assertThat(guest.kernel.munmap(memory, 0x1000)).isZero();

    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0, 8)).isTrue();
    assertThat(engine.buffer.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(99);
    assertThat(guest.unmapped(container, 0, 0x1000, 0)).isEqualTo("1000");
    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0, 8)).isFalse();
  }

  @Test
  void theDefaultWindowTranslates() {
    var guest = guest("pseries-6.12", POWER);
    int group = guest.group(0);
    int container = guest.container(group, 2);
    guest.enable(container);
    var registers = openDevice(guest, group, POWER);
    long memory = guest.memory(MIB);
    assertThat(guest.map(container, 0x1000, memory, MIB)).isEqualTo("0");
    engine.buffer.asSlice(0, MIB).fill((byte) 3);

    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0x1000, MIB)).isTrue();

    assertThat(guest.view(memory, MIB).get(ValueLayout.JAVA_BYTE, MIB - 1)).isEqualTo((byte) 3);
    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0, 8)).isFalse();
    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 1L << 40, 8)).isFalse();
    assertThat(guest.host.faults())
        .extracting(IommuFault::reason)
        .containsExactly("nothing is mapped there", "in no DMA window");
  }

  @Test
  void disablingLeavesTheMappingsInPlace() {
    var guest = guest("pseries-6.12", POWER);
    int group = guest.group(0);
    int container = guest.container(group, 2);
    guest.enable(container);
    var registers = openDevice(guest, group, POWER);
    guest.map(container, 0, guest.memory(0x1000), 0x1000);

    assertThat(guest.disable(container)).isEqualTo("0");

    assertThat(guest.unmap(container, 0, 0x1000)).isEqualTo("EPERM");
    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0, 8)).isTrue();
  }

  @Test
  void aSecondWindowTranslatesWithItsOwnPages() {
    var guest = guest("powernv-6.12", "0000:01:00.0");
    int group = guest.group(0);
    int container = guest.container(group, 7);
    var registers = openDevice(guest, group, "0000:01:00.0");
    long memory = guest.memory(MIB);
    guest.register(container, memory, MIB);
    assertThat(guest.create(container, 16, 1L << 32, 1)).isEqualTo("0 · start 800000000000000");
    assertThat(guest.map(container, 0x0800_0000_0001_0000L, memory, MIB)).isEqualTo("0");
    guest.view(memory, MIB).set(ValueLayout.JAVA_LONG, 0x10000, 5);

    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0x0800_0000_0002_0000L, 8)).isTrue();

    assertThat(engine.buffer.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(5);
  }

  @Test
  void withoutAnIommuPhysicalAddressesReachMemory() {
    var guest = guest("x86-noiommu", X86);
    int group = guest.open("/dev/vfio/noiommu-0");
    int container = guest.container(group, 8);
    var registers = openDevice(guest, group, X86);
    long memory = guest.memory(4 * MIB);
    guest.view(memory, 4 * MIB).set(ValueLayout.JAVA_LONG, 3 * MIB, 77);
    var entry = guest.arena.allocate(8);
    int pagemap = guest.kernel.open("/proc/self/pagemap", Kernel.O_RDONLY);
    guest.kernel.pread(pagemap, entry, (memory + 3 * MIB) / 0x1000 * 8);
    long present = entry.get(ValueLayout.JAVA_LONG, 0);
    assertThat(present).isNegative();
    long physical = (present & (1L << 55) - 1) * 0x1000;

    assertThat(transfer(registers, CopyEngine.READ_MEMORY, physical, 8)).isTrue();

    assertThat(engine.buffer.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(77);
    guest.kernel.pread(pagemap, entry, memory / 0x1000 * 8);
    long first = (entry.get(ValueLayout.JAVA_LONG, 0) & (1L << 55) - 1) * 0x1000;
    assertThat(physical - first).isNotEqualTo(3 * MIB);
    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 1L << 50, 8)).isFalse();
    assertThat(guest.map(container, 0, memory, MIB)).isEqualTo("ENOTTY");
  }

  @Test
  void aGroupThatLeftItsContainerReachesNothing() {
    var guest = guest("x86-6.12", X86);
    int group = guest.group(1);
    int container = guest.container(group, 3);
    guest.map(container, 0, guest.memory(0x1000), 0x1000);
    int device = guest.device(group, X86);
    busMaster(guest, device, true);
    guest.close(device, group);

    engine.write(0, CopyEngine.LENGTH, 8, 8);
    engine.config().set(4, 2, 6);
    engine.write(0, CopyEngine.COMMAND, 8, CopyEngine.READ_MEMORY);

    assertThat(engine.read(0, CopyEngine.STATUS, 8)).isEqualTo(1);
    assertThat(guest.host.faults()).hasSize(1);
    assertThat(guest.host.faults().getFirst().reason()).contains("container");
  }

  @Test
  void bulkTransfersGoPieceByPiece() {
    var guest = guest("pseries-6.12", POWER);
    int group = guest.group(0);
    int container = guest.container(group, 2);
    guest.enable(container);
    var registers = openDevice(guest, group, POWER);
    long memory = guest.memory(64 * MIB);
    assertThat(guest.map(container, 0, memory, 64 * MIB, READ_WRITE)).isEqualTo("0");
    long begin = System.nanoTime();
    for (int i = 0; i < 4; i++) {
      assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0, 64 * MIB)).isTrue();
    }
    // A translation for each byte would take many times this on any machine.
    assertThat(System.nanoTime() - begin).isLessThan(5_000_000_000L);
  }
}
