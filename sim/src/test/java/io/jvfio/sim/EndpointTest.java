// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_CHECK_EXTENSION;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_CONFIGURE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_DISABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_ENABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_GET_STATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_INJECT_ERR;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_OP;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_RESET_DEACTIVATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_RESET_FUNDAMENTAL;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_RESET_HOT;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_UNFREEZE_DMA;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_UNFREEZE_IO;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.linux.uapi.VfioEehPeOp;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EndpointTest {
  private static final String DEVICE = "0000:01:00.0";
  private static final int LOAD = 0;
  private static final int STORE = 6;
  private static final int DMA_READ = 12;
  private static final int DMA_WRITE = 19;

  private final CopyEngine engine = new CopyEngine(0x10000);
  private Guest guest =
      new Guest(
          "powernv-6.12",
          HostOptions.defaults()
              .withLockedMemoryLimit(Kernel.NO_LIMIT)
              .withModels(device -> device.equals(DEVICE) ? engine : null));
  private final int group = guest.group(0);
  private final int container = guest.container(group, 7);

  @AfterEach
  void close() {
    guest.close();
  }

  private static MemorySegment struct(Guest guest, int operation) {
    var struct = VfioEehPeOp.STRUCT.allocate(guest.arena);
    VfioEehPeOp.OP.set(struct, operation);
    return struct;
  }

  private String operate(int operation) {
    return answer(guest.kernel.ioctl(container, VFIO_EEH_PE_OP, struct(guest, operation)));
  }

  private String inject(int type, int function) {
    var struct = struct(guest, VFIO_EEH_PE_INJECT_ERR);
    VfioEehPeOp.ERR_TYPE.set(struct, type);
    VfioEehPeOp.ERR_FUNC.set(struct, function);
    return answer(guest.kernel.ioctl(container, VFIO_EEH_PE_OP, struct));
  }

  private String state() {
    return operate(VFIO_EEH_PE_GET_STATE);
  }

  private Registers registers() {
    int device = guest.device(group, DEVICE);
    writeCommand(device);
    long mapped = guest.kernel.mmap(0x10000, 3, Kernel.MAP_SHARED, device, 0);
    assertThat(mapped).isPositive();
    return guest.kernel.registers(mapped, 0x1000);
  }

  /** Memory and bus mastering on, as before a reset that the kernel does not undo. */
  private void writeCommand(int device) {
    var command = guest.arena.allocateFrom(ValueLayout.JAVA_SHORT, (short) 6);
    assertThat(guest.kernel.pwrite(device, command, (7L << 40) + 4)).isEqualTo(2);
  }

  @Test
  void aWorkingDeviceIsInTheNormalState() {
    assertThat(guest.ioctl(container, VFIO_CHECK_EXTENSION, VFIO_EEH)).isEqualTo(1);
    assertThat(state()).isEqualTo("0");
    for (int operation :
        new int[] {
          VFIO_EEH_PE_DISABLE,
          VFIO_EEH_PE_ENABLE,
          VFIO_EEH_PE_UNFREEZE_IO,
          VFIO_EEH_PE_UNFREEZE_DMA,
          VFIO_EEH_PE_CONFIGURE,
          VFIO_EEH_PE_RESET_DEACTIVATE
        }) {
      assertThat(operate(operation)).isEqualTo("0");
      assertThat(state()).isEqualTo("0");
    }
  }

  @Test
  void operationsAreChecked() {
    assertThat(operate(10)).isEqualTo("EINVAL");
    var flags = struct(guest, VFIO_EEH_PE_GET_STATE);
    VfioEehPeOp.FLAGS.set(flags, 1);
    assertThat(answer(guest.kernel.ioctl(container, VFIO_EEH_PE_OP, flags))).isEqualTo("EINVAL");
    var small = struct(guest, VFIO_EEH_PE_GET_STATE);
    VfioEehPeOp.ARGSZ.set(small, 11);
    assertThat(answer(guest.kernel.ioctl(container, VFIO_EEH_PE_OP, small))).isEqualTo("EINVAL");
    VfioEehPeOp.ARGSZ.set(small, 12);
    assertThat(answer(guest.kernel.ioctl(container, VFIO_EEH_PE_OP, small))).isEqualTo("0");
    VfioEehPeOp.OP.set(small, VFIO_EEH_PE_INJECT_ERR);
    assertThat(answer(guest.kernel.ioctl(container, VFIO_EEH_PE_OP, small))).isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.ioctl(container, VFIO_EEH_PE_OP, small.asSlice(0, 8))))
        .isEqualTo("EFAULT");
    assertThat(inject(0, 20)).isEqualTo("EINVAL");
    assertThat(inject(0, -1)).isEqualTo("EINVAL");
    assertThat(inject(2, 0)).isEqualTo("ERANGE");
  }

  @Test
  void anErrorOfALoadStopsTheEndpointUntilItIsUnfrozen() {
    var registers = registers();
    registers.write64(CopyEngine.SCRATCH, 5);
    assertThat(inject(0, LOAD)).isEqualTo("0");
    assertThat(state()).isEqualTo("0");
    assertThat(registers.read64(CopyEngine.SCRATCH)).isEqualTo(-1);
    assertThat(state()).isEqualTo("2");
    registers.write64(CopyEngine.SCRATCH, 6);
    assertThat(operate(VFIO_EEH_PE_UNFREEZE_IO)).isEqualTo("0");
    assertThat(state()).isEqualTo("4");
    assertThat(registers.read64(CopyEngine.SCRATCH)).isEqualTo(5);
    assertThat(operate(VFIO_EEH_PE_UNFREEZE_DMA)).isEqualTo("0");
    assertThat(state()).isEqualTo("0");
  }

  @Test
  void anErrorOfAStoreIsSeenThroughTheFileToo() {
    int device = guest.device(group, DEVICE);
    assertThat(inject(1, STORE)).isEqualTo("0");
    var value = guest.arena.allocateFrom(ValueLayout.JAVA_LONG, 9);
    assertThat(guest.kernel.pwrite(device, value, CopyEngine.SCRATCH)).isEqualTo(8);
    assertThat(guest.kernel.pread(device, value, CopyEngine.SCRATCH)).isEqualTo(8);
    assertThat(value.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(-1);
    assertThat(operate(VFIO_EEH_PE_UNFREEZE_DMA)).isEqualTo("0");
    assertThat(state()).isEqualTo("5");
    assertThat(operate(VFIO_EEH_PE_ENABLE)).isEqualTo("0");
    assertThat(guest.kernel.pread(device, value, CopyEngine.SCRATCH)).isEqualTo(8);
    assertThat(value.get(ValueLayout.JAVA_LONG, 0)).isZero();
  }

  @Test
  void anErrorOfDmaIsMadeByTheDmaOfItsKind() {
    var registers = registers();
    long memory = guest.memory(0x10000);
    assertThat(guest.register(container, memory, 0x10000)).isEqualTo("0");
    assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("0");
    registers.write64(CopyEngine.LENGTH, 8);
    assertThat(inject(0, DMA_WRITE)).isEqualTo("0");
    registers.write64(CopyEngine.COMMAND, CopyEngine.READ_MEMORY);
    assertThat(registers.read64(CopyEngine.STATUS)).isZero();
    registers.write64(CopyEngine.COMMAND, CopyEngine.WRITE_MEMORY);
    assertThat(state()).isEqualTo("2");
    assertThat(guest.host.faults()).hasSize(1);
    assertThat(operate(VFIO_EEH_PE_RESET_HOT)).isEqualTo("0");
    assertThat(state()).isEqualTo("2");
    assertThat(operate(VFIO_EEH_PE_RESET_DEACTIVATE)).isEqualTo("0");
    assertThat(state()).isEqualTo("0");
    writeCommand(guest.device(group, DEVICE));
    assertThat(inject(0, DMA_READ)).isEqualTo("0");
    registers.write64(CopyEngine.LENGTH, 8);
    registers.write64(CopyEngine.COMMAND, CopyEngine.READ_MEMORY);
    assertThat(state()).isEqualTo("2");
  }

  @Test
  void whatADeviceMayWriteItMayAlsoRead() {
    var registers = registers();
    long memory = guest.memory(0x10000);
    assertThat(guest.register(container, memory, 0x10000)).isEqualTo("0");
    assertThat(guest.map(container, 0, memory, 0x10000, Guest.WRITE)).isEqualTo("0");
    registers.write64(CopyEngine.LENGTH, 8);
    registers.write64(CopyEngine.COMMAND, CopyEngine.READ_MEMORY);
    assertThat(registers.read64(CopyEngine.STATUS)).isZero();
  }

  @Test
  void aResetReachesTheDeviceAndStopsItUntilItIsDeactivated() {
    var registers = registers();
    long resets = registers.read64(CopyEngine.RESETS);
    assertThat(operate(VFIO_EEH_PE_RESET_FUNDAMENTAL)).isEqualTo("0");
    assertThat(registers.read64(CopyEngine.RESETS)).isEqualTo(-1);
    assertThat(operate(VFIO_EEH_PE_RESET_DEACTIVATE)).isEqualTo("0");
    assertThat(registers.read64(CopyEngine.RESETS)).isEqualTo(-1);
    writeCommand(guest.device(group, DEVICE));
    assertThat(registers.read64(CopyEngine.RESETS)).isEqualTo(resets + 1);
  }

  @Test
  void openingTheDeviceUnfreezesIt() {
    assertThat(operate(VFIO_EEH_PE_RESET_HOT)).isEqualTo("0");
    assertThat(state()).isEqualTo("2");
    guest.device(group, DEVICE);
    assertThat(state()).isEqualTo("0");
  }

  @Test
  void theFirstGroupThatIsNotNormalAnswersForAll() {
    assertThat(operate(VFIO_EEH_PE_RESET_HOT)).isEqualTo("0");
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("0");
    assertThat(state()).isEqualTo("2");
    assertThat(operate(VFIO_EEH_PE_RESET_DEACTIVATE)).isEqualTo("0");
    assertThat(state()).isEqualTo("0");
  }

  @Test
  void aPartitionOfEmulatedDevicesHasNone() {
    guest.close();
    guest = new Guest("pseries-6.12");
    int other = guest.container(guest.group(0), 2);
    assertThat(guest.ioctl(other, VFIO_CHECK_EXTENSION, VFIO_EEH)).isZero();
    var struct = struct(guest, VFIO_EEH_PE_GET_STATE);
    assertThat(answer(guest.kernel.ioctl(other, VFIO_EEH_PE_OP, struct))).isEqualTo("ENODEV");
    assertThat(answer(guest.kernel.ioctl(other, VFIO_EEH_PE_OP, struct.asSlice(0, 8))))
        .isEqualTo("ENODEV");
  }

  @Test
  void aFeatureIsNoType() {
    int other = guest.container();
    assertThat(guest.setContainer(guest.group(1), other)).isEqualTo("0");
    assertThat(guest.setIommu(other, VFIO_EEH)).isEqualTo("EINVAL");
  }
}
