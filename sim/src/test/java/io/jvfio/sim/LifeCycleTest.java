// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_CHECK_EXTENSION;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_GET_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_GET_API_VERSION;
import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_GET_STATUS;
import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_SET_CONTAINER;
import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_UNSET_CONTAINER;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_GET_INFO;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.VfioGroupStatus;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Containers, groups and device descriptors, on Linux 6.12 unless it says otherwise. */
class LifeCycleTest {
  private static final String D0 = "0000:00:01.0";
  private static final int NOT_A_FILE = 99;

  private Guest guest = new Guest("x86-6.12");

  @AfterEach
  void close() {
    guest.close();
  }

  private void use(String host, HostOptions options) {
    guest.close();
    guest = new Guest(host, options);
  }

  private String status(int group) {
    var status = VfioGroupStatus.STRUCT.allocate(guest.arena);
    int result = guest.kernel.ioctl(group, VFIO_GROUP_GET_STATUS, status);
    return result == 0 ? "flags " + VfioGroupStatus.FLAGS.get(status) : answer(result);
  }

  private String unset(int group) {
    return answer(guest.ioctl(group, VFIO_GROUP_UNSET_CONTAINER, 0));
  }

  @Test
  void aContainerAsksEveryDriverUntilItHasAType() {
    int container = guest.container();
    assertThat(answer(guest.ioctl(container, VFIO_GET_API_VERSION, 0))).isEqualTo("0");
    assertThat(extensions(container)).containsExactly(1, 3, 6, 9);
    int group = guest.group(1);
    guest.setContainer(group, container);
    assertThat(extensions(container)).containsExactly(1, 3, 6, 9);
    guest.setIommu(container, 1);
    assertThat(extensions(container)).containsExactly(1, 3, 6, 9, 10);
  }

  private int[] extensions(int container) {
    return IntStream.rangeClosed(0, 12)
        .filter(extension -> guest.ioctl(container, VFIO_CHECK_EXTENSION, extension) > 0)
        .toArray();
  }

  @Test
  void aContainerWithoutATypeKnowsNoOtherCommand() {
    int container = guest.container();
    assertThat(answer(guest.ioctl(container, VFIO_IOMMU_GET_INFO, 0))).isEqualTo("EINVAL");
    assertThat(answer(guest.ioctl(container, new Ioctl("?", ';', 250), 0))).isEqualTo("EINVAL");
    assertThat(answer(guest.ioctl(container, new Ioctl("?", 'x', 100), 0))).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0, 0, 0x1000)).isEqualTo("EINVAL");
  }

  @Test
  void aTypeNeedsAGroupAndComesOnce() {
    int container = guest.container();
    assertThat(guest.setIommu(container, 1)).isEqualTo("EINVAL");
    int group = guest.group(1);
    guest.setContainer(group, container);
    assertThat(guest.setIommu(container, 7)).isEqualTo("ENODEV");
    assertThat(guest.setIommu(container, 6)).isEqualTo("EINVAL");
    assertThat(guest.setIommu(container, 9)).isEqualTo("EINVAL");
    assertThat(guest.setIommu(container, 3)).isEqualTo("0");
    assertThat(guest.setIommu(container, 3)).isEqualTo("EINVAL");
    assertThat(answer(guest.ioctl(container, new Ioctl("?", ';', 250), 0))).isEqualTo("ENOTTY");
  }

  @Test
  void aGroupSaysWhetherItIsViableAndAttached() {
    int group = guest.group(1);
    assertThat(status(group)).isEqualTo("flags 1");
    guest.setContainer(group, guest.container());
    assertThat(status(group)).isEqualTo("flags 3");
    var tooShort = guest.arena.allocate(8, 4);
    VfioGroupStatus.ARGSZ.set(tooShort, 7);
    assertThat(answer(guest.kernel.ioctl(group, VFIO_GROUP_GET_STATUS, tooShort)))
        .isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.ioctl(group, VFIO_GROUP_GET_STATUS, MemorySegment.NULL)))
        .isEqualTo("EFAULT");
    assertThat(answer(guest.ioctl(group, VFIO_GROUP_GET_STATUS, 8))).isEqualTo("EFAULT");
    assertThat(answer(guest.ioctl(group, new Ioctl("?", ';', 250), 0))).isEqualTo("ENOTTY");
  }

  @Test
  void heapMemoryIsNoArgument() {
    int group = guest.group(1);
    var heap = MemorySegment.ofArray(new byte[8]);
    assertThatThrownBy(() -> guest.kernel.ioctl(group, VFIO_GROUP_GET_STATUS, heap))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aNumberCanBeTheAddressOfAnArgument() {
    int group = guest.group(1);
    long address = guest.memory(0x1000);
    guest.view(address, 8).set(ValueLayout.JAVA_INT, 0, 8);
    assertThat(answer(guest.ioctl(group, VFIO_GROUP_GET_STATUS, address))).isEqualTo("0");
    assertThat(guest.view(address, 8).get(ValueLayout.JAVA_INT, 4)).isEqualTo(1);
  }

  @Test
  void setContainerChecksDescriptorThenStateThenKind() {
    int group = guest.group(1);
    int other = guest.group(2);
    int container = guest.container();
    assertThat(guest.setContainer(group, NOT_A_FILE)).isEqualTo("EBADF");
    assertThat(guest.setContainer(group, -1)).isEqualTo("EBADF");
    assertThat(guest.setContainer(group, other)).isEqualTo("EBADFD");
    assertThat(answer(guest.kernel.ioctl(group, VFIO_GROUP_SET_CONTAINER, MemorySegment.NULL)))
        .isEqualTo("EFAULT");
    assertThat(guest.setContainer(group, container)).isEqualTo("0");
    assertThat(guest.setContainer(group, container)).isEqualTo("EINVAL");
    assertThat(guest.setContainer(group, other)).isEqualTo("EINVAL");
    assertThat(guest.setContainer(group, NOT_A_FILE)).isEqualTo("EBADF");
  }

  @Test
  void linux510ChecksTheStateFirst() {
    use("pseries-5.10", HostOptions.defaults());
    int group = guest.group(0);
    int other = guest.group(1);
    assertThat(guest.setContainer(group, -1)).isEqualTo("EINVAL");
    assertThat(guest.setContainer(group, other)).isEqualTo("EINVAL");
    assertThat(guest.setContainer(group, NOT_A_FILE)).isEqualTo("EBADF");
    guest.setContainer(group, guest.container());
    assertThat(guest.setContainer(group, NOT_A_FILE)).isEqualTo("EINVAL");
  }

  @Test
  void aDeviceNeedsItsNameThenAContainerThenAType() {
    int group = guest.group(1);
    int container = guest.container();
    assertThat(answer(guest.device(group, "0000:00:02.0"))).isEqualTo("ENODEV");
    assertThat(answer(guest.device(group, "nonsense"))).isEqualTo("ENODEV");
    assertThat(answer(guest.device(group, D0))).isEqualTo("EINVAL");
    guest.setContainer(group, container);
    assertThat(answer(guest.device(group, D0))).isEqualTo("EINVAL");
    guest.setIommu(container, 3);
    assertThat(answer(guest.device(group, D0 + "x"))).isEqualTo("ENODEV");
    assertThat(answer(guest.device(group, D0 + " nonsense"))).isEqualTo("EINVAL");
    assertThat(answer(guest.device(group, D0 + " vf_token=2ab74924-c335-45f4-9b16-8569e5b08258")))
        .isEqualTo("EINVAL");
    assertThat(answer(guest.device(group, "x".repeat(4096)))).isEqualTo("EINVAL");
    assertThat(guest.device(group, D0 + " ")).isPositive();
    assertThat(guest.device(group, D0)).isPositive();
  }

  @Test
  void linux510ChecksTheTypeBeforeTheName() {
    use("pseries-5.10", HostOptions.defaults());
    int group = guest.group(0);
    assertThat(answer(guest.device(group, "nonsense"))).isEqualTo("EINVAL");
    guest.container(group, 2);
    assertThat(answer(guest.device(group, "nonsense"))).isEqualTo("ENODEV");
  }

  @Test
  void aGroupIsOpenOnce() {
    int group = guest.group(1);
    assertThat(answer(guest.group(1))).isEqualTo("EBUSY");
    guest.close(group);
    assertThat(guest.group(1)).isPositive();
  }

  @Test
  void anOpenDeviceKeepsItsGroupOpenAndAttached() {
    int group = guest.group(1);
    guest.container(group, 3);
    int device = guest.device(group, D0);
    assertThat(unset(group)).isEqualTo("EBUSY");
    guest.close(group);
    assertThat(answer(guest.group(1))).isEqualTo("EBUSY");
    assertThat(guest.host.resources().attachedGroups()).isEqualTo(1);
    guest.close(device);
    assertThat(guest.host.resources().attachedGroups()).isZero();
    assertThat(guest.group(1)).isPositive();
  }

  @Test
  void twoDescriptorsOfADeviceAreOneOpenDevice() {
    int group = guest.group(1);
    guest.container(group, 3);
    int first = guest.device(group, D0);
    int second = guest.device(group, D0);
    assertThat(guest.host.resources().openDevices()).isEqualTo(1);
    guest.close(first);
    assertThat(unset(group)).isEqualTo("EBUSY");
    guest.close(second);
    assertThat(unset(group)).isEqualTo("0");
    assertThat(unset(group)).isEqualTo("EINVAL");
  }

  @Test
  void closingTheContainerFreesNothingThatAGroupHolds() {
    int group = guest.group(1);
    int container = guest.container(group, 3);
    guest.map(container, 0, guest.memory(0x1000), 0x1000);
    guest.close(container);
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x1000);
    assertThat(status(group)).isEqualTo("flags 3");
    guest.close(group);
    assertThat(guest.host.resources().dmaMappedBytes()).isZero();
    assertThat(guest.host.resources().lockedBytes()).isZero();
  }

  @Test
  void theLastGroupTakesTheTypeAwayAndTheContainerCanHaveAnother() {
    int first = guest.group(1);
    int second = guest.group(2);
    int container = guest.container(first, 3);
    assertThat(guest.setContainer(second, container)).isEqualTo("0");
    guest.map(container, 0, guest.memory(0x1000), 0x1000);
    assertThat(unset(first)).isEqualTo("0");
    assertThat(guest.host.resources().dmaMappedBytes()).isEqualTo(0x1000);
    assertThat(unset(second)).isEqualTo("0");
    assertThat(guest.host.resources().dmaMappedBytes()).isZero();
    assertThat(guest.map(container, 0, guest.memory(0x1000), 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.setIommu(container, 1)).isEqualTo("EINVAL");
    guest.setContainer(first, container);
    assertThat(guest.setIommu(container, 1)).isEqualTo("0");
  }

  @Test
  void aRefusedTypeKeepsTheGroups() {
    use("pseries-6.8", HostOptions.defaults());
    int group = guest.group(0);
    int container = guest.container();
    guest.setContainer(group, container);
    assertThat(guest.setIommu(container, 7)).isEqualTo("EINVAL");
    assertThat(status(group)).isEqualTo("flags 3");
    assertThat(guest.setIommu(container, 2)).isEqualTo("0");
  }

  @Test
  void aHostDriverInTheGroupStopsItAtSetContainer() {
    use("x86-6.12", HostOptions.defaults().withSibling("0000:00:01.1", "0000:00:01.0", "e1000e"));
    int group = guest.group(1);
    assertThat(status(group)).isEqualTo("flags 0");
    assertThat(guest.setContainer(group, guest.container())).isEqualTo("EPERM");
    assertThat(status(group)).isEqualTo("flags 0");
  }

  @Test
  void aHostDriverInTheGroupStopsLinux510AtTheDevice() {
    use(
        "pseries-5.10",
        HostOptions.defaults().withSibling("0000:00:01.0", "0000:00:00.0", "e1000e"));
    int group = guest.group(0);
    assertThat(status(group)).isEqualTo("flags 0");
    guest.container(group, 2);
    assertThat(status(group)).isEqualTo("flags 2");
    assertThat(answer(guest.device(group, "0000:00:00.0"))).isEqualTo("EINVAL");
  }

  @Test
  void driversThatLeaveDmaAloneDoNotMatter() {
    use("x86-6.12", HostOptions.defaults().withSibling("0000:00:01.1", "0000:00:01.0", "pci-stub"));
    int group = guest.group(1);
    assertThat(status(group)).isEqualTo("flags 1");
    assertThat(guest.setContainer(group, guest.container())).isEqualTo("0");
  }

  @Test
  void withoutInterruptIsolationType1TakesNoGroup() {
    use("x86-6.12", HostOptions.defaults().withoutInterruptIsolation());
    int container = guest.container();
    int group = guest.group(1);
    guest.setContainer(group, container);
    assertThat(guest.setIommu(container, 3)).isEqualTo("EPERM");
  }

  @Test
  void withoutAnIommuDriverAContainerKnowsNoType() {
    use("x86-6.12", HostOptions.defaults().withoutIommuDriver());
    int container = guest.container();
    assertThat(extensions(container)).isEmpty();
    guest.setContainer(guest.group(1), container);
    assertThat(guest.setIommu(container, 1)).isEqualTo("ENODEV");
  }

  @Test
  void groupsWithoutAnIommuAreForTheirOwnTypeOnly() {
    use("x86-noiommu", HostOptions.defaults());
    int container = guest.container();
    assertThat(extensions(container)).containsExactly(1, 3, 6, 8, 9);
    int group = guest.open("/dev/vfio/noiommu-0");
    assertThat(guest.setContainer(group, container)).isEqualTo("0");
    assertThat(extensions(container)).containsExactly(8);
    assertThat(guest.setIommu(container, 1)).isEqualTo("ENODEV");
    assertThat(guest.setIommu(container, 8)).isEqualTo("0");
    assertThat(answer(guest.ioctl(container, VFIO_IOMMU_GET_INFO, 0))).isEqualTo("ENOTTY");
    assertThat(guest.device(group, D0)).isPositive();
  }

  @Test
  void groupsWithoutAnIommuNeedRawIo() {
    use("x86-noiommu", HostOptions.defaults().withoutCapability(Capability.SYS_RAWIO));
    assertThat(answer(guest.open("/dev/vfio/noiommu-0"))).isEqualTo("EPERM");
  }

  @Test
  void aGroupInOtherHandsIsBusy() {
    use("x86-6.12", HostOptions.defaults().withGroupHeldBy(1, 4242, "qemu-system-x86"));
    assertThat(answer(guest.group(1))).isEqualTo("EBUSY");
    assertThat(guest.group(2)).isPositive();
  }

  @Test
  void descriptorsAreTheLowestFreeOnesUpToTheLimit() {
    use("x86-6.12", HostOptions.defaults().withOpenFileLimit(6));
    assertThat(guest.container()).isEqualTo(3);
    assertThat(guest.group(1)).isEqualTo(4);
    assertThat(guest.container()).isEqualTo(5);
    assertThat(answer(guest.container())).isEqualTo("EMFILE");
    assertThat(answer(guest.open("/nowhere"))).isEqualTo("EMFILE");
    guest.setContainer(4, 3);
    guest.setIommu(3, 3);
    assertThat(answer(guest.device(4, D0))).isEqualTo("EMFILE");
    guest.close(5);
    assertThat(guest.device(4, D0)).isEqualTo(5);
  }

  @Test
  void aClosedDescriptorIsBad() {
    int container = guest.container();
    assertThat(guest.kernel.close(container)).isZero();
    assertThat(answer(guest.kernel.close(container))).isEqualTo("EBADF");
    assertThat(answer(guest.ioctl(container, VFIO_GET_API_VERSION, 0))).isEqualTo("EBADF");
    assertThat(answer(guest.ioctl(-1, VFIO_DEVICE_GET_INFO, 0))).isEqualTo("EBADF");
    assertThat(answer(guest.kernel.pread(container, guest.arena.allocate(8), 0)))
        .isEqualTo("EBADF");
  }
}
