// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioIrqSet;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.spi.DeviceConnection;
import io.jvfio.spi.DeviceOpener;
import io.jvfio.spi.Explanation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class ConnectedDeviceTest {
  private static final int REGIONS = 9;
  private static final int VECTORS = 4;
  private static final int REGION_SHIFT = 40;
  private static final long PAGE = LinuxKernel.instance().pageSize();

  private final Program program = new Program();

  /** The other end: a device of two regions with memory of its own, which notes what it is told. */
  private static final class Program implements DeviceConnection {
    final List<String> told = new ArrayList<>();
    final MemorySegment config = Arena.ofAuto().allocate(256);
    final MemorySegment bar = Arena.ofAuto().allocate(4096);
    final int fd = LinuxKernel.instance().eventFd(0, 0);
    final Kernel kernel =
        (Kernel)
            Proxy.newProxyInstance(
                Kernel.class.getClassLoader(),
                new Class<?>[] {Kernel.class},
                (_, method, arguments) -> {
                  boolean own = arguments != null && Integer.valueOf(fd).equals(arguments[0]);
                  try {
                    return own
                        ? answer(method.getName(), arguments)
                        : method.invoke(LinuxKernel.instance(), arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    boolean connected = true;
    int regions = REGIONS;
    int mapResult;
    long mostMappings = 2;

    private Object answer(String call, Object... arguments) {
      return switch (call) {
        case "ioctl" ->
            control((Ioctl) arguments[1], arguments[2] instanceof MemorySegment s ? s : config);
        case "pread" -> {
          var target = (MemorySegment) arguments[1];
          yield connected
              ? copy(at((long) arguments[2], target.byteSize()), target)
              : (Object) (long) Errno.ECONNRESET.result();
        }
        case "pwrite" -> {
          var source = (MemorySegment) arguments[1];
          long offset = (long) arguments[2];
          if (offset >>> REGION_SHIFT == Vfio.VFIO_PCI_CONFIG_REGION_INDEX) {
            told.add("config");
          }
          yield copy(source, at(offset, source.byteSize()));
        }
        case "close" -> {
          told.add("close");
          yield LinuxKernel.instance().close(fd);
        }
        default -> throw new AssertionError(call);
      };
    }

    private static long copy(MemorySegment from, MemorySegment to) {
      to.copyFrom(from);
      return from.byteSize();
    }

    private MemorySegment at(long offset, long byteSize) {
      return (offset >>> REGION_SHIFT == 0 ? bar : config)
          .asSlice(offset & (1L << REGION_SHIFT) - 1, byteSize);
    }

    private int control(Ioctl command, MemorySegment struct) {
      if (command.equals(Vfio.VFIO_DEVICE_GET_INFO)) {
        VfioDeviceInfo.FLAGS.set(struct, Vfio.VFIO_DEVICE_FLAGS_RESET | Vfio.VFIO_DEVICE_FLAGS_PCI);
        VfioDeviceInfo.NUM_REGIONS.set(struct, regions);
        VfioDeviceInfo.NUM_IRQS.set(struct, 3);
      } else if (command.equals(Vfio.VFIO_DEVICE_GET_REGION_INFO)) {
        int index = VfioRegionInfo.INDEX.get(struct);
        VfioRegionInfo.FLAGS.set(
            struct, Vfio.VFIO_REGION_INFO_FLAG_READ | Vfio.VFIO_REGION_INFO_FLAG_WRITE);
        VfioRegionInfo.SIZE.set(
            struct,
            switch (index) {
              case 0 -> bar.byteSize();
              case Vfio.VFIO_PCI_CONFIG_REGION_INDEX -> config.byteSize();
              default -> 0;
            });
        VfioRegionInfo.OFFSET.set(struct, (long) index << REGION_SHIFT);
      } else if (command.equals(Vfio.VFIO_DEVICE_GET_IRQ_INFO)) {
        VfioIrqInfo.COUNT.set(struct, VfioIrqInfo.INDEX.get(struct) == 2 ? VECTORS : 0);
      } else if (command.equals(Vfio.VFIO_DEVICE_SET_IRQS)) {
        told.add(VfioIrqSet.COUNT.get(struct) + " interrupts");
      } else if (command.equals(Vfio.VFIO_DEVICE_RESET)) {
        told.add("reset");
      } else {
        return Errno.ENOTTY.result();
      }
      return 0;
    }

    @Override
    public String name() {
      return "unix:/program";
    }

    @Override
    public Kernel kernel() {
      return kernel;
    }

    @Override
    public int fd() {
      return fd;
    }

    @Override
    public boolean isConnected() {
      return connected;
    }

    @Override
    public long mostMappings() {
      return mostMappings;
    }

    @Override
    public long pageSize() {
      return PAGE;
    }

    @Override
    public void beginClose() {
      told.add("begin to close");
    }

    @Override
    public int mapDma(int file, MemorySegment memory, long iova, DmaAccess access) {
      told.add("map " + (file < 0 ? "memory" : "file") + " " + memory.byteSize());
      return mapResult;
    }

    @Override
    public int unmapDma(long iova, long byteSize) {
      told.add("unmap " + byteSize);
      return 0;
    }

    @Override
    public long writeEach(long offset, MemorySegment source, int width) {
      told.add(source.byteSize() / width + " writes");
      return copy(source, at(offset, source.byteSize()));
    }

    @Override
    public Explanation explain(Errno errno) {
      return new Explanation("The program says " + errno.symbol() + ".", "Ask it why.");
    }
  }

  private VfioDevice open() {
    return DeviceOpener.instance().open(program);
  }

  @Test
  void isClosedAsEveryDeviceIs() {
    var device = open();
    device.enableBusMaster();
    device.interrupts().enableMsix(2);
    device.dmaSpace().allocate(PAGE);
    program.told.clear();
    device.close();
    device.close();
    assertThat(program.told)
        .containsExactly(
            "begin to close", "config", "reset", "0 interrupts", "unmap " + PAGE, "close");
  }

  @Test
  void isClosedQuietlyWhenNobodyIsThereAnyMore() {
    var device = open();
    device.enableBusMaster();
    device.dmaSpace().allocate(PAGE);
    program.told.clear();
    program.connected = false;
    device.close();
    assertThat(program.told).containsExactly("begin to close", "unmap " + PAGE, "close");
  }

  @Test
  void endsTheConnectionIfTheDeviceMakesNoSense() {
    program.regions = 1;
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(this::open)
        .withMessageContaining("at least 8 regions");
    assertThat(program.told).containsExactly("close");
  }

  @Test
  void readsAndWritesRegisters() {
    try (var device = open()) {
      var registers = device.region(0).registers();
      registers.write32(8, 0x1234_5678);
      assertThat(registers.read32(8)).isEqualTo(0x1234_5678);
      assertThat(device.name()).isEqualTo("unix:/program");
    }
  }

  @Test
  void writesManyRegistersAtOnce() {
    try (var device = open();
        var arena = Arena.ofConfined()) {
      var registers = device.region(0).registers();
      var source = arena.allocate(64, 8);
      source.fill((byte) 3);
      program.told.clear();
      registers.copyFrom(128, source, 8);
      assertThat(program.told).containsExactly("8 writes");
      assertThat(registers.read64(184)).isEqualTo(0x0303_0303_0303_0303L);
      assertThatIllegalArgumentException().isThrownBy(() -> registers.copyFrom(2, source, 8));
      assertThatIllegalArgumentException().isThrownBy(() -> registers.copyFrom(0, source, 3));
    }
  }

  @Test
  void tellsWhatTheConnectionKnowsOfAnError() {
    try (var device = open()) {
      var registers = device.region(0).registers();
      program.connected = false;
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.read32(0))
          .withMessageContaining("ECONNRESET")
          .withMessageContaining("The program says ECONNRESET. Ask it why.");
      program.connected = true;
    }
  }

  @Test
  void givesBuffersOfMemoryFilesAndMapsOtherMemoryWithoutAFile() {
    try (var device = open();
        var arena = Arena.ofShared()) {
      var space = device.dmaSpace();
      assertThat(space.type()).isEqualTo(IommuType.VFIO_USER);
      var buffer = space.allocate(100);
      assertThat(buffer.fileDescriptor()).isPresent();
      var mapping = space.map(arena.allocate(PAGE, PAGE));
      assertThat(program.told)
          .containsExactly("map file " + buffer.byteSize(), "map memory " + PAGE);
      mapping.close();
    }
  }

  @Test
  void obeysTheLimitOfMappingsAndKnowsNoneOfLockedMemory() {
    try (var device = open()) {
      var space = device.dmaSpace();
      space.allocate(PAGE);
      assertThat(space.layout().entriesLeft()).isEqualTo(OptionalLong.of(1));
      assertThat(space.layout().lockableBytes()).isEmpty();
      var estimate = space.estimate(1L << 40, MapOptions.anywhere());
      assertThat(estimate.fits()).isTrue();
      assertThat(estimate.lockedBytesNeeded()).isZero();
      assertThat(estimate.lockedBytesAvailable()).isEmpty();
      space.allocate(PAGE);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> space.allocate(PAGE))
          .withMessageContaining("All 2 mapping entries")
          .withMessageContaining("max_dma_maps");
    }
  }

  @Test
  void takesNothingIfAMapIsRefused() {
    try (var device = open()) {
      program.mapResult = Errno.EINVAL.result();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.dmaSpace().allocate(PAGE))
          .withMessageContaining("VFIO_USER_DMA_MAP")
          .withMessageContaining("The program says EINVAL.");
      assertThat(device.dmaSpace().layout().mappings()).isEmpty();
    }
  }

  @Test
  void saysThatItIsOnNoBusToReset() {
    try (var device = open()) {
      assertThatExceptionOfType(UnsupportedOperationException.class)
          .isThrownBy(device::hotReset)
          .withMessageContaining("on no bus");
      assertThatExceptionOfType(UnsupportedOperationException.class)
          .isThrownBy(device::hotResetScope);
      assertThat(device.eeh()).isEmpty();
    }
  }

  @Test
  void hasThoseFeaturesThatAreAnsweredFor() {
    try (var device = open()) {
      assertThat(device.features().supported()).isEmpty();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.features().migration())
          .withMessageContaining("The server has no such feature.");
    }
  }

  @Test
  void sendsToTheDeviceItselfForALogOfWrites() {
    try (var device = open()) {
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.dmaSpace().trackDirtyPages())
          .withMessageContaining("startDmaLogging");
    }
  }

  @Test
  void refusesCallsOnceClosed() {
    var device = open();
    device.close();
    assertThatIllegalStateException().isThrownBy(device::reset);
    assertThatIllegalStateException().isThrownBy(() -> device.config().read16(0));
    assertThatIllegalStateException().isThrownBy(() -> device.dmaSpace().allocate(PAGE));
  }
}
