// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.IommuHwInfo;
import io.jvfio.linux.uapi.IommuIoasAlloc;
import io.jvfio.linux.uapi.IommuVfioIoas;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Layouts;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class IommufdTest {
  private final IommufdGuest guest = new IommufdGuest();

  @AfterEach
  void close() {
    guest.close();
  }

  private String allocate(int size, int tail, int flags) {
    var struct = guest.guest.arena.allocate(IommuIoasAlloc.BYTES + 4, 8);
    IommuIoasAlloc.SIZE.set(struct, size);
    IommuIoasAlloc.FLAGS.set(struct, flags);
    struct.set(Layouts.U32, IommuIoasAlloc.BYTES, tail);
    return Guest.answer(guest.ioctl(guest.iommufd, Iommufd.IOMMU_IOAS_ALLOC, struct));
  }

  @Test
  void aStructMayBeLongerWhileItsTailIsZero() {
    assertThat(allocate(11, 0, 0)).isEqualTo("EINVAL");
    assertThat(allocate(12, 7, 0)).isEqualTo("0");
    assertThat(allocate(16, 0, 0)).isEqualTo("0");
    assertThat(allocate(16, 7, 0)).isEqualTo("E2BIG");
    assertThat(allocate(20, 0, 0)).isEqualTo("EFAULT");
  }

  @Test
  void flagsThatNobodyKnowsAreNotSupported() {
    assertThat(allocate(12, 0, 1)).isEqualTo("EOPNOTSUPP");
  }

  @Test
  void theLowestFreeNumberIsGivenOut() {
    assertThat(guest.ioas()).isEqualTo(1);
    assertThat(guest.ioas()).isEqualTo(2);
    assertThat(guest.destroy(1)).isEqualTo("0");
    assertThat(guest.destroy(1)).isEqualTo("ENOENT");
    assertThat(guest.ioas()).isEqualTo(1);
    assertThat(guest.ioas()).isEqualTo(3);
  }

  @Test
  void whatIsNeededCannotBeDestroyed() {
    int node = guest.node(0);
    int device = guest.bind(node);
    int ioas = guest.ioas();
    int table = guest.attach(node, ioas);

    assertThat(guest.destroy(device)).isEqualTo("EBUSY");
    assertThat(guest.destroy(ioas)).isEqualTo("EBUSY");
    assertThat(guest.destroy(table)).isEqualTo("EBUSY");
    guest.guest.close(node);
    assertThat(guest.destroy(device)).isEqualTo("ENOENT");
    assertThat(guest.destroy(table)).isEqualTo("ENOENT");
    assertThat(guest.destroy(ioas)).isEqualTo("0");
  }

  @Test
  void closingFreesEverything() {
    var before = guest.guest.host.resources();
    int file = guest.guest.open("/dev/iommu");
    int node = guest.node(0);
    guest.bind(node, file);
    guest.guest.close(file);
    guest.guest.close(node);
    assertThat(guest.guest.host.resources()).isEqualTo(before);
  }

  @Test
  void theModeOfCountingIsChosenBeforeThereAreObjects() {
    int mode = Iommufd.IOMMU_OPTION_RLIMIT_MODE;
    int set = Iommufd.IOMMU_OPTION_OP_SET;
    assertThat(guest.option(mode, Iommufd.IOMMU_OPTION_OP_GET, 0, 7)).isEqualTo("is 0");
    assertThat(guest.option(mode, set, 0, 2)).isEqualTo("EINVAL");
    assertThat(guest.option(mode, set, 1, 1)).isEqualTo("EOPNOTSUPP");
    assertThat(guest.option(mode, set, 0, 1)).isEqualTo("0");
    assertThat(guest.option(mode, Iommufd.IOMMU_OPTION_OP_GET, 0, 7)).isEqualTo("is 1");
    guest.ioas();
    assertThat(guest.option(mode, set, 0, 0)).isEqualTo("EBUSY");
  }

  @Test
  void onlyWhoHasTheRightChoosesTheModeOfCounting() {
    try (var other =
        new IommufdGuest(HostOptions.defaults().withoutCapability(Capability.SYS_RESOURCE))) {
      assertThat(other.option(Iommufd.IOMMU_OPTION_RLIMIT_MODE, Iommufd.IOMMU_OPTION_OP_SET, 0, 1))
          .isEqualTo("EPERM");
    }
  }

  @Test
  void theAddressSpaceOfContainerCommandsGoesWithItsObject() {
    var struct = IommuVfioIoas.STRUCT.allocate(guest.guest.arena);
    IommuVfioIoas.IOAS_ID.set(struct, guest.ioas());
    IommuVfioIoas.OP.set(struct, (short) Iommufd.IOMMU_VFIO_IOAS_SET);
    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_VFIO_IOAS, struct)).isZero();
    IommuVfioIoas.OP.set(struct, (short) Iommufd.IOMMU_VFIO_IOAS_GET);
    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_VFIO_IOAS, struct)).isZero();
    assertThat(guest.destroy(1)).isEqualTo("0");
    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_VFIO_IOAS, struct))
        .isEqualTo(Errno.ENODEV.result());
  }

  @Test
  void hardwareInfoFillsWhatRoomThereIsAndClearsTheRest() {
    int device = guest.bind(guest.node(0));
    var data = guest.guest.arena.allocate(32, 8).fill((byte) 0xff);
    var info = IommuHwInfo.STRUCT.allocate(guest.guest.arena);
    IommuHwInfo.DEV_ID.set(info, device);
    IommuHwInfo.DATA_LEN.set(info, 28);
    IommuHwInfo.DATA_UPTR.set(info, data.address());

    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_GET_HW_INFO, info)).isZero();
    assertThat(IommuHwInfo.DATA_LEN.get(info)).isEqualTo(24);
    assertThat(IommuHwInfo.OUT_DATA_TYPE.get(info)).isEqualTo(Iommufd.IOMMU_HW_INFO_TYPE_INTEL_VTD);
    assertThat(IommuHwInfo.OUT_CAPABILITIES.get(info)).isZero();
    assertThat(data.get(Layouts.U64, 8)).isEqualTo(0x80d2_008c_222f_0686L);
    assertThat(data.get(Layouts.U64, 16)).isEqualTo(0xf0_0f4aL);
    assertThat(data.get(Layouts.U64, 24)).isEqualTo(0xffff_ffff_0000_0000L);
  }

  @Test
  void thereIsNoIommufdOnOtherHosts() {
    try (var other = new Guest("x86-6.12")) {
      assertThat(Guest.answer(other.open("/dev/iommu"))).isEqualTo("ENOENT");
      assertThat(Guest.answer(other.open("/dev/vfio/devices/vfio0"))).isEqualTo("ENOENT");
    }
  }

  @Test
  void nodesAreForRootUnlessTheyAreGivenAway() {
    try (var other = new Guest(IommufdGuest.HOST, HostOptions.unprivileged())) {
      assertThat(Guest.answer(other.open("/dev/iommu"))).isEqualTo("EACCES");
      assertThat(Guest.answer(other.open("/dev/vfio/devices/vfio0"))).isEqualTo("EACCES");
    }
    try (var other = new Guest(IommufdGuest.HOST, HostOptions.unprivileged().withGroupAccess())) {
      assertThat(other.open("/dev/iommu")).isPositive();
      assertThat(other.open("/dev/vfio/devices/vfio0")).isPositive();
    }
  }
}
