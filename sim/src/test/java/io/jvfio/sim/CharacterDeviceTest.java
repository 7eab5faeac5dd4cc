// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceBindIommufd;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CharacterDeviceTest {
  private static final long PAGE = 4096;
  private static final long CONFIG = (long) Vfio.VFIO_PCI_CONFIG_REGION_INDEX << 40;

  private final CopyEngine engine = new CopyEngine(4 * PAGE);
  private final IommufdGuest guest =
      new IommufdGuest(
          HostOptions.defaults()
              .withModels(address -> address.equals(IommufdGuest.DEVICE) ? engine : null));

  @AfterEach
  void close() {
    guest.close();
  }

  private String info(int fd) {
    var info = VfioDeviceInfo.STRUCT.allocate(guest.guest.arena);
    return Guest.answer(guest.ioctl(fd, Vfio.VFIO_DEVICE_GET_INFO, info));
  }

  private void enableMastering(int node) {
    var command = guest.guest.arena.allocate(2);
    command.set(ValueLayout.JAVA_BYTE, 0, (byte) 6);
    assertThat(guest.kernel.pwrite(node, command, CONFIG + 4)).isEqualTo(2);
  }

  private boolean transfer(long iova, long command) {
    engine.write(0, CopyEngine.IOVA, 8, iova);
    engine.write(0, CopyEngine.LENGTH, 8, 8);
    engine.write(0, CopyEngine.COMMAND, 8, command);
    return engine.read(0, CopyEngine.STATUS, 8) == 0;
  }

  @Test
  void beforeItIsBoundNothingWorks() {
    int node = guest.node(0);
    var buffer = guest.guest.arena.allocate(8);
    assertThat(info(node)).isEqualTo("EINVAL");
    assertThat(guest.attach(node, 1)).isEqualTo(Errno.EINVAL.result());
    assertThat(guest.detach(node)).isEqualTo("EINVAL");
    assertThat(guest.kernel.pread(node, buffer, CONFIG)).isEqualTo(Errno.EINVAL.result());
    assertThat(guest.kernel.pwrite(node, buffer, CONFIG)).isEqualTo(Errno.EINVAL.result());
    assertThat(guest.kernel.mmap(PAGE, Kernel.PROT_READ, Kernel.MAP_SHARED, node, 0))
        .isEqualTo(Errno.EINVAL.result());
    assertThat(guest.bind(node)).isPositive();
    assertThat(info(node)).isEqualTo("0");
    assertThat(guest.kernel.pread(node, buffer, CONFIG)).isEqualTo(8);
  }

  @Test
  void bindingWantsAnIommufd() {
    int node = guest.node(0);
    assertThat(guest.bind(node, -1)).isEqualTo(Errno.EINVAL.result());
    assertThat(guest.bind(node, 999)).isEqualTo(Errno.EBADF.result());
    assertThat(guest.bind(node, node)).isEqualTo(Errno.EBADFD.result());
    assertThat(guest.bind(node, guest.guest.container())).isEqualTo(Errno.EBADFD.result());
    assertThat(guest.bind(node)).isPositive();
    assertThat(guest.bind(node)).isEqualTo(Errno.EINVAL.result());
  }

  @Test
  void onlyOneFileOfADeviceIsBound() {
    int node = guest.node(0);
    int twin = guest.node(0);
    assertThat(guest.bind(node)).isPositive();
    assertThat(guest.bind(twin)).isEqualTo(Errno.EINVAL.result());
    guest.guest.close(node);
    assertThat(guest.bind(twin)).isPositive();
  }

  @Test
  void aGroupAndItsDevicesOwnNodesExcludeEachOther() {
    int node = guest.node(0);
    int group = guest.guest.group(1);
    assertThat(guest.bind(node)).isEqualTo(Errno.EBUSY.result());
    guest.guest.close(group);
    assertThat(guest.bind(node)).isPositive();
    assertThat(Guest.answer(guest.guest.group(1))).isEqualTo("EBUSY");
    assertThat(guest.guest.group(2)).isPositive();
    guest.guest.close(node);
    assertThat(guest.guest.group(1)).isPositive();
  }

  @Test
  void aDeviceOfAGroupCannotBeBound() {
    int container = guest.guest.container();
    int group = guest.guest.group(1);
    guest.guest.setContainer(group, container);
    guest.guest.setIommu(container, Vfio.VFIO_TYPE1v2_IOMMU);
    int device = guest.guest.device(group, IommufdGuest.DEVICE);
    assertThat(guest.bind(device)).isEqualTo(Errno.EINVAL.result());
    assertThat(guest.attach(device, 1)).isEqualTo(Errno.ENOTTY.result());
  }

  @Test
  void aHostDriverInTheGroupOrUnsafeInterruptsForbidBinding() {
    try (var other =
        new IommufdGuest(
            HostOptions.defaults().withSibling("0000:00:01.1", "0000:00:01.0", "e1000e"))) {
      assertThat(other.bind(other.node(0))).isEqualTo(Errno.EPERM.result());
    }
    try (var other = new IommufdGuest(HostOptions.defaults().withoutInterruptIsolation())) {
      assertThat(other.bind(other.node(0))).isEqualTo(Errno.EPERM.result());
    }
  }

  @Test
  void dmaGoesThroughTheAddressSpaceThatIsAttached() {
    int node = guest.node(0);
    guest.bind(node);
    int first = guest.ioas();
    int second = guest.ioas();
    long memory = guest.guest.memory(2 * PAGE);
    guest.map(first, 0x10_0000, memory, PAGE);
    guest.map(second, 0x10_0000, memory + PAGE, PAGE);
    enableMastering(node);
    var view = guest.guest.view(memory, 2 * PAGE);
    engine.buffer.set(ValueLayout.JAVA_LONG, 0, 42);

    assertThat(transfer(0x10_0000, CopyEngine.WRITE_MEMORY)).isFalse();
    assertThat(guest.guest.host.faults().getLast().reason()).contains("no address space");
    guest.attach(node, first);
    assertThat(transfer(0x10_0000, CopyEngine.WRITE_MEMORY)).isTrue();
    assertThat(view.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
    assertThat(view.get(ValueLayout.JAVA_LONG, PAGE)).isZero();
    guest.attach(node, second);
    assertThat(transfer(0x10_0000, CopyEngine.WRITE_MEMORY)).isTrue();
    assertThat(view.get(ValueLayout.JAVA_LONG, PAGE)).isEqualTo(42);
    guest.detach(node);
    assertThat(transfer(0x10_0000, CopyEngine.READ_MEMORY)).isFalse();
  }

  @Test
  void dmaKeepsToWhatAMappingIsFor() {
    int node = guest.node(0);
    guest.bind(node);
    int ioas = guest.ioas();
    guest.attach(node, ioas);
    enableMastering(node);
    long memory = guest.guest.memory(PAGE);
    guest.map(ioas, IommufdGuest.FIXED | IommufdGuest.READ, 0, memory, PAGE);
    guest.map(ioas, IommufdGuest.FIXED | IommufdGuest.WRITE, PAGE, memory, PAGE);
    assertThat(transfer(0, CopyEngine.READ_MEMORY)).isTrue();
    assertThat(transfer(0, CopyEngine.WRITE_MEMORY)).isFalse();
    assertThat(transfer(PAGE, CopyEngine.READ_MEMORY)).isFalse();
    assertThat(transfer(PAGE, CopyEngine.WRITE_MEMORY)).isTrue();
    assertThat(transfer(2 * PAGE, CopyEngine.READ_MEMORY)).isFalse();
  }

  @Test
  void attachingThatFailsChangesNothing() {
    int node = guest.node(0);
    guest.bind(node);
    int ioas = guest.ioas();
    int table = guest.attach(node, ioas);
    int bad = guest.ioas();
    guest.map(bad, 0xfee0_0000L, guest.guest.memory(PAGE), PAGE);
    assertThat(guest.attach(node, bad)).isEqualTo(Errno.EADDRINUSE.result());
    assertThat(guest.attach(node, 99)).isEqualTo(Errno.ENOENT.result());
    assertThat(guest.attach(node, ioas)).isEqualTo(table);
    assertThat(guest.ranges(bad)).containsExactly("0", "0-ffffffffffffffff", "aligned to 1");
  }

  @Test
  void twoDevicesShareTheTableThatTheKernelMade() {
    int node = guest.node(0);
    int other = guest.node(1);
    guest.bind(node);
    guest.bind(other);
    int ioas = guest.ioas();
    int table = guest.attach(node, ioas);
    assertThat(guest.attach(other, ioas)).isEqualTo(table);
    guest.guest.close(node);
    assertThat(guest.destroy(table)).isEqualTo("EBUSY");
    assertThat(guest.detach(other)).isEqualTo("0");
    assertThat(guest.destroy(table)).isEqualTo("ENOENT");
    assertThat(guest.detach(other)).isEqualTo("0");
  }

  @Test
  void aMappedBarKeepsTheDeviceBound() {
    int node = guest.node(0);
    guest.bind(node);
    long bar =
        guest.kernel.mmap(PAGE, Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, node, 0);
    assertThat(bar).isPositive();
    guest.guest.close(node);
    assertThat(guest.bind(guest.node(0))).isEqualTo(Errno.EINVAL.result());
    guest.kernel.munmap(bar, PAGE);
    assertThat(guest.bind(guest.node(0))).isPositive();
  }

  @Test
  void anIommufdThatIsClosedLivesOnForItsDevices() {
    int node = guest.node(0);
    int file = guest.guest.open("/dev/iommu");
    guest.bind(node, file);
    guest.guest.close(file);
    assertThat(info(node)).isEqualTo("0");
    assertThat(guest.detach(node)).isEqualTo("0");
    guest.guest.close(node);
    assertThat(guest.bind(guest.node(0))).isEqualTo(1);
  }

  @Test
  void anAnswerThatCannotBeWrittenUndoesTheBinding() {
    int node = guest.node(0);
    var bind = VfioDeviceBindIommufd.STRUCT.allocate(guest.guest.arena);
    VfioDeviceBindIommufd.IOMMUFD.set(bind, guest.iommufd);
    assertThat(guest.ioctl(node, Vfio.VFIO_DEVICE_BIND_IOMMUFD, bind.asReadOnly()))
        .isEqualTo(Errno.EFAULT.result());
    assertThat(info(node)).isEqualTo("EINVAL");
    assertThat(guest.bind(node)).isPositive();
  }

  @Test
  void sysfsTellsWhichNodeADeviceHas() throws Exception {
    var directory = "/sys/bus/pci/devices/0000:00:02.0/vfio-dev/vfio1";
    assertThat(guest.kernel.readText(directory + "/dev")).isEqualTo("250:1");
    assertThat(guest.kernel.readLink(directory + "/device")).isEqualTo("../../../0000:00:02.0");
    assertThat(guest.kernel.readText("/sys/class/vfio-dev/vfio1/dev")).isEqualTo("250:1");
    assertThat(guest.kernel.list("/dev/vfio/devices")).containsExactly("vfio0", "vfio1");
    assertThat(guest.kernel.list("/sys/bus/pci/devices/0000:41:00.0/vfio-dev/vfio2"))
        .contains("device")
        .doesNotContain("dev");
  }
}
