// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.sim.IommufdGuest.ALL;
import static io.jvfio.sim.IommufdGuest.FIXED;
import static io.jvfio.sim.IommufdGuest.READ;
import static io.jvfio.sim.IommufdGuest.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.IommuIoasAllowIovas;
import io.jvfio.linux.uapi.IommuIoasIovaRanges;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Layouts;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class IoasTest {
  private static final long PAGE = 4096;
  private static final long MIB = 1 << 20;

  private IommufdGuest guest = new IommufdGuest();

  @AfterEach
  void close() {
    guest.close();
  }

  private int attached() {
    int node = guest.node(0);
    guest.bind(node);
    int ioas = guest.ioas();
    assertThat(guest.attach(node, ioas)).isPositive();
    return ioas;
  }

  @Test
  void withoutADeviceAllAddressesAreRightDownToTheByte() {
    int ioas = guest.ioas();
    assertThat(guest.ranges(ioas)).containsExactly("0", "0-ffffffffffffffff", "aligned to 1");
    assertThat(guest.map(ioas, 5, guest.guest.memory(PAGE) + 9, 7)).isEqualTo("0");
    assertThat(guest.unmap(ioas, 5, 6)).isEqualTo("ENOENT");
    assertThat(guest.unmap(ioas, 5, 7)).isEqualTo("7");
  }

  @Test
  void aDeviceTakesAddressesAwayAndAlignsTheRest() {
    int ioas = attached();
    assertThat(guest.ranges(ioas))
        .containsExactly("0", "0-fedfffff", "fef00000-ffffffffffff", "aligned to 4096");
    long memory = guest.guest.memory(MIB);
    assertThat(guest.map(ioas, 0xfee0_0000L, memory, PAGE)).isEqualTo("EINVAL");
    assertThat(guest.map(ioas, 1L << 48, memory, PAGE)).isEqualTo("EINVAL");
    assertThat(guest.map(ioas, 5, memory, PAGE)).isEqualTo("EINVAL");
    assertThat(guest.map(ioas, -PAGE, memory, 2 * PAGE)).isEqualTo("EOVERFLOW");
  }

  @Test
  void anArrayThatIsTooSmallStillTellsHowManyRangesThereAre() {
    int ioas = attached();
    var array = guest.guest.arena.allocate(32, 8);
    var ranges = IommuIoasIovaRanges.STRUCT.allocate(guest.guest.arena);
    IommuIoasIovaRanges.IOAS_ID.set(ranges, ioas);
    IommuIoasIovaRanges.NUM_IOVAS.set(ranges, 1);
    IommuIoasIovaRanges.ALLOWED_IOVAS.set(ranges, array.address());

    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_IOAS_IOVA_RANGES, ranges))
        .isEqualTo(Errno.EMSGSIZE.result());
    assertThat(IommuIoasIovaRanges.NUM_IOVAS.get(ranges)).isEqualTo(2);
    assertThat(IommuIoasIovaRanges.OUT_IOVA_ALIGNMENT.get(ranges)).isEqualTo(PAGE);
    assertThat(array.get(Layouts.U64, 8)).isEqualTo(0xfedf_ffffL);
    assertThat(array.get(Layouts.U64, 16)).isZero();
  }

  @Test
  void theKernelChoosesTheLowestFreePlaceThatIsAlignedAsTheMemoryIs() {
    int ioas = guest.ioas();
    long memory = (guest.guest.memory(8 * MIB) + 2 * MIB - 1) & -2 * MIB;
    assertThat(guest.map(ioas, READ, 77, memory, PAGE)).isEqualTo(PAGE);
    assertThat(guest.map(ioas, READ, 77, memory, 3 * PAGE)).isEqualTo(4 * PAGE);
    assertThat(guest.map(ioas, READ, 77, memory + 7, 9)).isEqualTo(2 * PAGE + 7);
    assertThat(guest.map(ioas, READ, 77, memory, 4 * MIB)).isEqualTo(2 * MIB);
    assertThat(guest.map(ioas, READ, 77, memory, Long.MAX_VALUE))
        .isEqualTo(Errno.EOVERFLOW.result());
  }

  @Test
  void anAllowedListLimitsWhatTheKernelChooses() {
    int ioas = guest.ioas();
    var array = guest.guest.arena.allocate(16, 8);
    array.set(Layouts.U64, 0, 0x10_0000L);
    array.set(Layouts.U64, 8, 0x10_1fffL);
    var allow = IommuIoasAllowIovas.STRUCT.allocate(guest.guest.arena);
    IommuIoasAllowIovas.IOAS_ID.set(allow, ioas);
    IommuIoasAllowIovas.NUM_IOVAS.set(allow, 1);
    IommuIoasAllowIovas.ALLOWED_IOVAS.set(allow, array.address());
    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_IOAS_ALLOW_IOVAS, allow)).isZero();

    long memory = guest.guest.memory(MIB);
    assertThat(guest.map(ioas, READ, 0, memory, PAGE)).isEqualTo(0x10_0000);
    assertThat(guest.map(ioas, READ, 0, memory, PAGE)).isEqualTo(0x10_1000);
    assertThat(guest.map(ioas, READ, 0, memory, PAGE)).isEqualTo(Errno.ENOSPC.result());
    assertThat(guest.map(ioas, 0x90_0000, memory, PAGE)).isEqualTo("0");

    array.set(Layouts.U64, 8, 0xffL);
    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_IOAS_ALLOW_IOVAS, allow))
        .isEqualTo(Errno.EINVAL.result());
  }

  @Test
  void whatIsAllowedCannotBeReservedNorTheOtherWayRound() {
    int ioas = guest.ioas();
    var array = guest.guest.arena.allocate(16, 8);
    array.set(Layouts.U64, 8, -1L);
    var allow = IommuIoasAllowIovas.STRUCT.allocate(guest.guest.arena);
    IommuIoasAllowIovas.IOAS_ID.set(allow, ioas);
    IommuIoasAllowIovas.NUM_IOVAS.set(allow, 1);
    IommuIoasAllowIovas.ALLOWED_IOVAS.set(allow, array.address());
    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_IOAS_ALLOW_IOVAS, allow)).isZero();

    int node = guest.node(0);
    guest.bind(node);
    assertThat(guest.attach(node, ioas)).isEqualTo(Errno.EADDRINUSE.result());
    int other = guest.ioas();
    assertThat(guest.attach(node, other)).isPositive();
    IommuIoasAllowIovas.IOAS_ID.set(allow, other);
    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_IOAS_ALLOW_IOVAS, allow))
        .isEqualTo(Errno.EADDRINUSE.result());
  }

  @Test
  void mappingsDoNotOverlapAndAreUnmappedWhole() {
    int ioas = attached();
    long memory = guest.guest.memory(MIB);
    assertThat(guest.map(ioas, 0x10_0000, memory, 4 * PAGE)).isEqualTo("0");
    assertThat(guest.map(ioas, 0x10_3000, memory, 2 * PAGE)).isEqualTo("EEXIST");
    assertThat(guest.map(ioas, 0x10_4000, memory, PAGE)).isEqualTo("0");
    assertThat(guest.unmap(ioas, 0x10_1000, PAGE)).isEqualTo("ENOENT");
    assertThat(guest.unmap(ioas, 0x10_4000, 0)).isEqualTo("EINVAL");
    assertThat(guest.unmap(ioas, 0x20_0000, PAGE)).isEqualTo("ENOENT");
    assertThat(guest.unmap(ioas, 0, MIB)).isEqualTo("ENOENT");
    assertThat(guest.unmap(ioas, 0, 2 * MIB)).isEqualTo("5000");
    assertThat(guest.unmap(ioas, 0, -1)).isEqualTo("0");
  }

  @Test
  void whatCameBeforeTheOneThatSticksOutIsUnmapped() {
    int ioas = attached();
    long memory = guest.guest.memory(MIB);
    guest.map(ioas, 0x10_0000, memory, PAGE);
    guest.map(ioas, 0x11_0000, memory, 4 * PAGE);
    assertThat(guest.unmap(ioas, 0x10_0000, 0x1_1000)).isEqualTo("ENOENT");
    assertThat(guest.unmap(ioas, 0x10_0000, PAGE)).isEqualTo("ENOENT");
    assertThat(guest.unmap(ioas, 0x11_0000, 4 * PAGE)).isEqualTo("4000");
  }

  @Test
  void memoryIsLookedAtWhenADeviceCouldReachIt() {
    int node = guest.node(0);
    guest.bind(node);
    int ioas = guest.ioas();
    assertThat(guest.map(ioas, 0, 8 * PAGE, PAGE)).isEqualTo("0");
    assertThat(guest.attach(node, ioas)).isEqualTo(Errno.EFAULT.result());
    guest.unmap(ioas, 0, PAGE);
    assertThat(guest.attach(node, ioas)).isPositive();
    assertThat(guest.map(ioas, 0, 8 * PAGE, PAGE)).isEqualTo("EFAULT");
    long readOnly =
        guest.kernel.mmap(PAGE, Kernel.PROT_READ, Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS, -1, 0);
    assertThat(guest.map(ioas, 0, readOnly, PAGE)).isEqualTo("EFAULT");
    assertThat(guest.map(ioas, FIXED | READ, 0, readOnly, PAGE)).isZero();
  }

  @Test
  void aCopyNeedsNoMemoryOfItsOwn() throws Exception {
    int ioas = attached();
    long memory = guest.guest.memory(MIB);
    guest.map(ioas, 0, memory, 4 * PAGE);
    assertThat(guest.pinnedKilobytes()).isEqualTo(16);
    guest.kernel.munmap(memory, MIB);
    assertThat(guest.copy(ioas, 0x10_0000, ioas, PAGE, 2 * PAGE, ALL)).isEqualTo("0");
    assertThat(guest.pinnedKilobytes()).isEqualTo(16);
    guest.unmap(ioas, 0, 4 * PAGE);
    assertThat(guest.pinnedKilobytes()).isEqualTo(8);
    assertThat(guest.copy(ioas, 0, ioas, 0, PAGE, ALL)).isEqualTo("ENOENT");
    guest.unmap(ioas, 0, -1);
    assertThat(guest.pinnedKilobytes()).isZero();
  }

  @Test
  void aCopyCannotBeWrittenWhereTheFirstCouldNot() {
    int ioas = attached();
    guest.map(ioas, FIXED | READ, 0, guest.guest.memory(PAGE), PAGE);
    assertThat(guest.copy(ioas, 0x10_0000, ioas, 0, PAGE, ALL)).isEqualTo("EPERM");
    assertThat(guest.copy(ioas, 0x10_0000, ioas, 0, PAGE, FIXED | READ)).isEqualTo("0");
    assertThat(guest.copy(ioas, 0x20_0000, ioas, 0, PAGE, FIXED)).isEqualTo("EINVAL");
    assertThat(guest.copy(99, 0, ioas, 0, PAGE, FIXED | WRITE)).isEqualTo("ENOENT");
  }

  @Test
  void lockedMemoryCountsWithTheUserAndNotTheProcess() {
    use(HostOptions.unprivileged().withGroupAccess());
    int ioas = attached();
    long memory = guest.guest.memory(MIB);
    assertThat(guest.map(ioas, 0, memory, 17 * PAGE)).isEqualTo("ENOMEM");
    assertThat(guest.map(ioas, 0, memory, 16 * PAGE)).isEqualTo("0");
    assertThat(guest.guest.lockedKilobytes()).isZero();
    assertThat(guest.map(ioas, MIB, memory, PAGE)).isEqualTo("ENOMEM");
    assertThat(guest.unmap(ioas, 0, 16 * PAGE)).isEqualTo("10000");
    assertThat(guest.map(ioas, MIB, memory, PAGE)).isEqualTo("0");
  }

  @Test
  void lockedMemoryCountsWithTheProcessWhenThatIsChosen() {
    use(HostOptions.unprivileged().withUid(0).withCapability(Capability.SYS_RESOURCE));
    assertThat(guest.option(Iommufd.IOMMU_OPTION_RLIMIT_MODE, Iommufd.IOMMU_OPTION_OP_SET, 0, 1))
        .isEqualTo("0");
    int ioas = attached();
    assertThat(guest.map(ioas, 0, guest.guest.memory(MIB), 16 * PAGE)).isEqualTo("0");
    assertThat(guest.guest.lockedKilobytes()).isEqualTo(64);
    guest.unmap(ioas, 0, -1);
    assertThat(guest.guest.lockedKilobytes()).isZero();
  }

  @Test
  void whoMayLockAnythingIsNotCounted() throws Exception {
    use(HostOptions.unprivileged().withUid(0).withCapability(Capability.IPC_LOCK));
    int ioas = attached();
    assertThat(guest.map(ioas, 0, guest.guest.memory(MIB), MIB)).isEqualTo("0");
    assertThat(guest.guest.lockedKilobytes()).isZero();
    assertThat(guest.pinnedKilobytes()).isEqualTo(1024);
  }

  @Test
  void smallPagesAreChosenBeforeADeviceHasAny() {
    int option = Iommufd.IOMMU_OPTION_HUGE_PAGES;
    int set = Iommufd.IOMMU_OPTION_OP_SET;
    int ioas = attached();
    assertThat(guest.option(option, Iommufd.IOMMU_OPTION_OP_GET, ioas, 7)).isEqualTo("is 1");
    guest.map(ioas, 0, guest.guest.memory(PAGE), PAGE);
    assertThat(guest.option(option, set, ioas, 0)).isEqualTo("EINVAL");
    guest.unmap(ioas, 0, PAGE);
    assertThat(guest.option(option, set, ioas, 0)).isEqualTo("0");
    assertThat(guest.option(option, Iommufd.IOMMU_OPTION_OP_GET, ioas, 7)).isEqualTo("is 0");
    assertThat(guest.option(option, set, ioas, 2)).isEqualTo("EINVAL");
    assertThat(guest.option(option, set, 99, 0)).isEqualTo("ENOENT");
  }

  private void use(HostOptions options) {
    guest.close();
    guest = new IommufdGuest(options);
  }
}
