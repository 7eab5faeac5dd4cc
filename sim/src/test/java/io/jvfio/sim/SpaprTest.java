// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuSpaprTceCreate;
import io.jvfio.linux.uapi.VfioIommuSpaprTceInfo;
import io.jvfio.linux.uapi.VfioIommuSpaprTceRemove;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the recordings of real kernels do not show; see {@link MeasuredSpaprTest} for the rest. */
class SpaprTest {
  private static final long MIB = 1 << 20;
  private static final long WINDOW = 0x4000_0000L;
  private static final long SECOND_WINDOW = 0x0800_0000_0000_0000L;

  private Guest guest = new Guest("pseries-6.12");

  @AfterEach
  void close() {
    guest.close();
  }

  private void use(String host) {
    use(host, HostOptions.defaults());
  }

  private void use(String host, HostOptions options) {
    guest.close();
    guest = new Guest(host, options);
  }

  private int v2() {
    return guest.container(guest.group(0), 7);
  }

  private int v1() {
    int container = guest.container(guest.group(0), 2);
    assertThat(guest.enable(container)).isEqualTo("0");
    return container;
  }

  @Test
  void infoKeepsToItsFirstPartWhenThereIsNoRoomForTheRest() {
    int container = v2();
    var info = VfioIommuSpaprTceInfo.STRUCT.allocate(guest.arena);
    VfioIommuSpaprTceInfo.ARGSZ.set(info, 31);
    VfioIommuSpaprTceInfo.LEVELS.set(info, 99);
    assertThat(guest.kernel.ioctl(container, Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO, info)).isZero();
    assertThat(VfioIommuSpaprTceInfo.FLAGS.get(info)).isEqualTo(1);
    assertThat(VfioIommuSpaprTceInfo.LEVELS.get(info)).isEqualTo(99);
    assertThat(VfioIommuSpaprTceInfo.ARGSZ.get(info)).isEqualTo(31);
    VfioIommuSpaprTceInfo.ARGSZ.set(info, 15);
    assertThat(
            Guest.answer(guest.kernel.ioctl(container, Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO, info)))
        .isEqualTo("EINVAL");
  }

  @Test
  void eachVersionHasItsOwnCommands() {
    int container = v2();
    assertThat(guest.disable(container)).isEqualTo("ENOTTY");
    assertThat(answer(guest.ioctl(container, new Ioctl("VFIO_EEH_PE_OP", ';', 121), 0)))
        .isEqualTo("ENODEV");
    assertThat(answer(guest.ioctl(container, new Ioctl("?", ';', 250), 0))).isEqualTo("ENOTTY");
    int other = guest.container(guest.group(1), 2);
    assertThat(guest.unregister(other, 0, 0x1000)).isEqualTo("ENOTTY");
    assertThat(answer(guest.ioctl(other, new Ioctl("?", ';', 250), 0))).isEqualTo("ENOTTY");
  }

  @Test
  void structsOfWindowsAreChecked() {
    int container = v2();
    var create = VfioIommuSpaprTceCreate.STRUCT.allocate(guest.arena);
    VfioIommuSpaprTceCreate.ARGSZ.set(create, 39);
    assertThat(answer(guest.kernel.ioctl(container, Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE, create)))
        .isEqualTo("EINVAL");
    VfioIommuSpaprTceCreate.ARGSZ.set(create, 40);
    VfioIommuSpaprTceCreate.FLAGS.set(create, 1);
    assertThat(answer(guest.kernel.ioctl(container, Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE, create)))
        .isEqualTo("EINVAL");
    var remove = VfioIommuSpaprTceRemove.STRUCT.allocate(guest.arena);
    VfioIommuSpaprTceRemove.ARGSZ.set(remove, 15);
    assertThat(answer(guest.kernel.ioctl(container, Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE, remove)))
        .isEqualTo("EINVAL");
    VfioIommuSpaprTceRemove.ARGSZ.set(remove, 16);
    VfioIommuSpaprTceRemove.FLAGS.set(remove, 1);
    assertThat(answer(guest.kernel.ioctl(container, Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE, remove)))
        .isEqualTo("EINVAL");
    assertThat(guest.lockedKilobytes()).isZero();
  }

  @Test
  void mapChecksInTheKernelsOrder() {
    int container = v1();
    long memory = guest.memory(MIB);
    assertThat(guest.map(container, 0, memory, 0x1000, 4 | Guest.READ)).isEqualTo("EINVAL");
    assertThat(guest.map(container, WINDOW, memory + 1, 0x1000)).isEqualTo("ENXIO");
    assertThat(guest.map(container, 1, memory, 0x1001)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 1, memory, 0x1000, 0)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 1, memory, 0x1000)).isEqualTo("1");
    assertThat(guest.map(container, 0, 0x1000, 0x1000)).isEqualTo("EFAULT");
  }

  @Test
  void aMapThatFailsHalfWayLosesWhatItReplaced() {
    int container = v1();
    long memory = guest.memory(0x2000);
    guest.map(container, 0, memory, 0x1000);
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x1000);
    assertThat(guest.map(container, 0, memory + 0x1000, 0x2000)).isEqualTo("EFAULT");
    assertThat(guest.host.resources().dmaMappedBytes()).isZero();
  }

  @Test
  void aMapPastTheEndOfAPartitionsWindowIsTheHypervisorsErrorAsIfItWereEintr() {
    int container = v1();
    long memory = guest.memory(0x2000);
    assertThat(guest.map(container, WINDOW - 0x1000, memory, 0x2000)).isEqualTo("EINTR");
    assertThat(guest.host.resources().dmaMappedBytes()).isZero();
  }

  @Test
  void aMapPastTheEndOfAWindowOfVersion2MayCrashTheKernel() {
    int container = v2();
    long memory = guest.memory(MIB);
    guest.register(container, memory, MIB);
    assertThatThrownBy(() -> guest.map(container, WINDOW - 0x1000, memory, 0x2000))
        .isInstanceOf(HarmfulCallException.class)
        .hasMessageContaining("0x40000000");
  }

  @Test
  void aMapPastTheEndOfAnIoda2WindowIsNothingToRelyOn() {
    use("powernv-6.12");
    int container = v1();
    long memory = guest.memory(0x20000);
    assertThatThrownBy(() -> guest.map(container, 0x8000_0000L - 0x10000, memory, 0x20000))
        .isInstanceOf(HarmfulCallException.class);
  }

  @Test
  void anUnmapPastTheEndOfAPartitionsWindowClearsWhatIsInIt() {
    int container = v1();
    long memory = guest.memory(0x2000);
    guest.map(container, WINDOW - 0x2000, memory, 0x2000);
    assertThat(guest.unmap(container, WINDOW - 0x1000, 0x2000)).isEqualTo("0");
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x1000);
    assertThat(guest.unmap(container, 0x800, 0x1000)).isEqualTo("1");
    assertThat(guest.unmap(container, 0, 0x800)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(container, 0, 0x1000, 2)).isEqualTo("EINVAL");
  }

  @Test
  void anUnmapPastTheEndOfAnIoda2WindowIsNoErrnoAndDoesNothing() {
    use("powernv-6.12");
    int container = v1();
    long memory = guest.memory(0x20000);
    long end = 0x8000_0000L;
    guest.map(container, end - 0x10000, memory, 0x10000);
    assertThat(guest.unmap(container, end - 0x10000, 0x20000)).isEqualTo("1");
    assertThat(guest.unmap(container, end - 0x10000, -0x10000)).isEqualTo("1");
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x10000);
  }

  @Test
  void closingGivesBackEverything() {
    var before = guest.host.resources();
    int group = guest.group(0);
    int container = guest.container(group, 7);
    long memory = guest.memory(MIB);
    guest.register(container, memory, MIB);
    guest.map(container, 0, memory, MIB);
    guest.create(container, 16, WINDOW, 1);
    // The region, 8 bytes for each of 262144 4 KiB pages and of 16384 64 KiB pages.
    assertThat(guest.lockedKilobytes()).isEqualTo(1024 + 2048 + 128);
    guest.close(group, container);
    guest.kernel.munmap(memory, MIB);
    assertThat(guest.host.resources()).isEqualTo(before);
  }

  @Test
  void aRegionMustBeWholePages() {
    int container = v2();
    long memory = guest.memory(MIB);
    assertThat(guest.register(container, memory + 0x800, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.register(container, memory, 0x800)).isEqualTo("EINVAL");
    assertThat(guest.register(container, -0x1000, 0x2000)).isEqualTo("EINVAL");
    assertThat(guest.register(container, memory, 0)).isEqualTo("ENOMEM");
    assertThat(guest.register(container, 0x1000, 0x1000)).isEqualTo("EFAULT");
    assertThat(guest.unregister(container, memory + 0x800, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.lockedKilobytes()).isZero();
  }

  @Test
  void aRegionThatIsThereInPartAnswersHowManyPages() {
    int container = v2();
    long memory = guest.memory(0x4000);
    guest.kernel.munmap(memory + 0x3000, 0x1000);
    assertThat(guest.register(container, memory, 0x4000)).isEqualTo("3");
    assertThat(guest.lockedKilobytes()).isZero();
    assertThat(guest.map(container, 0, memory, 0x1000)).isEqualTo("EPERM");
  }

  @Test
  void unregisterNeedsAProcessThatRegistered() {
    int container = v2();
    assertThat(guest.unregister(container, 0, 0x1000)).isEqualTo("EPERM");
    guest.remove(container, 0);
    assertThat(guest.unregister(container, 0, 0x1000)).isEqualTo("ENOENT");
  }

  @Test
  void containersShareARegionAndItsCharge() {
    int first = v2();
    int second = guest.container(guest.group(1), 7);
    long memory = guest.memory(MIB);
    assertThat(guest.register(first, memory, MIB)).isEqualTo("0");
    assertThat(guest.register(second, memory, MIB)).isEqualTo("0");
    assertThat(guest.lockedKilobytes()).isEqualTo(1024);
    assertThat(guest.unregister(first, memory, MIB)).isEqualTo("0");
    assertThat(guest.lockedKilobytes()).isEqualTo(1024);
    assertThat(guest.unregister(second, memory, MIB)).isEqualTo("0");
    assertThat(guest.lockedKilobytes()).isZero();
  }

  @Test
  void anIommuPageMayNotBeLargerThanWhatBacksIt() {
    int container = v2();
    long memory = guest.memory(MIB);
    long aligned = (memory + 0xffff) & -0x10000L;
    guest.register(container, aligned, 0x10000);
    guest.create(container, 16, WINDOW, 1);
    assertThat(guest.map(container, SECOND_WINDOW, aligned, 0x10000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, aligned, 0x10000)).isEqualTo("0");
  }

  /** Cancelling the pending default window leaves it in the hypervisor. */
  @Test
  void aWindowOfTheHypervisorIsNeverAtZero() {
    int container = v2();
    guest.remove(container, 0);
    assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("0 · start 800000000000000");
    assertThat(guest.remove(container, SECOND_WINDOW)).isEqualTo("0");
    assertThat(guest.create(container, 12, 2 * WINDOW, 1)).isEqualTo("0 · start 800000000000000");
  }

  @Test
  void thereAreTwoWindows() {
    int container = v2();
    assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("0 · start 800000000000000");
    assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("ENOSPC");
  }

  @Test
  void ioda2WindowsHaveAtLeastAPageOfEntries() {
    use("powernv-6.12");
    int container = guest.container(guest.group(0), 7);
    guest.remove(container, 0);
    assertThat(guest.create(container, 16, 1 << 20, 1)).isEqualTo("0 · start 0");
    assertThat(guest.remove(container, (8192L << 16) - 1)).isEqualTo("0");
    assertThat(guest.remove(container, 0)).isEqualTo("EINVAL");
  }

  @Test
  void theDefaultWindowDoesNotComeBackBesideAnother() {
    int container = v2();
    assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("0 · start 800000000000000");
    assertThat(guest.remove(container, 0)).isEqualTo("0");
    assertThat(guest.create(container, 12, WINDOW, 1)).isEqualTo("EPERM");
    assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("EPERM");
    assertThat(guest.remove(container, SECOND_WINDOW)).isEqualTo("0");
    assertThat(guest.create(container, 12, WINDOW / 2, 1)).isEqualTo("0 · start 0");
  }

  @Test
  void whatIsRefusedForItsSizeOrLevelsPoisonsNothing() {
    int container = v2();
    guest.remove(container, 0);
    assertThat(guest.create(container, 13, WINDOW, 1)).isEqualTo("EINVAL");
    assertThat(guest.create(container, 12, 0x3000_0000L, 1)).isEqualTo("EINVAL");
    assertThat(guest.create(container, 12, 1L << 50, 1)).isEqualTo("EINVAL");
    assertThat(guest.create(container, 24, 0x80_0000L, 1)).isEqualTo("EINVAL");
    assertThat(guest.create(container, 12, WINDOW, 1)).isEqualTo("0 · start 0");
  }

  @Test
  void aWindowThatIsRefusedStaysCharged() {
    int container = v2();
    guest.remove(container, 0);
    assertThat(guest.create(container, 12, 0x3000_0000L, 1)).isEqualTo("EINVAL");
    assertThat(guest.lockedKilobytes()).isEqualTo(1536);
    assertThat(guest.create(container, 12, WINDOW, 2)).isEqualTo("EINVAL");
    assertThat(guest.lockedKilobytes()).isEqualTo(1536 + 0x3f_fffcL);
  }

  @Test
  void aWindowThatTheHypervisorRefusesPoisonsTheDevice() {
    int container = v2();
    guest.remove(container, 0);
    assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("0 · start 800000000000000");
    assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("ENODEV");
    assertThat(guest.remove(container, SECOND_WINDOW)).isEqualTo("0");
    assertThat(guest.create(container, 12, WINDOW, 1)).isEqualTo("ENODEV");
  }

  @Test
  void theHypervisorHasNoWindowOfMorePagesThan32BitsCount() {
    int container = v2();
    assertThat(guest.create(container, 12, 1L << 45, 1)).isEqualTo("ENODEV");
    assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("ENODEV");
  }

  @Test
  void aSecondGroupWithAWindowIsRefusedOnAPartition() {
    int container = v2();
    guest.create(container, 16, WINDOW, 1);
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("EPERM");
  }

  @Test
  void aSecondGroupOnAPartitionMakesTheFirstWindowFail() {
    int container = v2();
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("0");
    guest.remove(container, 0);
    assertThat(guest.create(container, 12, WINDOW, 1)).isEqualTo("EPERM");
  }

  @Test
  void linux68BorrowsTheHostsTable() {
    use("pseries-6.8");
    int container = v1();
    long memory = guest.memory(0x10000);
    assertThat(guest.spaprInfo(container))
        .isEqualTo("0 · flags 0 win 0+40000000 ddw pgsizes 0 max_win 0 levels 0");
    assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("0");
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("EBUSY");
  }

  @Test
  void ioda2BeforeOwnershipHasVersion2Only() {
    use("powernv-5.10");
    int group = guest.group(0);
    int container = guest.container();
    guest.setContainer(group, container);
    assertThat(guest.setIommu(container, 2)).isEqualTo("EPERM");
    assertThat(guest.setIommu(container, 7)).isEqualTo("0");
    assertThat(guest.spaprInfo(container))
        .isEqualTo("0 · flags 1 win 0+80000000 ddw pgsizes 40211000 max_win 2 levels 5");
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("0");
  }

  @Test
  void ioda2GroupsShareWindows() {
    use("powernv-6.12");
    int first = guest.group(0);
    int container = guest.container(first, 7);
    long memory = guest.memory(0x10000);
    guest.register(container, memory, 0x10000);
    assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("0");
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("0");
    guest.close(first);
    // A leaving group takes the entries of the shared windows with it.
    assertThat(guest.host.resources().dmaMappedBytes()).isZero();
    assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("0");
  }

  @Test
  void ioda2TablesCountTwiceAndHaveUpToFiveLevels() {
    use("powernv-6.12");
    int container = v2();
    guest.remove(container, 0);
    assertThat(guest.create(container, 16, 1L << 32, 0)).isEqualTo("EINVAL");
    assertThat(guest.create(container, 16, 1L << 32, 6)).isEqualTo("EINVAL");
    assertThat(guest.create(container, 16, 3L << 30, 1)).isEqualTo("EINVAL");
    assertThat(guest.create(container, 15, 1L << 32, 1)).isEqualTo("EINVAL");
    assertThat(guest.lockedKilobytes()).isZero();
    assertThat(guest.create(container, 16, 1L << 32, 1)).isEqualTo("0 · start 0");
    assertThat(guest.lockedKilobytes()).isEqualTo(2 * 512);
    assertThat(guest.create(container, 12, 1L << 32, 4)).isEqualTo("EINVAL");
    assertThat(guest.create(container, 12, 1L << 40, 1)).isEqualTo("ENOMEM");
    assertThat(guest.create(container, 16, 1L << 40, 2)).isEqualTo("0 · start 800000000000000");
  }

  @Test
  void ioda2RegistersPagesOf64KiB() {
    use("powernv-6.12");
    int container = v2();
    long memory = guest.memory(0x20000);
    assertThat(memory % 0x10000).isZero();
    assertThat(guest.register(container, memory, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.register(container, memory, 0x20000)).isEqualTo("0");
    guest.create(container, 16, 1L << 32, 1);
    assertThat(guest.map(container, SECOND_WINDOW, memory, 0x20000)).isEqualTo("0");
    assertThat(guest.map(container, 0, memory, 0x1000)).isEqualTo("0");
  }

  @Test
  void aPoisonedDeviceStaysPoisonedForEveryContainer() {
    use("pseries-6.12-noddw");
    int group = guest.group(0);
    int container = guest.container(group, 2);
    guest.enable(container);
    assertThat(guest.map(container, 0, guest.memory(0x1000), 0x1000)).isEqualTo("EINVAL");
    guest.close(group, container);
    group = guest.group(0);
    container = guest.container(group, 2);
    guest.enable(container);
    assertThat(guest.map(container, 0, guest.memory(0x1000), 0x1000)).isEqualTo("ENODEV");
    int other = guest.container(guest.group(1), 2);
    guest.enable(other);
    assertThat(guest.map(other, 0, guest.memory(0x1000), 0x1000)).isEqualTo("EINVAL");
  }
}
