// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_GET_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_MAP_DMA;
import static io.jvfio.sim.Guest.READ;
import static io.jvfio.sim.Guest.READ_WRITE;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class Type1Test {
  private static final long MIB = 1 << 20;
  private static final int VADDR = 4;
  private static final int ALL = 2;
  private static final Ioctl DIRTY_PAGES = new Ioctl("VFIO_IOMMU_DIRTY_PAGES", ';', 117);

  private Guest guest = new Guest("x86-6.12");

  @AfterEach
  void close() {
    guest.close();
  }

  private int container(int type) {
    return guest.container(guest.group(1), type);
  }

  private void use(HostOptions options) {
    guest.close();
    guest = new Guest("x86-6.12", options);
  }

  @Test
  void infoHasItsCapabilitiesInTheKernelsOrder() {
    int container = container(3);
    var info = guest.arena.allocate(256, 8);
    VfioIommuType1Info.ARGSZ.set(info, 256);
    assertThat(guest.kernel.ioctl(container, VFIO_IOMMU_GET_INFO, info)).isZero();
    assertThat(VfioIommuType1Info.ARGSZ.get(info)).isEqualTo(256);
    assertThat(VfioIommuType1Info.FLAGS.get(info)).isEqualTo(3);
    assertThat(VfioIommuType1Info.IOVA_PGSIZES.get(info)).isEqualTo(0x4020_1000L);
    assertThat(VfioIommuType1Info.CAP_OFFSET.get(info)).isEqualTo(24);
    assertThat(header(info, 24)).isEqualTo("id 2 version 1 next 56");
    assertThat(info.get(ValueLayout.JAVA_LONG, 40)).isEqualTo(0x1000);
    assertThat(info.get(ValueLayout.JAVA_LONG, 48)).isEqualTo(256 * MIB);
    assertThat(header(info, 56)).isEqualTo("id 3 version 1 next 72");
    assertThat(info.get(ValueLayout.JAVA_INT, 64)).isEqualTo(65535);
    assertThat(header(info, 72)).isEqualTo("id 1 version 1 next 0");
    assertThat(info.get(ValueLayout.JAVA_INT, 80)).isEqualTo(2);
    assertThat(info.get(ValueLayout.JAVA_LONG, 88)).isZero();
    assertThat(info.get(ValueLayout.JAVA_LONG, 96)).isEqualTo(0xfedf_ffffL);
    assertThat(info.get(ValueLayout.JAVA_LONG, 104)).isEqualTo(0xfef0_0000L);
    assertThat(info.get(ValueLayout.JAVA_LONG, 112)).isEqualTo(0xffff_ffff_ffffL);
  }

  private static String header(MemorySegment info, long at) {
    return "id %d version %d next %d"
        .formatted(
            info.get(ValueLayout.JAVA_SHORT, at),
            info.get(ValueLayout.JAVA_SHORT, at + 2),
            info.get(ValueLayout.JAVA_INT, at + 4));
  }

  @Test
  void infoThatIsTooShortForTheChainSaysHowLongItMustBe() {
    int container = container(3);
    var info = guest.arena.allocate(24, 8);
    VfioIommuType1Info.ARGSZ.set(info, 24);
    assertThat(guest.kernel.ioctl(container, VFIO_IOMMU_GET_INFO, info)).isZero();
    assertThat(VfioIommuType1Info.ARGSZ.get(info)).isEqualTo(120);
    assertThat(VfioIommuType1Info.CAP_OFFSET.get(info)).isZero();
    assertThat(VfioIommuType1Info.FLAGS.get(info)).isEqualTo(3);
    VfioIommuType1Info.ARGSZ.set(info, 15);
    assertThat(answer(guest.kernel.ioctl(container, VFIO_IOMMU_GET_INFO, info)))
        .isEqualTo("EINVAL");
    VfioIommuType1Info.ARGSZ.set(info, 120);
    assertThat(answer(guest.kernel.ioctl(container, VFIO_IOMMU_GET_INFO, info)))
        .isEqualTo("EFAULT");
  }

  @Test
  void mapChecksItsArguments() {
    int container = container(3);
    long memory = guest.memory(MIB);
    assertThat(guest.map(container, 0, memory, 0x1000, 0)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, memory, 0x1000, 8 | READ)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, memory, 0x1000, VADDR | READ)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, memory, 0)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0x800, memory, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, memory + 0x800, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, memory, 0x800)).isEqualTo("EINVAL");
    assertThat(guest.map(container, -0x1000, memory, 0x2000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0xfee0_0000L, memory, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0xfedf_f000L, memory, 0x2000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 1L << 48, memory, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, (1L << 48) - 0x1000, memory, 0x1000)).isEqualTo("0");
    assertThat(guest.map(container, 0, 0x1000, 0x1000)).isEqualTo("EFAULT");
    assertThat(guest.map(container, 0, memory, 2 * MIB)).isEqualTo("EFAULT");
    var shortStruct = VfioIommuType1DmaMap.STRUCT.allocate(guest.arena);
    VfioIommuType1DmaMap.ARGSZ.set(shortStruct, 31);
    assertThat(answer(guest.kernel.ioctl(container, VFIO_IOMMU_MAP_DMA, shortStruct)))
        .isEqualTo("EINVAL");
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x1000);
  }

  @Test
  void anyOverlapExists() {
    int container = container(3);
    long memory = guest.memory(MIB);
    assertThat(guest.map(container, 0x10000, memory, 0x10000)).isEqualTo("0");
    assertThat(guest.map(container, 0x10000, memory, 0x10000)).isEqualTo("EEXIST");
    assertThat(guest.map(container, 0x1f000, memory, 0x1000)).isEqualTo("EEXIST");
    assertThat(guest.map(container, 0xf000, memory, 0x2000)).isEqualTo("EEXIST");
    assertThat(guest.map(container, 0, memory, 0x30000)).isEqualTo("EEXIST");
    assertThat(guest.map(container, 0x20000, memory, 0x1000)).isEqualTo("0");
    assertThat(guest.map(container, 0xf000, memory, 0x1000)).isEqualTo("0");
  }

  @Test
  void memoryThatCannotBeWrittenIsForReadingOnly() {
    int container = container(3);
    long memory =
        guest.kernel.mmap(
            0x1000, Kernel.PROT_READ, Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS, -1, 0);
    assertThat(guest.map(container, 0, memory, 0x1000, READ_WRITE)).isEqualTo("EFAULT");
    assertThat(guest.map(container, 0, memory, 0x1000, READ)).isEqualTo("0");
  }

  @Test
  void eachMappingTakesAnEntryUntilItIsUnmapped() {
    use(HostOptions.defaults().withDmaEntryLimit(2));
    int container = container(3);
    long memory = guest.memory(0x1000);
    assertThat(guest.map(container, 0, memory, 0x1000)).isEqualTo("0");
    assertThat(guest.map(container, 0x1000, memory, 0x1000)).isEqualTo("0");
    assertThat(guest.map(container, 0x2000, memory, 0x1000)).isEqualTo("ENOSPC");
    assertThat(guest.map(container, 0x1000, memory, 0x1000)).isEqualTo("EEXIST");
    assertThat(guest.unmapped(container, 0, 0x1000, 0)).isEqualTo("1000");
    assertThat(guest.map(container, 0x2000, memory, 0x1000)).isEqualTo("0");
  }

  @Test
  void pagesAreChargedForEachMapping() {
    use(HostOptions.unprivileged().withGroupAccess().withLockedMemoryLimit(0x3000));
    int container = container(3);
    long memory = guest.memory(0x4000);
    assertThat(guest.map(container, 0, memory, 0x4000)).isEqualTo("ENOMEM");
    assertThat(guest.lockedKilobytes()).isZero();
    assertThat(guest.map(container, 0, memory, 0x2000)).isEqualTo("0");
    assertThat(guest.map(container, 0x2000, memory, 0x2000)).isEqualTo("ENOMEM");
    assertThat(guest.map(container, 0x2000, memory, 0x1000)).isEqualTo("0");
    assertThat(guest.lockedKilobytes()).isEqualTo(12);
    assertThat(guest.unmapped(container, 0, 0, ALL)).isEqualTo("3000");
    assertThat(guest.lockedKilobytes()).isZero();
  }

  @Test
  void whatStopsTheKernelFirstIsItsAnswer() {
    use(HostOptions.unprivileged().withGroupAccess().withLockedMemoryLimit(0x2000));
    int container = container(3);
    assertThat(guest.map(container, 0, guest.memory(0x1000), 0x8000)).isEqualTo("EFAULT");
    assertThat(guest.map(container, 0, guest.memory(0x4000), 0x8000)).isEqualTo("ENOMEM");
  }

  @Test
  void theRightToLockLiftsTheLimitAndStillCounts() {
    use(
        HostOptions.unprivileged()
            .withGroupAccess()
            .withLockedMemoryLimit(0)
            .withCapability(Capability.IPC_LOCK));
    int container = container(3);
    assertThat(guest.map(container, 0, guest.memory(0x4000), 0x4000)).isEqualTo("0");
    assertThat(guest.lockedKilobytes()).isEqualTo(16);
  }

  @Test
  void version2UnmapsWholeMappingsOnly() {
    int container = container(3);
    long memory = guest.memory(MIB);
    guest.map(container, 0x1000, memory, 0x4000);
    guest.map(container, 0x8000, memory, 0x4000);
    assertThat(guest.unmapped(container, 0x2000, 0x1000, 0)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0x1000, 0x2000, 0)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0x3000, 0x8000, 0)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0x10000, 0x1000, 0)).isEqualTo("0");
    assertThat(guest.unmapped(container, 0, 0x10000, 0)).isEqualTo("8000");
    assertThat(guest.unmapped(container, 0, 0x10000, 0)).isEqualTo("0");
  }

  @Test
  void version1TakesWhatARangeReachesTheStartOf() {
    int container = container(1);
    long memory = guest.memory(MIB);
    guest.map(container, 0x1000, memory, 0x4000);
    guest.map(container, 0x8000, memory, 0x4000);
    assertThat(guest.unmapped(container, 0x2000, 0x10000, 0)).isEqualTo("0");
    assertThat(guest.unmapped(container, 0, 0x2000, 0)).isEqualTo("4000");
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x4000);
  }

  @Test
  void unmapChecksItsArguments() {
    int container = container(3);
    assertThat(guest.unmapped(container, 0, 0, 0)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0x800, 0x1000, 0)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0, 0x800, 0)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, -0x1000, 0x2000, 0)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0, 0x1000, 8)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0, 0x1000, ALL)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0, 0, ALL)).isEqualTo("0");
    assertThat(guest.unmapped(container, 0, 0x1000, 1)).isEqualTo("EINVAL");
  }

  @Test
  void addressesCanBeTakenBackAndReplaced() {
    int container = container(3);
    long memory = guest.memory(0x2000);
    guest.map(container, 0, memory, 0x1000);
    assertThat(guest.map(container, 0, memory, 0x1000, VADDR)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0x1000, memory, 0x1000, VADDR)).isEqualTo("ENOENT");
    assertThat(guest.unmapped(container, 0, 0x1000, VADDR)).isEqualTo("1000");
    assertThat(guest.unmapped(container, 0, 0x1000, VADDR)).isEqualTo("EINVAL");
    int second = guest.group(2);
    assertThat(guest.setContainer(second, container)).isEqualTo("EBUSY");
    assertThat(guest.map(container, 0, memory + 0x1000, 0x1000, VADDR)).isEqualTo("0");
    assertThat(guest.setContainer(second, container)).isEqualTo("0");
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x1000);
  }

  @Test
  void memoryThatMovedIsReachedByItsNewAddress() {
    int container = container(3);
    int fd = guest.kernel.memoryFile("moved", 0, 0x2000);
    long old = guest.kernel.mmap(0x2000, 3, Kernel.MAP_SHARED, fd, 0);
    assertThat(guest.map(container, 0, old, 0x2000)).isEqualTo("0");
    assertThat(guest.unmapped(container, 0, 0, ALL | VADDR)).isEqualTo("2000");
    assertThat(guest.unmapped(container, 0, 0, ALL | VADDR)).isEqualTo("EINVAL");
    assertThat(guest.kernel.munmap(old, 0x2000)).isZero();
    long moved = guest.kernel.mmap(0x2000, 3, Kernel.MAP_SHARED, fd, 0);
    assertThat(guest.map(container, 0, moved, 0x1000, VADDR)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, moved, 0x2000, VADDR)).isEqualTo("0");
    assertThat(guest.map(container, 0, moved, 0x2000, VADDR)).isEqualTo("EINVAL");
    assertThat(guest.lockedKilobytes()).isEqualTo(8);
    assertThat(guest.unmapped(container, 0, 0x2000, 0)).isEqualTo("2000");
    assertThat(guest.lockedKilobytes()).isZero();
  }

  @Test
  void aMappingWithoutItsAddressCanBeUnmapped() {
    int container = container(3);
    long memory = guest.memory(0x2000);
    guest.map(container, 0, memory, 0x1000);
    guest.map(container, 0x1000, memory, 0x1000);
    assertThat(guest.unmapped(container, 0x1000, 0x1000, VADDR)).isEqualTo("1000");
    // one of the two has no address to take back, so the other keeps its own
    assertThat(guest.unmapped(container, 0, 0x2000, VADDR)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, memory, 0x1000, VADDR)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0, 0, ALL)).isEqualTo("2000");
    assertThat(guest.setContainer(guest.group(2), container)).isEqualTo("0");
  }

  @Test
  void infoTellsHowManyEntriesAreLeft() {
    use(HostOptions.defaults().withDmaEntryLimit(3));
    int container = container(3);
    long memory = guest.memory(0x3000);
    assertThat(entriesLeft(container)).isEqualTo(3);
    guest.map(container, 0, memory, 0x1000);
    guest.map(container, 0x1000, memory, 0x1000);
    assertThat(entriesLeft(container)).isEqualTo(1);
    guest.map(container, 0x2000, 0x1000, 0x1000);
    assertThat(entriesLeft(container)).isEqualTo(1);
    guest.unmapped(container, 0, 0x1000, VADDR);
    assertThat(entriesLeft(container)).isEqualTo(1);
    guest.unmapped(container, 0, 0, ALL);
    assertThat(entriesLeft(container)).isEqualTo(3);
  }

  private int entriesLeft(int container) {
    var info = guest.arena.allocate(256, 8);
    VfioIommuType1Info.ARGSZ.set(info, 256);
    assertThat(guest.kernel.ioctl(container, VFIO_IOMMU_GET_INFO, info)).isZero();
    return info.get(ValueLayout.JAVA_INT, 64);
  }

  @Test
  void aRangeUpToTheLastAddressUnmapsNothing() {
    int container = container(3);
    guest.map(container, 0x1000, guest.memory(0x1000), 0x1000);
    assertThat(guest.unmapped(container, 0, -0x1000, 0)).isEqualTo("1000");
    guest.map(container, 0x1000, guest.memory(0x1000), 0x1000);
    assertThat(guest.unmapped(container, 0x1000, -0x1000, 0)).isEqualTo("0");
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x1000);
  }

  @Test
  void dirtyTrackingTakesJustOneFlag() {
    assertThat(dirty(container(3), 0)).isEqualTo("EINVAL");
    int container = guest.container(guest.group(2), 3);
    assertThat(dirty(container, 3)).isEqualTo("EINVAL");
    assertThat(dirty(container, 8)).isEqualTo("EINVAL");
    assertThat(dirty(container, 4)).isEqualTo("EINVAL");
    assertThat(dirty(container, 1)).isEqualTo("0");
    assertThat(dirty(container, 1)).isEqualTo("0");
    assertThat(dirty(container, 2)).isEqualTo("0");
  }

  @Test
  void version1HasNoDirtyTracking() {
    assertThat(dirty(container(1), 1)).isEqualTo("EACCES");
  }

  private String dirty(int container, int flags) {
    var dirty = guest.arena.allocate(8, 4);
    dirty.set(ValueLayout.JAVA_INT, 0, 8);
    dirty.set(ValueLayout.JAVA_INT, 4, flags);
    return answer(guest.kernel.ioctl(container, DIRTY_PAGES, dirty));
  }

  @Test
  void mappingsOfTwoContainersCountTwice() {
    long memory = guest.memory(0x1000);
    guest.map(guest.container(guest.group(1), 3), 0, memory, 0x1000);
    guest.map(guest.container(guest.group(2), 3), 0, memory, 0x1000);
    assertThat(guest.lockedKilobytes()).isEqualTo(8);
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x2000);
  }
}
