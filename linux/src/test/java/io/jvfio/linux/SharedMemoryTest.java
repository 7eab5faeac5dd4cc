// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class SharedMemoryTest {
  private static final long PAGE = LinuxKernel.instance().pageSize();

  private static long read(MemorySegment segment, long offset) {
    return segment.get(ValueLayout.JAVA_LONG, offset);
  }

  @Test
  void viewsShowTheSameBytesAndOutliveTheMemory() throws ErrnoException {
    try (var arena = Arena.ofShared()) {
      var memory = SharedMemory.allocate(4 * PAGE);
      var whole = memory.map(0, 4 * PAGE, PAGE, false, arena);
      var part = memory.map(2 * PAGE, PAGE, PAGE, false, arena);
      var copied = memory.map(2 * PAGE, PAGE, PAGE, true, arena);
      memory.close();
      memory.close();
      whole.set(ValueLayout.JAVA_LONG, 2 * PAGE, 7);
      assertThat(read(part, 0)).isEqualTo(7);
      assertThat(read(copied, 0)).isEqualTo(7);
      copied.set(ValueLayout.JAVA_LONG, 0, 8);
      assertThat(read(whole, 2 * PAGE)).isEqualTo(7);
    }
  }

  @Test
  void addressesAreAlignedAsAsked() throws ErrnoException {
    long alignment = 2 << 20;
    try (var memory = SharedMemory.allocate(PAGE);
        var arena = Arena.ofShared()) {
      for (int i = 0; i < 3; i++) {
        assertThat(memory.map(0, PAGE, alignment, false, arena).address() % alignment).isZero();
      }
    }
  }

  @Test
  void whatIsPastTheEndCannotBeTouched() throws ErrnoException {
    try (var memory = SharedMemory.allocate(PAGE);
        var arena = Arena.ofShared()) {
      var longer = memory.map(0, 2 * PAGE, PAGE, false, arena);
      assertThat(read(longer, PAGE - 8)).isZero();
      assertThatThrownBy(() -> read(longer, PAGE)).isInstanceOf(InternalError.class);
    }
  }

  @Test
  void whatTheKernelRefusesIsThrown() throws ErrnoException {
    assertThatThrownBy(() -> SharedMemory.allocate(-1))
        .isInstanceOf(ErrnoException.class)
        .hasMessageContaining("EINVAL");
    try (var memory = SharedMemory.allocate(PAGE);
        var arena = Arena.ofShared()) {
      assertThatThrownBy(() -> memory.map(0, 1L << 60, PAGE, false, arena))
          .isInstanceOf(ErrnoException.class)
          .hasMessageContaining("ENOMEM");
      assertThatThrownBy(() -> memory.map(1, PAGE, PAGE, false, arena))
          .isInstanceOf(ErrnoException.class)
          .hasMessageContaining("EINVAL");
    }
  }
}
