// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HugePagesTest {
  private static final long MIB = 1 << 20;
  private static final long GIB = 1 << 30;
  private static final int PRIVATE = Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS;
  private static final int HUGE = PRIVATE | Kernel.MAP_HUGETLB;

  private Guest guest = new Guest("x86-6.12", HostOptions.defaults().withHugePages(2 * MIB, 4));

  @AfterEach
  void close() {
    guest.close();
  }

  private void use(String host, HostOptions options) {
    guest.close();
    guest = new Guest(host, options);
  }

  private static int ofShift(int shift) {
    return shift << Kernel.MAP_HUGE_SHIFT;
  }

  private long map(long byteSize, int flags) {
    return guest.kernel.mmap(byteSize, 3, flags, -1, 0);
  }

  private String free() throws ErrnoException {
    return guest.kernel.readText("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  }

  @Test
  void theyAreTakenFromThePoolAndGivenBack() throws ErrnoException {
    assertThat(guest.kernel.readText("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"))
        .isEqualTo("4");
    long mapped = map(3 * MIB, HUGE | ofShift(21));
    assertThat(mapped % (2 * MIB)).isZero();
    assertThat(guest.view(mapped, 4 * MIB).get(ValueLayout.JAVA_LONG, 4 * MIB - 8)).isZero();
    assertThat(free()).isEqualTo("2");
    assertThat(guest.host.resources().hugePageBytes()).isEqualTo(4 * MIB);
    assertThat(answer(map(6 * MIB, HUGE))).isEqualTo("ENOMEM");
    assertThat(map(4 * MIB, HUGE)).isPositive();
    assertThat(answer(map(1, HUGE))).isEqualTo("ENOMEM");
    assertThat(guest.kernel.munmap(mapped, 4 * MIB)).isZero();
    // a view of it is still open
    assertThat(free()).isEqualTo("0");
    assertThat(guest.host.resources().anonymousMappings()).isEqualTo(1);
  }

  @Test
  void theyAreFreeAgainWhenNothingShowsThem() throws ErrnoException {
    long mapped = map(8 * MIB, HUGE);
    int container = guest.container(guest.group(1), 3);
    assertThat(guest.map(container, 0, mapped, 2 * MIB)).isEqualTo("0");
    assertThat(guest.kernel.munmap(mapped, 8 * MIB)).isZero();
    assertThat(free()).isEqualTo("0");
    assertThat(guest.unmapped(container, 0, 2 * MIB, 0)).isEqualTo("200000");
    assertThat(free()).isEqualTo("4");
  }

  @Test
  void withoutAPoolThereAreNone() throws ErrnoException {
    use("x86-6.12", HostOptions.defaults());
    assertThat(answer(map(2 * MIB, HUGE))).isEqualTo("ENOMEM");
    assertThat(answer(map(GIB, HUGE | ofShift(30)))).isEqualTo("ENOMEM");
    assertThat(free()).isEqualTo("0");
  }

  @Test
  void aMachineHasCertainSizes() {
    assertThat(answer(map(16 * MIB, HUGE | ofShift(24)))).isEqualTo("EINVAL");
    int flags = Kernel.MFD_HUGETLB | ofShift(24);
    assertThat(answer(guest.kernel.memoryFile("a", flags, 16 * MIB))).isEqualTo("ENODEV");
    assertThatThrownBy(
            () -> SimulatedHosts.open("x86-6.12", HostOptions.defaults().withHugePages(4096, 1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("4096");
    assertThatThrownBy(() -> HostOptions.defaults().withHugePages(2 * MIB, -1))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aPageIsUnmappedWholeOrNotAtAll() {
    long mapped = map(4 * MIB, HUGE);
    assertThat(answer(guest.kernel.munmap(mapped, 0x1000))).isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.munmap(mapped + 0x1000, 4 * MIB))).isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.munmap(mapped, 3 * MIB))).isEqualTo("EINVAL");
    assertThat(guest.host.resources().anonymousMappings()).isEqualTo(1);
    assertThat(guest.kernel.munmap(mapped, 2 * MIB)).isZero();
    assertThat(guest.kernel.munmap(mapped + 2 * MIB, 2 * MIB)).isZero();
    assertThat(guest.host.resources().hugePageBytes()).isZero();
  }

  @Test
  void lockingThemChargesNothingAndHasALimitAllTheSame() {
    use(
        "x86-6.12",
        HostOptions.unprivileged().withLockedMemoryLimit(2 * MIB).withHugePages(2 * MIB, 4));
    long mapped = map(4 * MIB, HUGE);
    assertThat(answer(guest.kernel.mlock(mapped, 4 * MIB))).isEqualTo("ENOMEM");
    assertThat(guest.kernel.mlock(mapped, 2 * MIB)).isZero();
    assertThat(guest.lockedKilobytes()).isZero();
  }

  @Test
  void aMemoryFileOfThemTakesEachPageOnce() throws ErrnoException {
    int flags = Kernel.MFD_HUGETLB | ofShift(21);
    assertThat(answer(guest.kernel.memoryFile("a", flags, 3 * MIB))).isEqualTo("EINVAL");
    int fd = guest.kernel.memoryFile("a", flags, 6 * MIB);
    assertThat(free()).isEqualTo("4");
    long first = guest.kernel.mmap(4 * MIB, 3, Kernel.MAP_SHARED, fd, 0);
    long second = guest.kernel.mmap(4 * MIB, 3, Kernel.MAP_SHARED, fd, 2 * MIB);
    assertThat(second % (2 * MIB)).isZero();
    assertThat(free()).isEqualTo("1");
    guest.view(first, 4 * MIB).set(ValueLayout.JAVA_INT, 2 * MIB, 5);
    assertThat(guest.view(second, 4).get(ValueLayout.JAVA_INT, 0)).isEqualTo(5);
    assertThat(answer(guest.kernel.mmap(2 * MIB, 3, Kernel.MAP_SHARED, fd, 0x1000)))
        .isEqualTo("EINVAL");
    assertThat(answer(guest.kernel.mmap(4 * MIB, 3, Kernel.MAP_PRIVATE, fd, 0)))
        .isEqualTo("ENOMEM");
    assertThat(guest.kernel.mmap(2 * MIB, 3, Kernel.MAP_PRIVATE, fd, 0)).isPositive();
    assertThat(free()).isEqualTo("0");
  }

  @Test
  void aMemoryFileGivesItsPagesBackWithItsLastUser() throws ErrnoException {
    int fd = guest.kernel.memoryFile("a", Kernel.MFD_HUGETLB, 8 * MIB);
    long mapped = guest.kernel.mmap(8 * MIB, 3, Kernel.MAP_SHARED, fd, 0);
    guest.kernel.close(fd);
    assertThat(free()).isEqualTo("0");
    guest.kernel.munmap(mapped, 8 * MIB);
    assertThat(free()).isEqualTo("4");
  }

  @Test
  void anIommuPageMayBeAsLargeAsThePageBehindIt() {
    use("pseries-6.12", HostOptions.defaults().withHugePages(2 * MIB, 8).withHugePages(GIB, 1));
    int container = guest.container(guest.group(0), 7);
    long small = guest.memory(16 * MIB);
    long middle = map(16 * MIB, HUGE | ofShift(21));
    long large = map(GIB, HUGE | ofShift(30));
    assertThat(guest.register(container, small, 2 * MIB)).isEqualTo("0");
    assertThat(guest.register(container, middle, 16 * MIB)).isEqualTo("0");
    assertThat(guest.register(container, large, 32 * MIB)).isEqualTo("0");
    long window = 1L << 59;
    assertThat(guest.create(container, 21, GIB, 1)).isEqualTo("0 · start 800000000000000");
    assertThat(guest.map(container, window, small, 2 * MIB)).isEqualTo("EINVAL");
    assertThat(guest.map(container, window, middle, 2 * MIB)).isEqualTo("0");
    assertThat(guest.remove(container, window)).isEqualTo("0");
    assertThat(guest.create(container, 24, GIB, 1)).isEqualTo("0 · start 800000000000000");
    assertThat(guest.map(container, 1L << 59, middle, 16 * MIB)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 1L << 59, large, 16 * MIB)).isEqualTo("0");
  }
}
