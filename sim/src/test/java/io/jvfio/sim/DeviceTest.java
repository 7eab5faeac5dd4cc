// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_GET_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_GET_IRQ_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_GET_REGION_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_RESET;
import static io.jvfio.linux.uapi.Vfio.VFIO_GET_API_VERSION;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DeviceTest {
  private static final String NVME = "0000:00:01.0";
  private static final long CONFIG = 7L << 40;
  private static final int READ_WRITE = Kernel.PROT_READ | Kernel.PROT_WRITE;

  private final CopyEngine engine = new CopyEngine(0x1000);
  private Guest guest =
      new Guest(
          "x86-6.12",
          HostOptions.defaults()
              .withModels(address -> address.equals("0000:00:02.0") ? engine : null));

  @AfterEach
  void close() {
    guest.close();
  }

  private int nvme() {
    int group = guest.group(1);
    guest.container(group, 3);
    return guest.device(group, NVME);
  }

  private int engine() {
    int group = guest.group(2);
    guest.container(group, 3);
    return guest.device(group, "0000:00:02.0");
  }

  private String read(int device, long offset, int count) {
    var bytes = guest.arena.allocate(count + 1).asSlice(0, count);
    long result = guest.kernel.pread(device, bytes, offset);
    return result < 0
        ? answer(result)
        : HexFormat.of().formatHex(bytes.asSlice(0, result).toArray(ValueLayout.JAVA_BYTE));
  }

  private String write(int device, long offset, String hex) {
    var bytes = guest.arena.allocateFrom(ValueLayout.JAVA_BYTE, HexFormat.of().parseHex(hex));
    return answer(guest.kernel.pwrite(device, bytes, offset));
  }

  private String region(int device, int index) {
    var info = guest.arena.allocate(64, 8);
    VfioRegionInfo.ARGSZ.set(info, 64);
    VfioRegionInfo.INDEX.set(info, index);
    int result = guest.kernel.ioctl(device, VFIO_DEVICE_GET_REGION_INFO, info);
    return result < 0
        ? answer(result)
        : "flags %d size %x offset %x cap %d"
            .formatted(
                VfioRegionInfo.FLAGS.get(info),
                VfioRegionInfo.SIZE.get(info),
                VfioRegionInfo.OFFSET.get(info),
                VfioRegionInfo.CAP_OFFSET.get(info));
  }

  private String irq(int device, int index) {
    var info = VfioIrqInfo.STRUCT.allocate(guest.arena);
    VfioIrqInfo.INDEX.set(info, index);
    int result = guest.kernel.ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, info);
    return result < 0
        ? answer(result)
        : "flags %d count %d".formatted(VfioIrqInfo.FLAGS.get(info), VfioIrqInfo.COUNT.get(info));
  }

  @Test
  void aControllerIsAPciDeviceThatCanBeReset() {
    int device = nvme();
    var info = VfioDeviceInfo.STRUCT.allocate(guest.arena);
    assertThat(guest.kernel.ioctl(device, VFIO_DEVICE_GET_INFO, info)).isZero();
    assertThat(VfioDeviceInfo.FLAGS.get(info)).isEqualTo(3);
    assertThat(VfioDeviceInfo.NUM_REGIONS.get(info)).isEqualTo(9);
    assertThat(VfioDeviceInfo.NUM_IRQS.get(info)).isEqualTo(5);
    VfioDeviceInfo.ARGSZ.set(info, 15);
    assertThat(answer(guest.kernel.ioctl(device, VFIO_DEVICE_GET_INFO, info))).isEqualTo("EINVAL");
  }

  @Test
  void otherCommandsAreNoneOfADevice() {
    int device = nvme();
    assertThat(answer(guest.ioctl(device, new Ioctl("?", ';', 250), 0))).isEqualTo("ENOTTY");
    assertThat(answer(guest.ioctl(device, VFIO_GET_API_VERSION, 0))).isEqualTo("ENOTTY");
  }

  @Test
  void regionsAreWhereTheirIndexPutsThem() {
    int device = nvme();
    assertThat(region(device, 0)).isEqualTo("flags 15 size 4000 offset 0 cap 32");
    assertThat(region(device, 1)).isEqualTo("flags 0 size 0 offset 10000000000 cap 0");
    assertThat(region(device, 6)).isEqualTo("flags 0 size 0 offset 60000000000 cap 0");
    assertThat(region(device, 7)).isEqualTo("flags 3 size 1000 offset 70000000000 cap 0");
    assertThat(region(device, 8)).isEqualTo("EINVAL");
    assertThat(region(device, 9)).isEqualTo("EINVAL");
    assertThat(region(engine(), 0)).isEqualTo("flags 7 size 1000 offset 0 cap 0");
  }

  @Test
  void aRegionWithCapabilitiesSaysHowMuchRoomTheyTake() {
    int device = nvme();
    var info = VfioRegionInfo.STRUCT.allocate(guest.arena);
    assertThat(guest.kernel.ioctl(device, VFIO_DEVICE_GET_REGION_INFO, info)).isZero();
    assertThat(VfioRegionInfo.ARGSZ.get(info)).isEqualTo(40);
    assertThat(VfioRegionInfo.CAP_OFFSET.get(info)).isZero();
    assertThat(VfioRegionInfo.FLAGS.get(info)).isEqualTo(15);
  }

  @Test
  void interruptsAreOfFiveKinds() {
    int device = nvme();
    assertThat(irq(device, 0)).isEqualTo("flags 7 count 1");
    assertThat(irq(device, 1)).isEqualTo("flags 9 count 0");
    assertThat(irq(device, 2)).isEqualTo("flags 1 count 65");
    assertThat(irq(device, 3)).isEqualTo("flags 9 count 1");
    assertThat(irq(device, 4)).isEqualTo("flags 9 count 1");
    assertThat(irq(device, 5)).isEqualTo("EINVAL");
  }

  @Test
  void aPowerMachineEnablesItsVectorsAllAtOnce() {
    guest.close();
    guest = new Guest("pseries-6.12");
    int group = guest.group(0);
    guest.container(group, 2);
    assertThat(irq(guest.device(group, "0000:00:00.0"), 2)).isEqualTo("flags 9 count 65");
  }

  @Test
  void aDeviceWithoutExpressHasNoErrorInterruptAndNoInterruptPin() {
    guest.close();
    guest =
        new Guest(
            "x86-6.12",
            HostOptions.defaults()
                .withModels(
                    address -> address.equals("0000:00:02.0") ? new CopyEngine(8, false) : null));
    int device = engine();
    assertThat(irq(device, 0)).isEqualTo("flags 7 count 0");
    assertThat(irq(device, 2)).isEqualTo("flags 1 count 0");
    assertThat(irq(device, 3)).isEqualTo("EINVAL");
    assertThat(answer(guest.ioctl(device, VFIO_DEVICE_RESET, 0))).isEqualTo("EINVAL");
    assertThat(region(device, 7)).isEqualTo("flags 3 size 100 offset 70000000000 cap 0");
  }

  @Test
  void openingResetsTheDeviceAndTakesItsBusMasteringAway() {

    int device = engine();
    assertThat(read(device, CONFIG + 4, 2)).isEqualTo("0301");
    assertThat(read(device, CopyEngine.RESETS, 1)).isEqualTo("01");
    assertThat(write(device, CONFIG + 4, "0600")).isEqualTo("2");
    guest.close(device);
    assertThat(engine.config().read(4, 2)).isEqualTo(0x0103);
    assertThat(engine.read(0, CopyEngine.RESETS, 1)).isEqualTo(2);
  }

  @Test
  void resetLeavesConfigurationAlone() {
    int device = engine();
    write(device, CONFIG + 4, "0604");
    write(device, CopyEngine.SCRATCH, "ff");
    assertThat(answer(guest.ioctl(device, VFIO_DEVICE_RESET, 0))).isEqualTo("0");
    assertThat(read(device, CONFIG + 4, 2)).isEqualTo("0605");
    assertThat(read(device, CopyEngine.SCRATCH, 1)).isEqualTo("00");
  }

  @Test
  void theResetBitOfExpressResetsAndReadsAsZero() {
    int device = engine();
    assertThat(write(device, CONFIG + 0x48, "0080")).isEqualTo("2");
    assertThat(read(device, CONFIG + 0x48, 2)).isEqualTo("0000");
    assertThat(read(device, CopyEngine.RESETS, 1)).isEqualTo("02");
    write(device, CONFIG + 0x49, "80");
    assertThat(read(device, CopyEngine.RESETS, 1)).isEqualTo("03");
    write(device, CONFIG + 0x48, "0010");
    assertThat(read(device, CopyEngine.RESETS, 1)).isEqualTo("03");
  }

  @Test
  void barsAreSizedWithoutTouchingTheDevice() {
    int device = nvme();
    assertThat(read(device, CONFIG + 0x10, 8)).isEqualTo("0440bffe00000000");
    write(device, CONFIG + 0x10, "ffffffffffffffff");
    assertThat(read(device, CONFIG + 0x10, 8)).isEqualTo("04c0ffffffffffff");
    write(device, CONFIG + 0x18, "ffffffff");
    assertThat(read(device, CONFIG + 0x18, 4)).isEqualTo("00000000");
    write(device, CONFIG + 0x30, "ffffffff");
    assertThat(read(device, CONFIG + 0x30, 4)).isEqualTo("00000000");
    assertThat(read(device, 8, 4)).isEqualTo("00040100");
  }

  @Test
  void whatIsNotTheUsersCannotBeWritten() {
    int device = nvme();
    write(device, CONFIG, "ffffffff");
    assertThat(read(device, CONFIG, 4)).isEqualTo("361b1000");
    write(device, CONFIG + 0x42, "ffff");
    assertThat(read(device, CONFIG + 0x42, 2)).isEqualTo("4000");
    write(device, CONFIG + 0x3c, "5a01");
    assertThat(read(device, CONFIG + 0x3c, 2)).isEqualTo("5a01");
  }

  @Test
  void withMemoryDecodingOffABarIsNotThere() throws Exception {
    int device = nvme();
    long address = guest.kernel.mmap(0x4000, READ_WRITE, Kernel.MAP_SHARED, device, 0);
    var registers = guest.kernel.registers(address, 0x4000);
    assertThat(registers.read32(8)).isEqualTo(0x10400);
    write(device, CONFIG + 4, "0400");
    assertThat(read(device, 8, 4)).isEqualTo("EIO");
    assertThat(write(device, 0x14, "00000000")).isEqualTo("EIO");
    assertThatThrownBy(() -> registers.read32(8)).isInstanceOf(InternalError.class);
    assertThatThrownBy(() -> registers.write32(0x14, 0)).isInstanceOf(InternalError.class);
    write(device, CONFIG + 4, "0200");
    assertThat(registers.read32(8)).isEqualTo(0x10400);
  }

  @Test
  void asleepABarIsNotThere() {
    int device = nvme();
    write(device, CONFIG + 0x64, "0300");
    assertThat(read(device, CONFIG + 0x64, 1)).isEqualTo("0b");
    assertThat(read(device, 8, 4)).isEqualTo("EIO");
    write(device, CONFIG + 0x64, "0000");
    assertThat(read(device, 8, 4)).isEqualTo("00040100");
  }

  @Test
  void accessesEndWithTheirRegion() {
    int device = engine();
    write(device, CopyEngine.SCRATCH, "01020304050607");
    assertThat(read(device, CopyEngine.SCRATCH, 7)).isEqualTo("01020304050607");
    assertThat(read(device, CopyEngine.SCRATCH + 1, 3)).isEqualTo("020304");
    assertThat(read(device, 0xffe, 8)).isEqualTo("0000");
    assertThat(read(device, 0x1000, 1)).isEqualTo("EINVAL");
    assertThat(read(device, 1L << 40, 1)).isEqualTo("EINVAL");
    assertThat(read(device, 8L << 40, 1)).isEqualTo("EINVAL");
    assertThat(read(device, 9L << 40, 1)).isEqualTo("EINVAL");
    assertThat(read(device, CONFIG + 0xfe, 4)).isEqualTo("EFAULT");
    assertThat(read(device, CONFIG + 0x100, 1)).isEqualTo("EFAULT");
    assertThat(read(device, CopyEngine.SCRATCH, 0)).isEmpty();
    assertThat(read(device, -1, 1)).isEqualTo("EINVAL");
  }

  @Test
  void theMsixTableReadsAsOnesThroughTheKernel() {
    int device = nvme();
    write(device, 0x2000, "0000000000000000");
    assertThat(read(device, 0x1ffc, 8)).isEqualTo("00000000ffffffff");
    assertThat(read(device, 0x2000 + 65 * 16 - 4, 8)).isEqualTo("ffffffff00000000");
  }

  @Test
  void mappingsStayInsideOfTheirBar() {
    int device = nvme();
    assertThat(map(device, 0x4000, Kernel.MAP_SHARED, 0)).isEqualTo("mapped");
    assertThat(map(device, 0x1000, Kernel.MAP_SHARED, 0x3000)).isEqualTo("mapped");
    assertThat(map(device, 0x1000, Kernel.MAP_PRIVATE, 0)).isEqualTo("EINVAL");
    assertThat(map(device, 0x5000, Kernel.MAP_SHARED, 0)).isEqualTo("EINVAL");
    assertThat(map(device, 0x1000, Kernel.MAP_SHARED, 0x4000)).isEqualTo("EINVAL");
    assertThat(map(device, 0x1000, Kernel.MAP_SHARED, 0x10)).isEqualTo("EINVAL");
    assertThat(map(device, 0x1000, Kernel.MAP_SHARED, 1L << 40)).isEqualTo("EINVAL");
    assertThat(map(device, 0x1000, Kernel.MAP_SHARED, CONFIG)).isEqualTo("EINVAL");
    assertThat(map(device, 0, Kernel.MAP_SHARED, 0)).isEqualTo("EINVAL");
    assertThat(map(99, 0x1000, Kernel.MAP_SHARED, 0)).isEqualTo("EBADF");
    assertThat(map(guest.container(), 0x1000, Kernel.MAP_SHARED, 0)).isEqualTo("ENODEV");
  }

  private String map(int fd, long byteSize, int flags, long offset) {
    long result = guest.kernel.mmap(byteSize, READ_WRITE, flags, fd, offset);
    return result < 0 ? answer(result) : "mapped";
  }

  @Test
  void aMappingKeepsItsDeviceOpen() {
    int group = guest.group(2);
    guest.container(group, 3);
    int device = guest.device(group, "0000:00:02.0");
    long address = guest.kernel.mmap(0x1000, READ_WRITE, Kernel.MAP_SHARED, device, 0);
    guest.close(device);
    assertThat(guest.host.resources().openDevices()).isEqualTo(1);
    assertThat(guest.kernel.munmap(address, 0x1000)).isZero();
    assertThat(guest.host.resources().openDevices()).isZero();
  }

  @Test
  void registersOfEveryWidthReachTheModel() {
    int device = engine();
    long address = guest.kernel.mmap(0x1000, READ_WRITE, Kernel.MAP_SHARED, device, 0);
    try (var registers = guest.kernel.registers(address + 0x100, 0x100)) {
      registers.write64(0, 0x1122_3344_5566_7788L);
      registers.write32(8, 0xaabb_ccdd);
      registers.write16(12, (short) 0xeeff);
      registers.write8(14, (byte) 0x99);
      registers.write32Release(16, 7);
      assertThat(registers.byteSize()).isEqualTo(0x100);
      assertThat(registers.read64(0)).isEqualTo(0x1122_3344_5566_7788L);
      assertThat(registers.read32(4)).isEqualTo(0x1122_3344);
      assertThat(registers.read16(8)).isEqualTo((short) 0xccdd);
      assertThat(registers.read8(14)).isEqualTo((byte) 0x99);
      assertThat(registers.read32(16)).isEqualTo(7);
      assertThat(engine.read(0, 0x10c, 2)).isEqualTo(0xeeff);
    }
  }

  @Test
  void registersRefuseWhatTheirContractRefuses() {
    int device = engine();
    long address = guest.kernel.mmap(0x1000, READ_WRITE, Kernel.MAP_SHARED, device, 0);
    var registers = guest.kernel.registers(address, 0x1000);
    assertThatThrownBy(() -> registers.read32(0xffd)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> registers.read8(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> registers.read32(2)).isInstanceOf(IllegalArgumentException.class);
    guest.kernel.munmap(address, 0x1000);
    assertThatThrownBy(() -> registers.read32(0)).isInstanceOf(IllegalStateException.class);
    registers.close();
    assertThatThrownBy(() -> registers.read32(0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aReadOnlyMappingCannotBeWritten() {
    int device = engine();
    long address = guest.kernel.mmap(0x1000, Kernel.PROT_READ, Kernel.MAP_SHARED, device, 0);
    var registers = guest.kernel.registers(address, 0x1000);
    assertThat(registers.read32(0)).isZero();
    assertThatThrownBy(() -> registers.write32(0, 1)).isInstanceOf(InternalError.class);
  }

  @Test
  void aSmallBarOfALargePageMachineIsMappedWithItsWholePage() {
    guest.close();
    guest = new Guest("powernv-6.12");
    int group = guest.group(0);
    guest.container(group, 7);
    int device = guest.device(group, "0000:01:00.0");
    assertThat(region(device, 0)).isEqualTo("flags 15 size 4000 offset 0 cap 32");
    long address = guest.kernel.mmap(0x4000, READ_WRITE, Kernel.MAP_SHARED, device, 0);
    var registers = guest.kernel.registers(address, 0x10000);
    assertThat(registers.read32(8)).isEqualTo(0x10400);
    assertThat(registers.read32(0x4000)).isEqualTo(-1);
    registers.write32(0x4000, 1);
  }
}
