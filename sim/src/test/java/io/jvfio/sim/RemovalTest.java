// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_RESET;
import static io.jvfio.linux.uapi.Vfio.VFIO_GROUP_GET_STATUS;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.linux.uapi.VfioGroupStatus;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Devices that are pulled out or taken from their driver while a program has them open. */
class RemovalTest {
  private static final String DEVICE = "0000:00:02.0";
  private static final String SYSFS = "/sys/bus/pci/devices/" + DEVICE;
  private static final long CONFIG = 7L << 40;
  private static final int IOMMU_TYPE1V2 = 3;

  private final CopyEngine engine = new CopyEngine(0x1000);
  private Guest guest = guest("x86-6.12", DEVICE);
  private int group;
  private int device;
  private long address;

  @AfterEach
  void close() {
    guest.close();
  }

  private Guest guest(String host, String at) {
    return new Guest(
        host,
        HostOptions.defaults()
            .withLockedMemoryLimit(Kernel.NO_LIMIT)
            .withModels(each -> each.equals(at) ? engine : null));
  }

  private Registers open() {
    group = guest.group(2);
    guest.container(group, IOMMU_TYPE1V2);
    device = guest.device(group, DEVICE);
    return registers();
  }

  private Registers registers() {
    address =
        guest.kernel.mmap(
            0x1000, Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, device, 0);
    return guest.kernel.registers(address, 0x1000);
  }

  private void unmapAndClose() {
    assertThat(guest.kernel.munmap(address, 0x1000)).isZero();
    assertThat(guest.kernel.close(device)).isZero();
  }

  private String read(long offset, int count) {
    var bytes = guest.arena.allocate(count);
    long result = guest.kernel.pread(device, bytes, offset);
    return result < 0
        ? answer(result)
        : HexFormat.of().formatHex(bytes.asSlice(0, result).toArray(ValueLayout.JAVA_BYTE));
  }

  private String write(long offset, String hex) {
    var bytes = guest.arena.allocateFrom(ValueLayout.JAVA_BYTE, HexFormat.of().parseHex(hex));
    return answer(guest.kernel.pwrite(device, bytes, offset));
  }

  private static void await(CompletableFuture<Void> release) throws Exception {
    release.get(60, TimeUnit.SECONDS);
  }

  @Test
  void aPulledDeviceAnswersOnesAndTakesNothing() {
    var registers = open();
    registers.write64(CopyEngine.SCRATCH, 5);
    assertThat(guest.host.remove(DEVICE)).isNotDone();
    assertThat(registers.read64(CopyEngine.SCRATCH)).isEqualTo(-1);
    registers.write64(CopyEngine.SCRATCH, 6);
    assertThat(engine.read(0, CopyEngine.SCRATCH, 8)).isEqualTo(5);
    assertThat(read(CopyEngine.SCRATCH, 4)).isEqualTo("ffffffff");
    assertThat(write(CopyEngine.SCRATCH, "07")).isEqualTo("1");
    assertThat(engine.read(0, CopyEngine.SCRATCH, 8)).isEqualTo(5);
    assertThat(answer(guest.ioctl(device, VFIO_DEVICE_RESET, 0))).isEqualTo("ENOTTY");
  }

  @Test
  void whatTheKernelHasOfItsConfigurationStays() {
    open();
    var bars = read(CONFIG + 0x10, 4);
    assertThat(guest.host.remove(DEVICE)).isNotDone();
    assertThat(read(CONFIG, 4)).isEqualTo("3412e811");
    assertThat(read(CONFIG + 4, 8)).isEqualTo("fffb" + "ffff" + "ffffffff");
    assertThat(read(CONFIG + 0x10, 4)).isEqualTo(bars);
    assertThat(write(CONFIG + 4, "0600")).isEqualTo("2");
    assertThat(write(CONFIG + 0x48, "0080")).isEqualTo("2");
    assertThat(read(CONFIG + 0x40, 4)).isEqualTo("ffffffff");
  }

  @Test
  void aPulledDeviceDoesNoDma() {
    var registers = open();
    assertThat(write(CONFIG + 4, "0600")).isEqualTo("2");
    assertThat(guest.host.remove(DEVICE)).isNotDone();
    engine.write(0, CopyEngine.LENGTH, 8, 16);
    engine.write(0, CopyEngine.COMMAND, 8, CopyEngine.WRITE_MEMORY);
    assertThat(engine.read(0, CopyEngine.STATUS, 8)).isEqualTo(1);
    assertThat(guest.host.faults()).isEmpty();
    assertThat(registers.read64(CopyEngine.STATUS)).isEqualTo(-1);
  }

  @Test
  void aPulledDeviceLeavesSysfsWhenItIsClosed() throws Exception {
    open();
    var removed = guest.host.remove(DEVICE);
    assertThat(removed).isNotDone();
    assertThat(guest.kernel.readText(SYSFS + "/vendor")).isEqualTo("0x1234");
    assertThat(guest.kernel.readBytes(SYSFS + "/config")).containsOnly(0xff);
    assertThat(guest.kernel.list(SYSFS)).doesNotContain("driver", "vfio-dev");
    assertThat(guest.kernel.close(device)).isZero();
    assertThat(removed).isNotDone();
    assertThat(guest.kernel.munmap(address, 0x1000)).isZero();
    await(removed);
    assertThat(guest.kernel.list("/sys/bus/pci/devices")).isNotEmpty().doesNotContain(DEVICE);
    assertThat(guest.kernel.list("/sys/kernel/iommu_groups")).doesNotContain("2");
    assertThat(guest.kernel.list("/dev/vfio")).doesNotContain("2");
    assertThat(guest.host.resources().drivers()).doesNotContainKey(DEVICE);
    assertThat(engine.closed).isTrue();
    assertThatIllegalArgumentException().isThrownBy(() -> guest.host.remove(DEVICE));
  }

  @Test
  void onArmNobodyAnsweringIsAnError() {
    guest.close();
    var other = "0000:00:01.0";
    guest = new Guest("arm64-6.12");
    group = guest.group(group(other));
    guest.container(group, IOMMU_TYPE1V2);
    device = guest.device(group, other);
    address = guest.kernel.mmap(0x4000, 3, Kernel.MAP_SHARED, device, 0);
    var registers = guest.kernel.registers(address, 0x4000);
    assertThat(registers.read32(8)).isEqualTo(0x10400);
    assertThat(guest.host.remove(other)).isNotDone();
    assertThatThrownBy(() -> registers.read32(8)).isInstanceOf(InternalError.class);
    assertThatThrownBy(() -> registers.write32(0x14, 0)).isInstanceOf(InternalError.class);
    assertThat(read(8, 4)).isEqualTo("ffffffff");
  }

  private int group(String of) {
    try {
      var link = guest.kernel.readLink("/sys/bus/pci/devices/" + of + "/iommu_group");
      return Integer.parseInt(link.substring(link.lastIndexOf('/') + 1));
    } catch (ErrnoException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void unbindingWaitsForItsUser() throws Exception {
    var registers = open();
    var unbound = guest.host.unbind(DEVICE);
    registers.write64(CopyEngine.SCRATCH, 5);
    assertThat(registers.read64(CopyEngine.SCRATCH)).isEqualTo(5);
    assertThat(unbound).isNotDone();
    assertThat(guest.kernel.list(SYSFS)).doesNotContain("driver", "vfio-dev");
    assertThat(answer(guest.device(group, DEVICE))).isEqualTo("ENODEV");
    assertThatIllegalStateException().isThrownBy(() -> guest.host.unbind(DEVICE));
    unmapAndClose();
    await(unbound);
    assertThat(guest.host.resources().drivers()).containsEntry(DEVICE, "");
    assertThat(guest.kernel.readText(SYSFS + "/driver_override")).isEqualTo("vfio-pci");
    assertThat(guest.kernel.list("/dev/vfio")).doesNotContain("2");
    assertThatIllegalStateException().isThrownBy(() -> guest.host.unbind(DEVICE));
  }

  @Test
  void theFileOfAGroupWithoutDevicesIsDead() throws Exception {
    open();
    var unbound = guest.host.unbind(DEVICE);
    unmapAndClose();
    await(unbound);
    assertThat(guest.host.resources().attachedGroups()).isZero();
    var status = VfioGroupStatus.STRUCT.allocate(guest.arena);
    assertThat(answer(guest.kernel.ioctl(group, VFIO_GROUP_GET_STATUS, status)))
        .isEqualTo("ENODEV");
    assertThat(guest.setContainer(group, guest.container())).isEqualTo("ENODEV");
    assertThat(answer(guest.device(group, DEVICE))).isEqualTo("ENODEV");
  }

  @Test
  void anOldKernelWaitsForTheContainerToo() throws Exception {
    guest.close();
    guest = new Guest("powernv-5.10");
    var at = "0000:01:00.0";
    group = guest.group(group(at));
    guest.container(group, 7);
    device = guest.device(group, at);
    var unbound = guest.host.unbind(at);
    int again = guest.device(group, at);
    assertThat(again).isPositive();
    assertThat(guest.kernel.close(device)).isZero();
    assertThat(guest.kernel.close(again)).isZero();
    assertThat(unbound).isNotDone();
    assertThat(guest.kernel.close(group)).isZero();
    await(unbound);
    assertThat(guest.host.resources().drivers()).containsEntry(at, "");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aDeviceThatNobodyHasGoesAtOnce(boolean pulled) throws Exception {
    await(pulled ? guest.host.remove(DEVICE) : guest.host.unbind(DEVICE));
    assertThat(guest.kernel.list("/dev/vfio")).doesNotContain("2");
    assertThat(guest.host.resources().drivers().get(DEVICE)).isEqualTo(pulled ? null : "");
  }

  @Test
  void aDeviceIsPulledWhileItIsUnbound() throws Exception {
    open();
    var unbound = guest.host.unbind(DEVICE);
    var removed = guest.host.remove(DEVICE);
    unmapAndClose();
    await(unbound);
    await(removed);
    assertThat(guest.host.resources().drivers()).doesNotContainKey(DEVICE);
  }

  @Test
  void aNodeOfItsOwnGoesAtOnceAndHoldsTheDevice() throws Exception {
    guest.close();
    guest = new Guest("x86-6.12-iommufd");
    var at = "0000:00:01.0";
    var name = guest.kernel.list("/sys/bus/pci/devices/" + at + "/vfio-dev").getFirst();
    var others = guest.kernel.list("/dev/vfio/devices");
    int node = guest.open("/dev/vfio/devices/" + name);
    assertThat(node).isPositive();
    var unbound = guest.host.unbind(at);
    assertThat(unbound).isNotDone();
    assertThat(guest.kernel.list("/dev/vfio/devices"))
        .doesNotContain(name)
        .hasSize(others.size() - 1)
        .allMatch(others::contains);
    assertThat(guest.kernel.close(node)).isZero();
    await(unbound);
    assertThat(guest.host.resources().drivers()).containsEntry(at, "");
  }

  @Test
  void aSleepingDeviceAnswersNothingAndDoesNoDma() {
    guest.close();
    guest = new Guest("x86-6.12");
    group = guest.group(1);
    guest.container(group, IOMMU_TYPE1V2);
    device = guest.device(group, "0000:00:01.0");
    address = guest.kernel.mmap(0x4000, 3, Kernel.MAP_SHARED, device, 0);
    var registers = guest.kernel.registers(address, 0x4000);
    assertThat(write(CONFIG + 0x64, "0300")).isEqualTo("2");
    assertThat(read(CONFIG + 0x64, 2)).isEqualTo("0b00");
    assertThat(read(8, 4)).isEqualTo("EIO");
    assertThat(write(8, "00000000")).isEqualTo("EIO");
    assertThatThrownBy(() -> registers.read32(8)).isInstanceOf(InternalError.class);
    assertThat(write(CONFIG + 0x64, "0000")).isEqualTo("2");
    assertThat(registers.read32(8)).isEqualTo(0x10400);
    assertThat(read(8, 4)).isEqualTo("00040100");
  }
}
