// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.sim.Guest.READ_WRITE;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MemoryFileTest {
  private static final String X86 = "0000:00:01.0";
  private static final int SIZE = 0x10000;

  private CopyEngine engine = new CopyEngine(SIZE);
  private Guest guest = new Guest("x86-6.12", options());

  private HostOptions options() {
    engine = new CopyEngine(SIZE);
    return HostOptions.defaults().withModels(device -> device.equals(X86) ? engine : null);
  }

  @AfterEach
  void close() {
    guest.close();
  }

  private int file(long byteSize) {
    int fd = guest.kernel.memoryFile("buffer", 0, byteSize);
    assertThat(fd).isPositive();
    return fd;
  }

  private long map(int fd, long offset, long byteSize, int flags) {
    return guest.kernel.mmap(byteSize, 3, flags, fd, offset);
  }

  private long read(long address) {
    return guest.view(address, 8).get(ValueLayout.JAVA_LONG, 0);
  }

  private void write(long address, long value) {
    guest.view(address, 8).set(ValueLayout.JAVA_LONG, 0, value);
  }

  private Registers engineRegisters(int group) {
    int device = guest.device(group, X86);
    var command = guest.arena.allocateFrom(ValueLayout.JAVA_SHORT, (short) 6);
    assertThat(guest.kernel.pwrite(device, command, (7L << 40) + 4)).isEqualTo(2);
    long mapped = guest.kernel.mmap(0x1000, 3, Kernel.MAP_SHARED, device, 0);
    return guest.kernel.registers(mapped, 0x1000);
  }

  private static boolean transfer(Registers registers, long command, long iova) {
    registers.write64(CopyEngine.IOVA, iova);
    registers.write64(CopyEngine.LENGTH, 8);
    registers.write64(CopyEngine.COMMAND, command);
    return registers.read64(CopyEngine.STATUS) == 0;
  }

  @Test
  void itsMappingsShareOneMemory() {
    int fd = file(SIZE);
    long whole = map(fd, 0, SIZE, Kernel.MAP_SHARED);
    long part = map(fd, 0x3000, 0x1000, Kernel.MAP_SHARED);
    assertThat(part).isNotEqualTo(whole + 0x3000);
    assertThat(read(part)).isZero();
    write(whole + 0x3008, 7);
    assertThat(read(part + 8)).isEqualTo(7);
    write(part + 16, 8);
    assertThat(read(whole + 0x3010)).isEqualTo(8);
  }

  @Test
  void aDeviceSeesWhatEveryMappingSees() {
    int fd = file(SIZE);
    long first = map(fd, 0, SIZE, Kernel.MAP_SHARED);
    long second = map(fd, 0, SIZE, Kernel.MAP_SHARED);
    int group = guest.group(1);
    int container = guest.container(group, 3);
    var registers = engineRegisters(group);
    assertThat(guest.map(container, 0x10_0000, first, SIZE)).isEqualTo("0");
    engine.buffer.set(ValueLayout.JAVA_LONG, 0, 4711);
    assertThat(transfer(registers, CopyEngine.WRITE_MEMORY, 0x10_2000)).isTrue();
    assertThat(read(second + 0x2000)).isEqualTo(4711);
    assertThat(guest.kernel.munmap(first, SIZE)).isZero();
    assertThat(guest.kernel.close(fd)).isZero();
    write(second + 0x3000, 12);
    assertThat(transfer(registers, CopyEngine.READ_MEMORY, 0x10_3000)).isTrue();
    assertThat(engine.buffer.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(12);
    assertThat(guest.unmapped(container, 0x10_0000, SIZE, 0)).isEqualTo("10000");
  }

  @Test
  void aPrivateMappingKeepsItsWritesAndItsPinnedPages() {
    int fd = file(SIZE);
    long shared = map(fd, 0, SIZE, Kernel.MAP_SHARED);
    long copied = map(fd, 0, SIZE, Kernel.MAP_PRIVATE);
    write(shared, 1);
    assertThat(read(copied)).isEqualTo(1);
    write(copied, 2);
    assertThat(read(shared)).isEqualTo(1);
    int container = guest.container(guest.group(1), 3);
    assertThat(guest.map(container, 0, copied, SIZE)).isEqualTo("0");
    write(shared + 0x1000, 3);
    assertThat(read(copied + 0x1000)).isZero();
  }

  @Test
  void itsDescriptorReadsAndWritesIt() {
    int fd = file(0x1800);
    long mapped = map(fd, 0, 0x2000, Kernel.MAP_SHARED);
    var bytes = guest.arena.allocate(16, 8);
    bytes.set(ValueLayout.JAVA_LONG, 0, 9);
    assertThat(guest.kernel.pwrite(fd, bytes, 0x17f8)).isEqualTo(8);
    assertThat(read(mapped + 0x17f8)).isEqualTo(9);
    assertThat(guest.kernel.pread(fd, bytes, 0x17f8)).isEqualTo(8);
    assertThat(guest.kernel.pread(fd, bytes, 0x1800)).isZero();
    assertThat(answer(guest.kernel.pwrite(fd, bytes, 0x1800))).isEqualTo("ENOSPC");
  }

  @Test
  void whatIsPastItsEndCanBeMappedAndNotPinned() {
    int fd = file(0x2000);
    long mapped = map(fd, 0x1000, 0x3000, Kernel.MAP_SHARED);
    int container = guest.container(guest.group(1), 3);
    assertThat(guest.map(container, 0, mapped, 0x3000)).isEqualTo("EFAULT");
    assertThat(guest.map(container, 0, mapped, 0x1000)).isEqualTo("0");
  }

  @Test
  void itsPagesAreAsLargeAsTheKernels() {
    guest.close();
    guest = new Guest("powernv-6.12", options());
    int fd = file(SIZE);
    for (int i = 0; i < 4; i++) {
      assertThat(map(fd, 0, SIZE, Kernel.MAP_SHARED) % SIZE).isZero();
    }
    assertThat(answer(map(fd, 0x1000, SIZE, Kernel.MAP_SHARED))).isEqualTo("EINVAL");
  }

  @Test
  void nothingOfItIsLeftAtTheEnd() {
    var before = guest.host.resources();
    int fd = file(SIZE);
    assertThat(guest.host.resources().openFiles()).isEqualTo(before.openFiles() + 1);
    long mapped = map(fd, 0, SIZE, Kernel.MAP_SHARED);
    guest.kernel.close(fd);
    assertThat(guest.host.resources().anonymousMappings()).isEqualTo(1);
    guest.kernel.munmap(mapped, SIZE);
    assertThat(guest.host.resources()).isEqualTo(before);
  }

  @Test
  void whatCannotBeIsRefused() {
    assertThat(answer(guest.kernel.memoryFile("a", 0x20, SIZE))).isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.memoryFile("a".repeat(250), 0, SIZE))).isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.memoryFile("a", 0, -1))).isEqualTo("EINVAL");
    int fd = file(SIZE);
    assertThat(answer(map(fd, 0, SIZE, Kernel.MAP_SHARED | Kernel.MAP_HUGETLB)))
        .isEqualTo("EINVAL");
    guest.close();
    guest = new Guest("x86-6.12", options().withOpenFileLimit(3));
    assertThat(answer(guest.kernel.memoryFile("a", 0, SIZE))).isEqualTo("EMFILE");
  }

  @Test
  void aPhysicalPageIsTheSameThroughEveryMapping() {
    guest.close();
    guest = new Guest("x86-noiommu", options());
    int fd = file(SIZE);
    long whole = map(fd, 0, SIZE, Kernel.MAP_SHARED);
    long part = map(fd, 0x3000, 0x1000, Kernel.MAP_SHARED);
    int pagemap = guest.kernel.open("/proc/self/pagemap", Kernel.O_RDONLY);
    var entry = guest.arena.allocate(8, 8);
    assertThat(guest.kernel.pread(pagemap, entry, (whole + 0x3000) / 0x1000 * 8)).isEqualTo(8);
    long first = entry.get(ValueLayout.JAVA_LONG, 0);
    assertThat(guest.kernel.pread(pagemap, entry, part / 0x1000 * 8)).isEqualTo(8);
    assertThat(entry.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(first).isNegative();
    assertThat(guest.map(guest.container(), 0, whole, SIZE, READ_WRITE)).isEqualTo("EINVAL");
  }
}
