// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class NativeMemoryTest {
  private static final long GIB = 1L << 30;

  private static long residentPages() throws IOException {
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", -1)[1]);
  }

  @Test
  void zeroedMemoryIsAlignedAndTakesNoRoomUntilItIsTouched() throws Exception {
    try (var arena = Arena.ofConfined()) {
      long before = residentPages();
      var memory = NativeMemory.allocate(GIB, 64 << 10, arena);
      assertThat(memory.address() % (64 << 10)).isZero();
      assertThat(memory.byteSize()).isEqualTo(GIB);
      assertThat(memory.get(ValueLayout.JAVA_LONG, GIB - Long.BYTES)).isZero();
      memory.set(ValueLayout.JAVA_LONG, 0, 42);
      assertThat(memory.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
      assertThat((residentPages() - before) * 4096).isLessThan(GIB / 4);
    }
  }

  @Test
  void zeroedMemoryGoesWithItsArena() {
    long address;
    try (var arena = Arena.ofConfined()) {
      address = NativeMemory.allocate(1 << 20, 4096, arena).address();
      assertThat(isMapped(address)).isTrue();
    }
    assertThat(isMapped(address)).isFalse();
  }

  @Test
  void aClosedArenaLeavesNothingMapped() throws Exception {
    var arena = Arena.ofConfined();
    arena.close();
    long before = mappedPages();
    for (int i = 0; i < 100; i++) {
      assertThatThrownBy(() -> NativeMemory.allocate(GIB, 4096, arena))
          .isInstanceOf(IllegalStateException.class);
    }
    assertThat((mappedPages() - before) * 4096).isLessThan(20 * GIB);
  }

  private static long mappedPages() throws IOException {
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", -1)[0]);
  }

  /** Memory that is not there cannot be locked. */
  private static boolean isMapped(long address) {
    var kernel = LinuxKernel.instance();
    boolean isThere = kernel.mlock(address, 4096) == 0;
    if (isThere) {
      kernel.munlock(address, 4096);
    }
    return isThere;
  }

  @Test
  void moreThanTheMachineHasIsRefused() {
    try (var arena = Arena.ofConfined()) {
      assertThatThrownBy(() -> NativeMemory.allocate(1L << 46, 4096, arena))
          .isInstanceOf(OutOfMemoryError.class)
          .hasMessageContaining("ENOMEM");
    }
  }
}
