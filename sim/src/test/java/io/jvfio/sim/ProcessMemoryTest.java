// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Kernel;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ProcessMemoryTest {
  private Guest guest = new Guest("x86-6.12");

  @AfterEach
  void close() {
    guest.close();
  }

  private void use(HostOptions options) {
    guest.close();
    guest = new Guest("x86-6.12", options);
  }

  private int mappings() {
    return guest.host.resources().anonymousMappings();
  }

  @Test
  void memoryIsZeroedAndWholePages() {
    long address = guest.memory(1);
    assertThat(address % 0x1000).isZero();
    assertThat(guest.view(address, 0x1000).get(ValueLayout.JAVA_LONG, 0xff8)).isZero();
    assertThatThrownBy(() -> guest.view(address, 0x1001))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void mmapChecksItsArguments() {
    int anonymous = Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS;
    assertThat(answer(guest.kernel.mmap(0, 3, anonymous, -1, 0))).isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.mmap(0x1000, 3, Kernel.MAP_ANONYMOUS, -1, 0)))
        .isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.mmap(0x1000, 3, Kernel.MAP_SHARED, -1, 0))).isEqualTo("EBADF");
    assertThat(answer(guest.kernel.mmap(0, 3, Kernel.MAP_SHARED, -1, 0))).isEqualTo("EBADF");
    assertThat(answer(guest.kernel.mmap(0x1000, 3, Kernel.MAP_SHARED, -1, 0x100)))
        .isEqualTo("EINVAL");
    assertThat(guest.kernel.mmap(0x1000, 3, Kernel.MAP_SHARED | Kernel.MAP_ANONYMOUS, -1, 0))
        .isPositive();
  }

  @Test
  void memoryThatTheMachineDoesNotHaveIsRefused() {
    assertThat(answer(guest.memory(1L << 46))).isEqualTo("ENOMEM");
    assertThat(mappings()).isZero();
  }

  @Test
  void aHoleSplitsAMapping() {
    long address = guest.memory(0x3000);
    assertThat(guest.kernel.munmap(address + 0x1000, 0x1000)).isZero();
    assertThat(mappings()).isEqualTo(2);
    guest.view(address, 0x1000);
    guest.view(address + 0x2000, 0x1000);
    assertThatThrownBy(() -> guest.view(address, 0x3000))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(guest.kernel.munmap(address, 0x3000)).isZero();
    assertThat(mappings()).isZero();
    assertThat(guest.kernel.munmap(address, 0x3000)).isZero();
  }

  @Test
  void munmapChecksItsArguments() {
    long address = guest.memory(0x1000);
    assertThat(answer(guest.kernel.munmap(address + 1, 0x1000))).isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.munmap(address, 0))).isEqualTo("EINVAL");
    assertThat(guest.kernel.munmap(address, 1)).isZero();
    assertThat(mappings()).isZero();
  }

  @Test
  void lockedPagesAreChargedOnceAndUntilTheyAreUnmapped() {
    long address = guest.memory(0x4000);
    assertThat(guest.kernel.mlock(address + 0x1800, 0x1000)).isZero();
    assertThat(guest.lockedKilobytes()).isEqualTo(8);
    assertThat(guest.kernel.mlock(address, 0x4000)).isZero();
    assertThat(guest.lockedKilobytes()).isEqualTo(16);
    guest.view(address, 0x4000);
    guest.kernel.munmap(address + 0x3000, 0x1000);
    assertThat(guest.lockedKilobytes()).isEqualTo(12);
    guest.kernel.munmap(address, 0x4000);
    assertThat(guest.lockedKilobytes()).isZero();
  }

  @Test
  void lockingHasALimit() {
    use(HostOptions.unprivileged().withLockedMemoryLimit(0x2000));
    long address = guest.memory(0x4000);
    assertThat(answer(guest.kernel.mlock(address, 0x3000))).isEqualTo("ENOMEM");
    assertThat(guest.kernel.mlock(address, 0x2000)).isZero();
    assertThat(answer(guest.kernel.mlock(address, 0x3000))).isEqualTo("ENOMEM");
    assertThat(guest.kernel.mlock(address, 0x2000)).isZero();
    assertThat(answer(guest.kernel.mlock(0x1000, 0x1000))).isEqualTo("ENOMEM");
    use(HostOptions.unprivileged().withLockedMemoryLimit(0));
    assertThat(answer(guest.kernel.mlock(guest.memory(0x1000), 0x1000))).isEqualTo("EPERM");
  }

  @Test
  void withoutTheRightTheMapOfPagesHidesWhereTheyAre() {
    use(HostOptions.unprivileged());
    long address = guest.memory(0x1000);
    int pagemap = guest.kernel.open("/proc/self/pagemap", Kernel.O_RDONLY);
    var entries = guest.arena.allocate(16, 8);
    assertThat(guest.kernel.pread(pagemap, entries, address / 0x1000 * 8)).isEqualTo(16);
    assertThat(entries.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(1L << 63);
    assertThat(guest.kernel.pread(pagemap, entries, 8)).isEqualTo(16);
    assertThat(entries.get(ValueLayout.JAVA_LONG, 0)).isZero();
    assertThat(entries.get(ValueLayout.JAVA_LONG, 8)).isZero();
    assertThat(answer(guest.kernel.pread(pagemap, entries, 4))).isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.pread(pagemap, entries.asSlice(0, 4), 0))).isEqualTo("EINVAL");
  }
}
