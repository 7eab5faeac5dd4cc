// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.sim.Guest.READ;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.Registers;
import io.jvfio.testkit.CopyEngine;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Memory that the caller has from elsewhere than the simulated kernel. */
class OwnMemoryTest {
  private static final String X86 = "0000:00:01.0";
  private static final long SIZE = 1 << 20;

  private CopyEngine engine = new CopyEngine(SIZE);
  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory = arena.allocate(SIZE, 1 << 16);
  private Guest guest = new Guest("x86-6.12", options());

  private HostOptions options() {
    engine = new CopyEngine(SIZE);
    return HostOptions.defaults().withModels(device -> device.equals(X86) ? engine : null);
  }

  @AfterEach
  void close() {
    guest.close();
    arena.close();
  }

  private void use(String host, HostOptions options) {
    guest.close();
    guest = new Guest(host, options);
  }

  private Registers engineRegisters(int group) {
    int device = guest.device(group, X86);
    var command = guest.arena.allocateFrom(ValueLayout.JAVA_SHORT, (short) 6);
    assertThat(guest.kernel.pwrite(device, command, (7L << 40) + 4)).isEqualTo(2);
    long mapped = guest.kernel.mmap(0x1000, 3, Kernel.MAP_SHARED, device, 0);
    return guest.kernel.registers(mapped, 0x1000);
  }

  private static boolean transfer(Registers registers, long command, long address, long length) {
    registers.write64(CopyEngine.IOVA, address);
    registers.write64(CopyEngine.LENGTH, length);
    registers.write64(CopyEngine.COMMAND, command);
    return registers.read64(CopyEngine.STATUS) == 0;
  }

  @Test
  void aDeviceCanBeGivenACallersSegment() {
    int group = guest.group(1);
    int container = guest.container(group, 3);
    var registers = engineRegisters(group);
    assertThat(guest.map(container, 0x10_0000, memory.address(), SIZE)).isEqualTo("0");
    assertThat(guest.lockedKilobytes()).isEqualTo(1024);
    memory.set(ValueLayout.JAVA_LONG, 0x1ff8, 42);
    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0x10_0000, SIZE)).isTrue();
    assertThat(engine.buffer.get(ValueLayout.JAVA_LONG, 0x1ff8)).isEqualTo(42);
    engine.buffer.fill((byte) 7);
    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0x10_0000, SIZE)).isTrue();
    assertThat(memory.get(ValueLayout.JAVA_BYTE, SIZE - 1)).isEqualTo((byte) 7);
    assertThat(guest.unmapped(container, 0x10_0000, SIZE, 0)).isEqualTo("100000");
    assertThat(guest.lockedKilobytes()).isZero();
    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0x10_0000, 8)).isFalse();
  }

  @Test
  void bothVersionsOfSpaprTakeIt() {
    for (int type : new int[] {2, 7}) {
      use("pseries-6.12", HostOptions.defaults().withLockedMemoryLimit(Kernel.NO_LIMIT));
      int container = guest.container(guest.group(0), type);
      assertThat(
              type == 2
                  ? guest.enable(container)
                  : guest.register(container, memory.address(), SIZE))
          .isEqualTo("0");
      assertThat(guest.map(container, 0, memory.address(), SIZE)).isEqualTo("0");
      assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(SIZE);
      assertThat(guest.unmap(container, 0, SIZE)).isEqualTo("0");
    }
  }

  @Test
  void memoryThatIsNotThereIsRefused() {
    int container = guest.container(guest.group(1), 3);
    assertThat(guest.map(container, 0, 1L << 46, 0x1000)).isEqualTo("EFAULT");
    assertThat(guest.map(container, 0, -0x10_0000, 0x1000)).isEqualTo("EFAULT");
    assertThat(guest.map(container, 1L << 32, memory.address(), 1L << 46)).isEqualTo("EFAULT");
    assertThat(guest.host.resources().dmaMappedBytes()).isZero();
  }

  @Test
  void memoryThatCannotBeWrittenIsForReadingOnly() throws IOException {
    var path = Files.createTempFile("jvfio", ".bin");
    try (var scope = Arena.ofConfined();
        var file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      file.write(java.nio.ByteBuffer.allocate(0x1000));
      var readable = file.map(FileChannel.MapMode.READ_ONLY, 0, 0x1000, scope);
      var shared = file.map(FileChannel.MapMode.READ_WRITE, 0, 0x1000, scope);
      var copied = file.map(FileChannel.MapMode.PRIVATE, 0, 0x1000, scope);
      int container = guest.container(guest.group(1), 3);
      assertThat(guest.map(container, 0, readable.address(), 0x1000)).isEqualTo("EFAULT");
      assertThat(guest.map(container, 0, shared.address(), 0x1000)).isEqualTo("EFAULT");
      assertThat(guest.map(container, 0, readable.address(), 0x1000, READ)).isEqualTo("0");
      assertThat(guest.map(container, 0x1000, copied.address(), 0x1000)).isEqualTo("0");
      guest.unmapped(container, 0, 0x2000, 0);
    } finally {
      Files.delete(path);
    }
  }

  @Test
  void memoryThatWasUnmappedIsNotTakenForTheCallers() {
    int container = guest.container(guest.group(1), 3);
    long unmapped = guest.memory(0x4000);
    assertThat(guest.kernel.munmap(unmapped, 0x4000)).isZero();
    assertThat(guest.map(container, 0, unmapped, 0x1000)).isEqualTo("EFAULT");
    long mapped = guest.memory(0x1000);
    assertThat(guest.map(container, 0, mapped, 0x2000)).isEqualTo("EFAULT");
  }

  @Test
  void aViewIsOfMappedMemoryOnly() {
    assertThatThrownBy(() -> guest.view(memory.address(), SIZE))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void withoutAnIommuItIsLockedAndReachedByItsPhysicalAddress() {
    use("x86-noiommu", options());
    int group = guest.open("/dev/vfio/noiommu-0");
    int container = guest.container(group, 8);
    assertThat(container).isPositive();
    var registers = engineRegisters(group);
    assertThat(guest.kernel.mlock(memory.address(), 0x2000)).isZero();
    assertThat(guest.kernel.mlock(memory.address() + 0x1000, 0x2000)).isZero();
    assertThat(guest.lockedKilobytes()).isEqualTo(12);
    assertThat(answer(guest.kernel.mlock(1L << 46, 0x1000))).isEqualTo("ENOMEM");
    int pagemap = guest.kernel.open("/proc/self/pagemap", Kernel.O_RDONLY);
    var entry = guest.arena.allocate(8, 8);
    guest.kernel.pread(pagemap, entry, memory.address() / 0x1000 * 8);
    long physical = (entry.get(ValueLayout.JAVA_LONG, 0) & (1L << 55) - 1) * 0x1000;
    engine.buffer.set(ValueLayout.JAVA_LONG, 0, 99);
    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, physical + 8, 8)).isTrue();
    assertThat(memory.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(99);
  }

  /** Other threads of this JVM may map memory of their own in the hole; not each time, though. */
  @Test
  void aLockEndsWithTheMemory() {
    use("x86-noiommu", options().withLockedMemoryLimit(Kernel.NO_LIMIT));
    var real = LinuxKernel.instance();
    long left = -1;
    for (int attempt = 0; attempt < 50 && left != 0; attempt++) {
      // Not from malloc, which may keep what it is given back.
      long large =
          real.mmap(
              40 << 20,
              Kernel.PROT_READ | Kernel.PROT_WRITE,
              Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS,
              -1,
              0);
      assertThat(large).isPositive();
      assertThat(guest.kernel.mlock(large, 40 << 20)).isZero();
      assertThat(guest.lockedKilobytes()).isEqualTo(40 << 10);
      assertThat(real.munmap(large, 40 << 20)).isZero();
      assertThat(guest.kernel.mlock(memory.address(), 0x1000)).isZero();
      left = guest.lockedKilobytes() - 4;
      guest.kernel.munlock(large, 40 << 20);
      guest.kernel.munlock(memory.address(), 0x1000);
      assertThat(guest.lockedKilobytes()).isZero();
    }
    assertThat(left).isZero();
  }
}
