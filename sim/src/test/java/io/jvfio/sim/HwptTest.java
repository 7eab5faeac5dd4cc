// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.IommuHwInfo;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HwptTest {
  private static final long PAGE = 4096;
  private static final int TRACK = Iommufd.IOMMU_HWPT_ALLOC_DIRTY_TRACKING;

  private final CopyEngine engine = new CopyEngine(8 * PAGE);
  private final IommufdGuest guest =
      new IommufdGuest(
          HostOptions.defaults()
              .withDirtyTracking()
              .withModels(address -> address.equals(IommufdGuest.DEVICE) ? engine : null));
  private final int node = guest.node(0);
  private final int device = guest.bind(node);
  private final int ioas = guest.ioas();
  private final MemorySegment bitmap = guest.guest.arena.allocate(16, 8);

  @AfterEach
  void close() {
    guest.close();
  }

  /** Lets the device write; true unless it was stopped. */
  private boolean write(long iova, long length) {
    long config = (long) Vfio.VFIO_PCI_CONFIG_REGION_INDEX << 40;
    try (var arena = Arena.ofConfined()) {
      var command = arena.allocate(2);
      command.set(ValueLayout.JAVA_BYTE, 0, (byte) 6);
      assertThat(guest.kernel.pwrite(node, command, config + 4)).isEqualTo(2);
    }
    engine.write(0, CopyEngine.IOVA, 8, iova);
    engine.write(0, CopyEngine.LENGTH, 8, length);
    engine.write(0, CopyEngine.COMMAND, 8, CopyEngine.WRITE_MEMORY);
    return engine.read(0, CopyEngine.STATUS, 8) == 0;
  }

  private long bits() {
    long bits = bitmap.get(ValueLayout.JAVA_LONG, 0);
    bitmap.fill((byte) 0);
    return bits;
  }

  private int tracking() {
    int table = guest.table(device, ioas, TRACK);
    assertThat(guest.attach(node, table)).isEqualTo(table);
    assertThat(guest.map(ioas, 0x10_0000, guest.guest.memory(16 * PAGE), 16 * PAGE)).isEqualTo("0");
    return table;
  }

  @Test
  void dirtyPagesAreThoseThatTheDeviceHasWritten() {
    int table = tracking();
    assertThat(write(0x10_0000, PAGE)).isTrue();
    assertThat(guest.track(table, true)).isEqualTo("0");
    assertThat(write(0x10_2ff0, 32)).isTrue();
    assertThat(write(0x10_5000, 2 * PAGE)).isTrue();

    assertThat(guest.dirty(table, 0x10_0000, 16 * PAGE, PAGE, bitmap, 1)).isEqualTo("0");
    assertThat(bits()).isEqualTo(0b110_1100);
    assertThat(guest.dirty(table, 0x10_2000, 2 * PAGE, PAGE, bitmap, 0)).isEqualTo("0");
    assertThat(bits()).isEqualTo(0b11);
    assertThat(guest.dirty(table, 0x10_0000, 16 * PAGE, PAGE, bitmap, 0)).isEqualTo("0");
    assertThat(bits()).isEqualTo(0b110_0000);
    assertThat(guest.dirty(table, 0x10_0000, 16 * PAGE, PAGE, bitmap, 0)).isEqualTo("0");
    assertThat(bits()).isZero();
  }

  @Test
  void oneBitCanStandForSeveralPages() {
    int table = tracking();
    guest.track(table, true);
    write(0x10_3000, PAGE);
    write(0x10_f000, PAGE);
    assertThat(guest.dirty(table, 0x10_0000, 16 * PAGE, 4 * PAGE, bitmap, 0)).isEqualTo("0");
    assertThat(bits()).isEqualTo(0b1001);
  }

  @Test
  void aPageThatIsUnmappedIsNotDirtyAnyMore() {
    int table = tracking();
    guest.track(table, true);
    write(0x10_0000, PAGE);
    guest.unmap(ioas, 0, -1);
    guest.map(ioas, 0x10_0000, guest.guest.memory(16 * PAGE), 16 * PAGE);
    assertThat(guest.dirty(table, 0x10_0000, 16 * PAGE, PAGE, bitmap, 0)).isEqualTo("0");
    assertThat(bits()).isZero();
  }

  @Test
  void linux612SetsNoBitsAndTellsNothingWhereItCannotKnow() {
    int table = tracking();
    guest.track(table, true);
    write(0x10_0000, PAGE);
    assertThat(guest.dirty(table, 0xf_f000, 2 * PAGE, PAGE, bitmap, 1)).isEqualTo("0");
    assertThat(bits()).isZero();
    assertThat(guest.dirty(table, 0x10_0000, PAGE, PAGE, null, 1)).isEqualTo("0");
    guest.track(table, false);
    assertThat(guest.dirty(table, 0x10_0000, PAGE, PAGE, bitmap, 1)).isEqualTo("0");
    assertThat(bits()).isZero();
    guest.track(table, true);
    assertThat(guest.dirty(table, 0x10_0000, PAGE, PAGE, bitmap, 1)).isEqualTo("0");
    assertThat(bits()).isZero();
  }

  @Test
  void aRangeOfDirtyPagesIsAligned() {
    int table = tracking();
    assertThat(guest.dirty(table, 1, PAGE, PAGE, bitmap, 0)).isEqualTo("EINVAL");
    assertThat(guest.dirty(table, PAGE, PAGE, 2 * PAGE, bitmap, 0)).isEqualTo("EINVAL");
    assertThat(guest.dirty(table, 0, PAGE, 0, bitmap, 0)).isEqualTo("EINVAL");
    assertThat(guest.dirty(table, -PAGE, 2 * PAGE, PAGE, bitmap, 0)).isEqualTo("EOVERFLOW");
    assertThat(guest.dirty(table, 0, 0, PAGE, bitmap, 0)).isEqualTo("EINVAL");
    assertThat(guest.dirty(table, PAGE, 0, PAGE, bitmap, 0)).isEqualTo("EINVAL");
    assertThat(guest.dirty(table, 0, PAGE, PAGE, bitmap, 2)).isEqualTo("EOPNOTSUPP");
    assertThat(guest.dirty(ioas, 0, PAGE, PAGE, bitmap, 0)).isEqualTo("ENOENT");
  }

  @Test
  void aTableThatIsNotAskedToTracksNothing() {
    int table = guest.attach(node, ioas);
    assertThat(guest.track(table, true)).isEqualTo("EOPNOTSUPP");
    assertThat(guest.dirty(table, 0, PAGE, PAGE, bitmap, 0)).isEqualTo("EOPNOTSUPP");
  }

  @Test
  void withoutTheHardwareNoTableTracks() {
    try (var other = new IommufdGuest()) {
      int bound = other.bind(other.node(0));
      assertThat(other.table(bound, other.ioas(), TRACK)).isEqualTo(Errno.EOPNOTSUPP.result());
    }
    var info = IommuHwInfo.STRUCT.allocate(guest.guest.arena);
    IommuHwInfo.DEV_ID.set(info, device);
    assertThat(guest.ioctl(guest.iommufd, Iommufd.IOMMU_GET_HW_INFO, info)).isZero();
    assertThat(IommuHwInfo.OUT_CAPABILITIES.get(info)).isEqualTo(1);
  }

  @Test
  void onlyWhatTheKernelMadeGoesWithItsLastDevice() {
    int own = guest.table(device, ioas, 0);
    int automatic = guest.attach(node, ioas);
    assertThat(automatic).isNotEqualTo(own);
    assertThat(guest.attach(node, own)).isEqualTo(own);
    assertThat(guest.destroy(automatic)).isEqualTo("ENOENT");
    assertThat(guest.detach(node)).isEqualTo("0");
    assertThat(guest.destroy(own)).isEqualTo("0");
  }

  @Test
  void aTableIsMadeOfAnAddressSpaceForADevice() {
    assertThat(guest.table(99, ioas, 0)).isEqualTo(Errno.ENOENT.result());
    assertThat(guest.table(device, 99, 0)).isEqualTo(Errno.EINVAL.result());
    assertThat(guest.table(device, device, 0)).isEqualTo(Errno.EINVAL.result());
    assertThat(guest.table(device, ioas, 1)).isEqualTo(Errno.EOPNOTSUPP.result());
    assertThat(guest.table(device, ioas, 4)).isEqualTo(Errno.EOPNOTSUPP.result());
    int table = guest.table(device, ioas, 0);
    assertThat(guest.table(device, table, 0)).isEqualTo(Errno.EOPNOTSUPP.result());
  }

  @Test
  void aTableKeepsItsMemoryPinned() throws Exception {
    guest.map(ioas, 0, guest.guest.memory(16 * PAGE), 16 * PAGE);
    assertThat(guest.pinnedKilobytes()).isZero();
    int table = guest.table(device, ioas, 0);
    assertThat(guest.pinnedKilobytes()).isEqualTo(64);
    assertThat(guest.guest.host.resources().dmaMappedBytes()).isEqualTo(16 * PAGE);
    assertThat(guest.destroy(table)).isEqualTo("0");
    assertThat(guest.pinnedKilobytes()).isZero();
  }
}
