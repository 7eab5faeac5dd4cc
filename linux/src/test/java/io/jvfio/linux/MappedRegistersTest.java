// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Registers over a shared mapping of a file, whose bytes are the device's view. */
class MappedRegistersTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final int SIZE = 64;

  @TempDir Path directory;

  private int fd;
  private long address;
  private Registers registers;

  @BeforeEach
  void map() throws Exception {
    var file = Files.write(directory.resolve("bar"), new byte[KERNEL.pageSize()]);
    fd = KERNEL.open(file.toString(), Kernel.O_RDWR);
    address =
        KERNEL.mmap(
            KERNEL.pageSize(), Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, fd, 0);
    assertThat(address).isPositive();
    registers = KERNEL.registers(address, SIZE);
  }

  @AfterEach
  void unmap() {
    registers.close();
    assertThat(KERNEL.munmap(address, KERNEL.pageSize())).isZero();
    KERNEL.close(fd);
  }

  private byte[] device(long offset, int length) {
    try (var arena = Arena.ofConfined()) {
      var bytes = arena.allocate(length);
      assertThat(KERNEL.pread(fd, bytes, offset)).isEqualTo(length);
      return bytes.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  private void device(long offset, byte[] bytes) {
    try (var arena = Arena.ofConfined()) {
      var source = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
      assertThat(KERNEL.pwrite(fd, source, offset)).isEqualTo(bytes.length);
    }
  }

  @Test
  void writesAreLittleEndianAndExactlyAsWideAsTheyAre() {
    device(0, new byte[] {9, 9, 9, 9, 9, 9, 9, 9, 9, 9});

    registers.write8(1, (byte) 0x01);
    assertThat(device(0, 4)).containsExactly(9, 1, 9, 9);
    registers.write16(2, (short) 0x0203);
    assertThat(device(0, 5)).containsExactly(9, 1, 3, 2, 9);
    registers.write32(4, 0x04050607);
    assertThat(device(3, 6)).containsExactly(2, 7, 6, 5, 4, 9);
    registers.write64(8, 0x08090a0b0c0d0e0fL);
    assertThat(device(8, 9)).containsExactly(15, 14, 13, 12, 11, 10, 9, 8, 0);
    registers.write32Release(16, 0x10111213);
    assertThat(device(15, 6)).containsExactly(8, 19, 18, 17, 16, 0);
  }

  @Test
  void readsAreLittleEndianAndExactlyAsWideAsTheyAre() {
    device(8, new byte[] {1, 2, 3, 4, 5, 6, 7, (byte) 0x88});

    assertThat(registers.read8(15)).isEqualTo((byte) 0x88);
    assertThat(registers.read16(14)).isEqualTo((short) 0x8807);
    assertThat(registers.read32(12)).isEqualTo(0x88070605);
    assertThat(registers.read64(8)).isEqualTo(0x8807060504030201L);
  }

  @Test
  void theLastRegisterIsReachable() {
    assertThat(registers.byteSize()).isEqualTo(SIZE);
    registers.write8(SIZE - 1, (byte) 1);
    registers.write16(SIZE - 2, (short) 2);
    registers.write32(SIZE - 4, 3);
    registers.write32Release(SIZE - 4, 4);
    registers.write64(SIZE - 8, 5);
    assertThat(registers.read8(SIZE - 1)).isZero();
    assertThat(registers.read16(SIZE - 2)).isZero();
    assertThat(registers.read32(SIZE - 4)).isZero();
    assertThat(registers.read64(SIZE - 8)).isEqualTo(5);
  }

  @Test
  void nothingOutsideIsReachable() {
    for (long offset : new long[] {-8, SIZE, SIZE + 8, 1L << 40, Long.MIN_VALUE}) {
      assertThat(accesses(offset))
          .allSatisfy(
              access ->
                  assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(access));
    }
    assertThat(device(SIZE, 16)).containsOnly(0);
  }

  @Test
  void aMisalignedAccessIsRefused() {
    List.<ThrowingCallable>of(
            () -> registers.read16(1),
            () -> registers.read32(2),
            () -> registers.read64(4),
            () -> registers.write16(3, (short) 1),
            () -> registers.write32(6, 1),
            () -> registers.write32Release(2, 1),
            () -> registers.write64(12, 1))
        .forEach(access -> assertThatIllegalArgumentException().isThrownBy(access));
    assertThat(device(0, SIZE)).containsOnly(0);
  }

  @Test
  void nothingIsReachableOnceClosed() {
    registers.close();
    registers.close();

    assertThat(accesses(0))
        .allSatisfy(access -> assertThatIllegalStateException().isThrownBy(access));
  }

  @Test
  void closingEndsTheAccessOfAnotherThread() throws Exception {
    var reading = new CountDownLatch(1);
    var other =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                while (true) {
                  registers.write32(0, registers.read32(0) + 1);
                  reading.countDown();
                }
              } catch (IllegalStateException closed) {
                return closed;
              }
            });
    assertThat(reading.await(30, TimeUnit.SECONDS)).isTrue();
    // HotSpot lets a shared arena be closed under an accessing thread: no access comes after it.
    registers.close();

    assertThat(other.get(30, TimeUnit.SECONDS)).isNotNull();
  }

  /** Every access mode at one offset; each of them fails, or none does. */
  private Stream<ThrowingCallable> accesses(long offset) {
    return Stream.of(
        () -> registers.read8(offset),
        () -> registers.read16(offset),
        () -> registers.read32(offset),
        () -> registers.read64(offset),
        () -> registers.write8(offset, (byte) 1),
        () -> registers.write16(offset, (short) 1),
        () -> registers.write32(offset, 1),
        () -> registers.write32Release(offset, 1),
        () -> registers.write64(offset, 1));
  }
}
