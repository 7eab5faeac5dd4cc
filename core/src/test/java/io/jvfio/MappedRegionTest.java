// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.kernel.KernelAnswers;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.RegisterOrder;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Registers over a shared mapping of a file. A file that is cut short answers an access as a device
 * that is gone does: the kernel sends a real SIGBUS.
 */
class MappedRegionTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /** Enough for the compiler of HotSpot that optimizes most. */
  private static final int HOT = 200_000;

  @TempDir Path directory;

  private final FakeConfig config = new FakeConfig(256).set(4, 6);
  private Path file;
  private MappedRegion region;

  @BeforeEach
  void map() throws IOException {
    file = Files.write(directory.resolve("bar"), new byte[KERNEL.pageSize()]);
    region = map(RegisterOrder.OPAQUE);
  }

  @AfterEach
  void unmap() {
    region.close();
  }

  private MappedRegion map(RegisterOrder order) {
    int fd = KERNEL.open(file.toString(), Kernel.O_RDWR);
    long address =
        KERNEL.mmap(
            KERNEL.pageSize(), Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, fd, 0);
    assertThat(address).isPositive();
    KERNEL.close(fd);
    return new MappedRegion(
        KERNEL,
        "BAR0 of a file",
        new DeviceHealth(config, Optional.empty(), KernelAnswers.INSTANCE),
        address,
        KERNEL.pageSize(),
        order);
  }

  private void resize(long byteSize) throws IOException {
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(byteSize);
      if (byteSize > 0) {
        channel.write(ByteBuffer.allocate(1), byteSize - 1);
      }
    }
  }

  private List<Consumer<MappedRegion>> accesses() {
    return List.of(
        each -> each.read8(1),
        each -> each.read16(2),
        each -> each.read32(4),
        each -> each.read64(8),
        each -> each.write8(1, (byte) 1),
        each -> each.write16(2, (short) 1),
        each -> each.write32(4, 1),
        each -> each.write64(8, 1),
        each -> each.write32Release(4, 1),
        each -> copy(each, true),
        each -> copy(each, false));
  }

  private static void copy(MappedRegion region, boolean out) {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocate(64);
      if (out) {
        region.copyTo(0, memory, 4);
      } else {
        region.copyFrom(0, memory, 4);
      }
    }
  }

  private static void assertGone(Runnable access) {
    assertGone(access, InternalError.class);
  }

  private static void assertGone(Runnable access, @Nullable Class<? extends Throwable> cause) {
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(access::run)
        .withMessageContaining("BAR0 of a file")
        .withMessageContaining("The device did not answer")
        .satisfies(
            failure ->
                assertThat(failure.getCause() == null ? null : failure.getCause().getClass())
                    .isEqualTo(cause));
  }

  @Test
  void anInterpretedAccessThatNobodyAnswersIsAFailure() throws IOException {
    resize(0);
    for (var access : accesses()) {
      assertGone(() -> access.accept(region));
    }
    resize(KERNEL.pageSize());
    region.write32(4, 7);
    assertThat(region.read32(4)).isEqualTo(7);
  }

  @Test
  void theFailureSaysWhyNobodyAnswered() throws IOException {
    resize(0);
    assertThatThrownBy(() -> region.read32(0)).hasMessageContaining("asleep in low power");
    config.set(4, 4);
    assertThatThrownBy(() -> region.read32(0)).hasMessageContaining("decodes no memory");
    config.set(6, 0x10).set(0x34, 0x40).set(0x40, 1, 0, 3, 0, 3);
    assertThatThrownBy(() -> region.read32(0)).hasMessageContaining("asleep (D3hot)");
    config.set(8, 0xff, 0xff, 0xff, 0xff);
    assertThatThrownBy(() -> region.read32(0)).hasMessageContaining("it is gone");
  }

  @Test
  void onesAreNoValueOfADeviceThatIsGone() {
    region.write64(0, -1);
    assertThat(region.read64(0)).isEqualTo(-1);
    assertThat(region.read32(4)).isEqualTo(-1);
    config.set(8, 0xff, 0xff, 0xff, 0xff);
    assertGone(() -> region.read64(0), null);
    assertGone(() -> region.read32(4), null);
    assertThat(region.read32(8)).isZero();
  }

  /** How many accesses of a loop succeeded until one failed, as the loop itself sees it. */
  private static long readsUntilGone(MappedRegion region, long most) {
    long sum = 0;
    for (long i = 0; i < most; i++) {
      try {
        int value = region.read32(4);
        if (value != 7) {
          throw new AssertionError("read " + value);
        }
        sum += value;
      } catch (VfioException e) {
        return -1 - sum / 7;
      }
    }
    return sum / 7;
  }

  /** As a driver waits for a bit: the compiler would like to test it in memory. */
  private static int bitsUntilGone(MappedRegion region, long most) {
    int clear = 0;
    try {
      for (long i = 0; i < most; i++) {
        if ((region.read32(4) & 0x100) == 0) {
          clear++;
        }
        if ((region.read8(4) & 8) == 0) {
          clear++;
        }
        if ((region.read64(8) & 0x100) == 0) {
          clear++;
        }
        if ((region.read16(2) & 0x100) == 0) {
          clear++;
        }
      }
    } catch (VfioException e) {
      return -1 - clear;
    }
    return clear;
  }

  private static long writesUntilGone(MappedRegion region, long most) {
    for (long i = 0; i < most; i++) {
      try {
        region.write32(4, 7);
      } catch (VfioException e) {
        return -1 - i;
      }
    }
    return most;
  }

  @ParameterizedTest
  @EnumSource
  void aCompiledReadThatNobodyAnswersIsAFailureAndNoValue(RegisterOrder order) throws IOException {
    try (var other = map(order)) {
      other.write32(4, 7);
      for (int i = 0; i < 20; i++) {
        assertThat(readsUntilGone(other, HOT)).isEqualTo(HOT);
      }
      resize(0);
      assertThat(readsUntilGone(other, HOT)).isEqualTo(-1);
      assertGone(() -> other.read32(4));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCompiledTestOfABitThatNobodyAnswersIsAFailure(RegisterOrder order) throws IOException {
    try (var other = map(order)) {
      other.write32(4, 0);
      for (int i = 0; i < 20; i++) {
        assertThat(bitsUntilGone(other, HOT)).isEqualTo(4 * HOT);
      }
      resize(0);
      assertThat(bitsUntilGone(other, HOT)).isEqualTo(-1);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCompiledWriteThatNobodyTakesIsAFailureAtOnce(RegisterOrder order) throws IOException {
    try (var other = map(order)) {
      for (int i = 0; i < 20; i++) {
        assertThat(writesUntilGone(other, HOT)).isEqualTo(HOT);
      }
      resize(0);
      assertThat(writesUntilGone(other, HOT)).isEqualTo(-1);
    }
  }

  @Test
  void everyCompiledAccessFailsInItsPlace() throws IOException {
    for (var access : accesses()) {
      for (int i = 0; i < HOT / 4; i++) {
        access.accept(region);
      }
    }
    resize(0);
    for (var access : accesses()) {
      assertGone(() -> access.accept(region));
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyOrderReadsWhatWasWrittenInLittleEndian(RegisterOrder order) throws IOException {
    try (var other = map(order)) {
      other.write64(0, 0x0807060504030201L);
      other.write32(8, 0x0c0b0a09);
      other.write16(12, (short) 0x0e0d);
      other.write8(14, (byte) 0x0f);
      other.write32Release(16, 0x14131211);
      assertThat(Files.readAllBytes(file))
          .startsWith(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 17, 18, 19, 20);
      assertThat(other.read64(0)).isEqualTo(0x0807060504030201L);
      assertThat(other.read32(8)).isEqualTo(0x0c0b0a09);
      assertThat(other.read16(12)).isEqualTo((short) 0x0e0d);
      assertThat(other.read8(14)).isEqualTo((byte) 0x0f);
      assertThat(other.read32(16)).isEqualTo(0x14131211);
    }
  }

  @Test
  void aCopyKeepsTheBytesAndItsBounds() throws IOException {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocate(33).asSlice(1, 32); // not aligned
      for (int i = 0; i < 32; i++) {
        memory.set(ValueLayout.JAVA_BYTE, i, (byte) (i + 1));
      }
      for (int width : new int[] {1, 2, 4, 8}) {
        region.copyFrom(64, memory, width);
        assertThat(Files.readAllBytes(file)[64 + 31]).isEqualTo((byte) 32);
        var back = arena.allocate(33).asSlice(1, 32);
        region.copyTo(64, back, width);
        assertThat(back.mismatch(memory)).isEqualTo(-1);
      }
      for (int width : new int[] {0, 3, 16, -1}) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> region.copyTo(0, memory, width))
            .withMessageContaining("accesses of " + width);
      }
      assertThatIllegalArgumentException()
          .isThrownBy(() -> region.copyFrom(0, memory.asSlice(0, 7), 4));
      assertThatIllegalArgumentException().isThrownBy(() -> region.copyFrom(2, memory, 4));
      assertThatExceptionOfType(IndexOutOfBoundsException.class)
          .isThrownBy(() -> region.copyTo(KERNEL.pageSize() - 16L, memory, 4));
      assertThatExceptionOfType(IndexOutOfBoundsException.class)
          .isThrownBy(() -> region.copyFrom(-4, memory, 4));
    }
  }
}
