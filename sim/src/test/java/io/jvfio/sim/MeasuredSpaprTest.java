// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.uapi.Vfio;
import org.junit.jupiter.api.Test;

/**
 * The same calls in the same order that a small C program made on one boot of real kernels, with
 * what they answered. Sections A to F are one process, so what one leaks the next ones see.
 */
class MeasuredSpaprTest {
  private static final long MIB = 1 << 20;
  private static final long WINDOW = 0x4000_0000L;
  private static final long SECOND_WINDOW = 0x0800_0000_0000_0000L;
  private static final String V1_INFO =
      "0 · flags 0 win 0+40000000 ddw pgsizes 0 max_win 0 levels 0";

  @Test
  void aPartitionWithDynamicWindowsAnswersAsMeasured() {
    try (var guest = new Guest("pseries-6.12")) {
      new Sections(guest, true, "ddw pgsizes 1211000 max_win 2 levels 1").run();
    }
  }

  @Test
  void aPartitionWithoutDynamicWindowsAnswersAsMeasured() {
    try (var guest = new Guest("pseries-6.12-noddw")) {
      new Sections(guest, false, "ddw pgsizes 1000 max_win 4294967295 levels 0").run();
    }
  }

  /** Section G. */
  @Test
  void anUnprivilegedProcessCannotPay() {
    var options = HostOptions.unprivileged().withGroupAccess();
    try (var guest = new Guest("pseries-6.12-noddw", options)) {
      int group = guest.group(0);
      int container = guest.container(group, 7);
      long memory = guest.memory(MIB);
      assertThat(guest.register(container, memory, MIB)).isEqualTo("ENOMEM");
      assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("EPERM");
      guest.close(group, container);
      group = guest.group(0);
      container = guest.container(group, 2);
      assertThat(guest.spaprInfo(container)).isEqualTo(V1_INFO);
      assertThat(guest.enable(container)).isEqualTo("ENOMEM");
    }
  }

  /**
   * Section G with windows. There REGISTER cost nothing, since the region that B leaked was still
   * registered; here it is small enough to be paid for.
   */
  @Test
  void anUnprivilegedProcessCannotPayForTheDefaultWindow() {
    var options = HostOptions.unprivileged().withGroupAccess();
    try (var guest = new Guest("pseries-6.12", options)) {
      int group = guest.group(0);
      int container = guest.container(group, 7);
      long memory = guest.memory(0x1000);
      assertThat(guest.register(container, memory, 0x1000)).isEqualTo("0");
      assertThat(guest.map(container, 0, memory, 0x1000)).isEqualTo("ENOMEM");
    }
  }

  /** What the program does, section by section. */
  private static final class Sections {
    private final Guest guest;
    private final boolean ddw;
    private final String v2Info;
    private final long memory;
    private int group;
    private int container;

    Sections(Guest guest, boolean ddw, String dynamic) {
      this.guest = guest;
      this.ddw = ddw;
      this.v2Info = "0 · flags 1 win 0+40000000 " + dynamic;
      this.memory = guest.memory(MIB);
    }

    void run() {
      checkExtensions(guest);
      a();
      b();
      c();
      d();
      e();
      f();
    }

    private void begin(int type) {
      container = guest.container();
      group = guest.group(0);
      assertThat(guest.setContainer(group, container)).isEqualTo("0");
      assertThat(guest.setIommu(container, type)).isEqualTo("0");
    }

    private void end() {
      guest.close(group, container);
    }

    private void expect(String answer, String withWindows, String without) {
      assertThat(answer).isEqualTo(ddw ? withWindows : without);
    }

    private void a() {
      begin(2);
      expect(guest.spaprInfo(container), V1_INFO, V1_INFO);
      expect(guest.map(container, 0, memory, 0x10000), "EPERM", "EPERM");
      expect(guest.enable(container), "0", "0");
      assertThat(guest.lockedKilobytes()).isEqualTo(1048576);
      expect(guest.enable(container), "EBUSY", "EBUSY");
      expect(guest.map(container, 0, memory, 0x10000), "0", "EINVAL");
      expect(guest.map(container, 0, memory, 0x10000), "0", "ENODEV");
      expect(guest.map(container, 0x1000, memory, 0x1000), "0", "ENODEV");
      expect(guest.map(container, WINDOW, memory, 0x10000), "ENXIO", "ENODEV");
      expect(guest.map(container, 0x123, memory, 0x1000), "1", "ENODEV");
      expect(guest.map(container, 0, memory + 0x123, 0x1000), "EINVAL", "ENODEV");
      expect(guest.map(container, 0, memory, 0), "0", "ENODEV");
      expect(guest.unmap(container, 0, 0x10000), "0", "ENODEV");
      expect(guest.unmap(container, 0, 0x10000), "0", "ENODEV");
      expect(guest.unmap(container, WINDOW, 0x10000), "ENXIO", "ENODEV");
      expect(guest.register(container, memory, MIB), "ENOTTY", "ENOTTY");
      expect(guest.create(container, 16, WINDOW, 1), "ENOTTY", "ENOTTY");
      expect(guest.remove(container, 0), "ENOTTY", "ENOTTY");
      expect(guest.disable(container), "0", "0");
      expect(guest.setIommu(container, 2), "EINVAL", "EINVAL");
      end();
    }

    private void b() {
      begin(7);
      expect(guest.map(container, 0, memory, 0x10000), "EPERM", "EPERM");
      expect(guest.spaprInfo(container), v2Info, v2Info);
      assertThat(guest.lockedKilobytes()).isEqualTo(ddw ? 0 : 20480);
      expect(guest.enable(container), "ENOTTY", "ENOTTY");
      expect(guest.register(container, memory, MIB), "0", "0");
      assertThat(guest.lockedKilobytes()).isEqualTo(ddw ? 1024 : 21504);
      expect(guest.register(container, memory, MIB), "EBUSY", "EBUSY");
      expect(guest.register(container, memory, MIB / 2), "EINVAL", "EINVAL");
      expect(guest.map(container, 0, memory, 0x10000), "0", "ENODEV");
      expect(guest.map(container, 0, memory, 0x10000), "0", "ENODEV");
      expect(guest.unregister(container, memory, MIB), "0", "0");
      expect(guest.unregister(container, memory, MIB / 2), "ENOENT", "ENOENT");
      expect(guest.unmap(container, 0, 0x10000), "0", "ENODEV");
      expect(guest.map(container, 0, memory + MIB, 0x10000), "EINVAL", "ENODEV");
      expect(guest.create(container, 16, WINDOW, 1), "0 · start 800000000000000", "ENODEV");
      if (ddw) {
        expect(guest.map(container, SECOND_WINDOW, memory, 0x10000), "EINVAL", "");
        expect(guest.map(container, SECOND_WINDOW, memory, 0x1000), "EINVAL", "");
      }
      expect(guest.create(container, 12, WINDOW, 1), "ENOSPC", "ENODEV");
      expect(guest.create(container, 12, 0x100000, 0), "ENOSPC", "ENODEV");
      expect(guest.create(container, 13, WINDOW, 1), "ENOSPC", "ENODEV");
      expect(guest.create(container, 16, 0x3000_0000L, 1), "ENOSPC", "ENODEV");
      expect(guest.create(container, 16, WINDOW, 9), "ENOSPC", "ENODEV");
      if (ddw) {
        expect(guest.remove(container, SECOND_WINDOW), "0", "");
      }
      expect(guest.remove(container, 0x1234_5000L), "0", "EINVAL");
      expect(guest.spaprInfo(container), v2Info, v2Info);
      expect(guest.unregister(container, memory, MIB), "ENOENT", "ENOENT");
      assertThat(guest.lockedKilobytes()).isEqualTo(ddw ? 1024 : 40960);
      end();
    }

    private void c() {
      begin(7);
      expect(guest.spaprInfo(container), v2Info, v2Info);
      expect(guest.register(container, memory, MIB), "0", "0");
      expect(guest.remove(container, 0), "0", "0");
      expect(guest.map(container, 0, memory, 0x10000), "ENXIO", "ENXIO");
      expect(guest.create(container, 12, WINDOW, 1), "0 · start 0", "ENODEV");
      expect(guest.create(container, 16, 2 * WINDOW, 1), "0 · start 800000000000000", "EINVAL");
      expect(guest.create(container, 16, 2 * WINDOW, 2), "ENOSPC", "EINVAL");
      expect(guest.spaprInfo(container), v2Info, v2Info);
      end();
    }

    private void d() {
      begin(2);
      expect(guest.spaprInfo(container), V1_INFO, V1_INFO);
      expect(guest.enable(container), "0", "0");
      expect(guest.map(container, 0, memory, 0x10000), "0", "ENODEV");
      end();
    }

    private void e() {
      begin(7);
      expect(guest.spaprInfo(container), v2Info, v2Info);
      expect(guest.register(container, memory, MIB), "0", "0");
      expect(guest.map(container, 0, memory, 0x10000), "0", "ENODEV");
      expect(guest.create(container, 16, WINDOW, 1), "0 · start 800000000000000", "ENODEV");
      end();
    }

    private void f() {
      begin(7);
      int second = guest.group(1);
      expect(guest.setContainer(second, container), "0", "0");
      expect(guest.spaprInfo(container), v2Info, v2Info);
      guest.close(second);
      end();
      begin(2);
      second = guest.group(1);
      expect(guest.setContainer(second, container), "EBUSY", "EBUSY");
      expect(guest.spaprInfo(container), V1_INFO, V1_INFO);
      guest.close(second);
      end();
    }
  }

  private static void checkExtensions(Guest guest) {
    int fd = guest.container();
    for (int extension = 1; extension <= 10; extension++) {
      assertThat(guest.ioctl(fd, Vfio.VFIO_CHECK_EXTENSION, extension))
          .isEqualTo(extension == 2 || extension == 7 ? 1 : 0);
    }
    guest.close(fd);
  }

  @Test
  void linux510OnAPartitionAnswersAsMeasured() {
    try (var guest = new Guest("pseries-5.10")) {
      checkExtensions(guest);
      long memory = guest.memory(MIB);
      int container = guest.container();
      int group = guest.group(0);
      int second = guest.group(1);
      assertThat(guest.setContainer(group, container)).isEqualTo("0");
      assertThat(guest.setIommu(container, 7)).isEqualTo("EPERM");
      assertThat(guest.spaprInfo(container)).isEqualTo("EINVAL");
      assertThat(guest.enable(container)).isEqualTo("EINVAL");
      assertThat(guest.register(container, memory, MIB)).isEqualTo("EINVAL");
      assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("EINVAL");
      assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("EINVAL");
      assertThat(guest.remove(container, 0)).isEqualTo("EINVAL");
      assertThat(guest.setContainer(second, container)).isEqualTo("0");
      guest.close(second);
      assertThat(guest.setIommu(container, 2)).isEqualTo("0");
      assertThat(guest.spaprInfo(container)).isEqualTo(V1_INFO);
      assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("EPERM");
      assertThat(guest.enable(container)).isEqualTo("0");
      assertThat(guest.lockedKilobytes()).isEqualTo(1048576);
      assertThat(guest.enable(container)).isEqualTo("EBUSY");
      assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("0");
      assertThat(guest.map(container, 0, memory, 0x10000)).isEqualTo("0");
      assertThat(guest.map(container, 0x1000, memory, 0x1000)).isEqualTo("0");
      assertThat(guest.map(container, WINDOW, memory, 0x10000)).isEqualTo("ENXIO");
      assertThat(guest.map(container, 0x123, memory, 0x1000)).isEqualTo("1");
      assertThat(guest.map(container, 0, memory + 0x123, 0x1000)).isEqualTo("EINVAL");
      assertThat(guest.map(container, 0, memory, 0)).isEqualTo("0");
      assertThat(guest.unmap(container, 0, 0x10000)).isEqualTo("0");
      assertThat(guest.unmap(container, 0, 0x10000)).isEqualTo("0");
      assertThat(guest.unmap(container, WINDOW, 0x10000)).isEqualTo("ENXIO");
      assertThat(guest.register(container, memory, MIB)).isEqualTo("ENOTTY");
      assertThat(guest.create(container, 16, WINDOW, 1)).isEqualTo("ENOTTY");
      assertThat(guest.remove(container, 0)).isEqualTo("ENOTTY");
      second = guest.group(1);
      assertThat(guest.setContainer(second, container)).isEqualTo("EBUSY");
      guest.close(second, group, container);
      assertThat(guest.host.resources().lockedBytes()).isZero();
    }
  }

  @Test
  void linux510RefusesAnUnprivilegedEnable() {
    var options = HostOptions.unprivileged().withGroupAccess();
    try (var guest = new Guest("pseries-5.10", options)) {
      int container = guest.container(guest.group(0), 2);
      assertThat(guest.enable(container)).isEqualTo("ENOMEM");
    }
  }
}
