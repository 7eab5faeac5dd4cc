// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.BufferOptions;
import io.jvfio.DmaAccess;
import io.jvfio.MapOptions;
import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.sim.Capability;
import io.jvfio.sim.HostOptions;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a space can do, as a device sees it. */
class SpaceFunctionTest {
  private static final long PAGE = 64 << 10;
  private static final long MIB = 1 << 20;
  private static final long HUGE = 2 * MIB;

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void theDeviceReachesTheCallersMemoryAndBuffers(String space) {
    try (var open = OpenSpace.open(space);
        var arena = Arena.ofConfined()) {
      var engine = open.devices().getFirst();
      var memory = arena.allocate(2 * PAGE, PAGE);
      var mapping = open.space.map(memory);
      assertThat(engine.write(mapping.iova() + 1000, PAGE, 0x5a)).isTrue();
      assertThat(memory.get(ValueLayout.JAVA_BYTE, 999)).isZero();
      assertThat(memory.get(ValueLayout.JAVA_BYTE, 1000)).isEqualTo((byte) 0x5a);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, 1000 + PAGE)).isZero();
      var buffer = open.space.allocate(MIB);
      assertThat(buffer.segment().byteSize()).isEqualTo(MIB);
      buffer.segment().set(ValueLayout.JAVA_BYTE, MIB - 1, (byte) 7);
      assertThat(engine.read(buffer.iova(), MIB)).isTrue();
      assertThat(engine.byteAt(MIB - 1)).isEqualTo(7);

      buffer.unmap();
      assertThat(engine.read(buffer.iova(), 1)).isFalse();
      buffer.map();
      assertThat(engine.read(buffer.iova() + MIB - 1, 1)).isTrue();
      assertThat(engine.byteAt(0)).isEqualTo(7);
      long iova = buffer.iova();
      buffer.close();
      assertThat(engine.read(iova, 1)).isFalse();
      mapping.close();
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void permissionsAreTheDevices(String space) {
    try (var open = OpenSpace.open(space)) {
      var engine = open.devices().getFirst();
      var readable =
          open.space.allocate(
              1,
              BufferOptions.anonymous().mapped(MapOptions.anywhere().withAccess(DmaAccess.READ)));
      var writable =
          open.space.allocate(
              1,
              BufferOptions.anonymous().mapped(MapOptions.anywhere().withAccess(DmaAccess.WRITE)));
      assertThat(engine.read(readable.iova(), 8)).isTrue();
      assertThat(engine.write(readable.iova(), 8, 1)).isFalse();
      assertThat(engine.write(writable.iova(), 8, 1)).isTrue();
      assertThat(open.host.faults())
          .anyMatch(fault -> fault.write() && fault.iova() == readable.iova());
      readable.unmap();
      readable.map();
      assertThat(engine.write(readable.iova(), 8, 1)).as("access survives unmap").isFalse();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "x86-6.12 type1v2, 1",
    "x86-6.12-iommufd iommufd, 1",
    "arm64-6.12 type1v2, 1",
    "powernv-6.12 spapr-tce-v2, 1",
    "pseries-5.10 spapr-tce, 2",
    "pseries-6.12 spapr-tce, 2",
    "pseries-6.12 spapr-tce-v2, 2",
    "powernv-5.10 spapr-tce-v2, 1"
  })
  void devicesOfSeveralGroupsReachTheSameMemoryAtTheSameAddress(String space, int domains) {
    try (var open = OpenSpace.open(space, OpenSpace.unlimited(), 2)) {
      assertThat(open.groups.domains()).isEqualTo(domains);
      var devices = open.devices();
      assertThat(devices).hasSize(2);
      var buffer = open.space.allocate(PAGE);
      assertThat(open.host.resources().dmaMappedBytes()).isEqualTo(domains * PAGE);
      assertThat(devices.getFirst().write(buffer.iova(), PAGE, 0x11)).isTrue();
      assertThat(devices.getLast().read(buffer.iova(), PAGE)).isTrue();
      assertThat(devices.getLast().byteAt(PAGE - 1)).isEqualTo(0x11);
      assertThat(devices.getLast().write(buffer.iova(), 1, 0x22)).isTrue();
      assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x22);
      buffer.unmap();
      for (var device : devices) {
        assertThat(device.read(buffer.iova(), 1)).isFalse();
      }
    }
  }

  @Test
  void devicesOfFewAddressBitsGetLowAddressesOrNone() {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      var low = BufferOptions.anonymous().mapped(MapOptions.anywhere().withAddressBits(24));
      var holder = open.space.allocate(12 * MIB, low);
      assertThat(open.space.allocate(8 * MIB).iova() + 8 * MIB).isGreaterThan(1 << 24);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> open.space.allocate(8 * MIB, low))
          .withMessageContaining("8,388,608 free bytes in one piece up to 0xffffff");
      assertThat(open.space.estimate(8 * MIB, low.map()).fits()).isFalse();
      holder.close();
      try (var buffer = open.space.allocate(8 * MIB, low)) {
        assertThat(buffer.iova() + buffer.byteSize()).isLessThanOrEqualTo(1 << 24);
      }
    }
  }

  /** A window far above what the device reaches would be made for nothing. */
  @ParameterizedTest
  @CsvSource({"pseries-6.12 spapr-tce-v2, 1100", "powernv-6.12 spapr-tce-v2, 2100"})
  void noWindowIsMadeForDevicesThatCouldNotReachIt(String space, long mebibytes) {
    try (var open = OpenSpace.open(space)) {
      var options = MapOptions.anywhere().withAddressBits(32);
      var windows = open.space.windows();
      assertThat(open.space.estimate(mebibytes << 20, options).fits()).isFalse();
      assertThat(
              open.changesOf(
                  () ->
                      assertThatExceptionOfType(VfioException.class)
                          .isThrownBy(
                              () ->
                                  open.space.allocate(
                                      mebibytes << 20, BufferOptions.anonymous().mapped(options)))
                          .withMessageContaining("up to 0xffffffff")))
          .isEmpty();
      assertThat(open.space.windows()).isEqualTo(windows);
    }
  }

  /** A window costs locked memory too. */
  @ParameterizedTest
  @CsvSource({"pseries-6.12 spapr-tce-v2, 1100", "powernv-6.12 spapr-tce-v2, 2100"})
  void aWindowIsNotMadeForAMapThatCannotFollow(String space, long mebibytes) {
    long byteSize = mebibytes << 20;
    var options =
        HostOptions.defaults()
            .withoutCapability(Capability.IPC_LOCK)
            .withLockedMemoryLimit(byteSize + 3 * MIB);
    try (var open = OpenSpace.open(space, options, 1)) {
      var windows = open.space.windows();
      var estimate = open.space.estimate(byteSize, MapOptions.anywhere());
      assertThat(estimate.fits()).isFalse();
      assertThat(
              open.changesOf(
                  () ->
                      assertThatExceptionOfType(VfioException.class)
                          .isThrownBy(() -> open.space.allocate(byteSize))
                          .withMessageContaining("prlimit")))
          .isEmpty();
      assertThat(open.space.windows()).isEqualTo(windows);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12 type1v2", "pseries-6.12 spapr-tce-v2"})
  void hugePagesOrTheReasonWhyNot(String space) {
    var options = OpenSpace.unlimited().withHugePages(HUGE, 4);
    try (var open = OpenSpace.open(space, options, 1)) {
      var huge = open.space.allocate(HUGE + 1, BufferOptions.hugePages(HUGE));
      assertThat(huge.pageSize()).isEqualTo(HUGE);
      assertThat(huge.byteSize()).isEqualTo(2 * HUGE);
      assertThat(huge.fallback()).isEmpty();
      assertThat(open.host.resources().hugePageBytes()).isEqualTo(2 * HUGE);
      var less = open.space.allocate(3 * HUGE, BufferOptions.hugePages(HUGE));
      assertThat(less.pageSize()).isEqualTo(4096);
      assertThat(less.fallback().orElseThrow())
          .contains("Of 3 huge pages of 2,097,152 bytes that the buffer needs, 2 are free (ENOMEM)")
          .contains("echo 3 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
      var none = open.space.allocate(1, BufferOptions.hugePages(1 << 14));
      assertThat(none.pageSize()).isEqualTo(4096);
      assertThat(none.fallback().orElseThrow()).contains("no huge pages of 16,384 bytes");
      assertThat(open.devices().getFirst().write(huge.iova(), MIB, 3)).isTrue();
      assertThat(huge.segment().get(ValueLayout.JAVA_BYTE, MIB - 1)).isEqualTo((byte) 3);
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void sharedBuffersAreFilesThatOthersCanMap(String space) {
    try (var open = OpenSpace.open(space, OpenSpace.unlimited().withHugePages(HUGE, 1), 1);
        var lifetime = Arena.ofConfined()) {
      var device = open.devices().getFirst();
      for (var options :
          List.of(BufferOptions.anonymous().asFile(), BufferOptions.hugePages(HUGE).asFile())) {
        var buffer = open.space.allocate(PAGE, options);
        var kernel = open.host.kernel();
        long other =
            kernel.mmap(
                buffer.byteSize(),
                Kernel.PROT_READ | Kernel.PROT_WRITE,
                Kernel.MAP_SHARED,
                buffer.fileDescriptor().orElseThrow(),
                0);
        var view = kernel.memory(other, buffer.byteSize(), lifetime);
        assertThat(device.write(buffer.iova(), PAGE, 0x77)).isTrue();
        assertThat(view.get(ValueLayout.JAVA_BYTE, PAGE - 1)).isEqualTo((byte) 0x77);
        view.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
        assertThat(kernel.munmap(other, buffer.byteSize())).isZero();
        assertThatExceptionOfType(UnsupportedOperationException.class)
            .isThrownBy(() -> buffer.rebase(view));
        buffer.close();
      }
    }
  }

  @Test
  void memoryIsExchangedUnderARunningDevice() {
    try (var open = OpenSpace.open("x86-6.12 type1v2");
        var arena = Arena.ofConfined()) {
      var engine = open.devices().getFirst();
      var memory = arena.allocate(PAGE, 4096);
      var other = arena.allocate(PAGE, 4096);
      var mapping = open.space.map(memory);
      assertThat(open.changesOf(() -> mapping.rebase(other)))
          .containsExactly("VFIO_CHECK_EXTENSION", "VFIO_IOMMU_UNMAP_DMA", "VFIO_IOMMU_MAP_DMA");
      assertThat(mapping.segment()).isEqualTo(other);
      assertThat(engine.write(mapping.iova(), 8, 1)).isTrue();
      assertThatExceptionOfType(IllegalArgumentException.class)
          .isThrownBy(() -> mapping.rebase(other.asSlice(0, 4096)));
      assertThat(
              open.changesOf(
                  () ->
                      assertThatExceptionOfType(VfioException.class)
                          .isThrownBy(
                              () -> mapping.rebase(arena.allocate(PAGE + 8, 4096).asSlice(8)))
                          .withMessageContaining("no multiple of 4,096")))
          .isEmpty();
      for (int failing = 1; failing <= 2; failing++) {
        open.injector.failCall(open.injector.calls().size() + failing, Errno.EINVAL);
        assertThatExceptionOfType(VfioException.class).isThrownBy(() -> mapping.rebase(memory));
        assertThat(mapping.segment()).isEqualTo(other);
        open.checkAgreement("");
      }
      mapping.rebase(memory);
      mapping.close();
    }
  }

  @Test
  void memoryIsNotExchangedWhereTheIommuCannot() {
    try (var open = OpenSpace.open("pseries-6.12 spapr-tce-v2");
        var arena = Arena.ofConfined()) {
      var mapping = open.space.map(arena.allocate(PAGE, 4096));
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> mapping.rebase(arena.allocate(PAGE, 4096)))
          .withMessageContaining("spapr-tce-v2 cannot exchange");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "pseries-6.12 spapr-tce-v2, 2097152, 1",
    "pseries-6.12 spapr-tce-v2, 2097152, 2",
    "powernv-6.12 spapr-tce-v2, 2097152, 2",
    "powernv-5.10 spapr-tce-v2, 2097152, 1"
  })
  void windowsOfHugePagesTakeMemoryOfHugePages(String space, long page, int groups) {
    try (var open = OpenSpace.open(space, OpenSpace.unlimited().withHugePages(page, 2), groups)) {
      var windows = open.space.dynamicWindows().orElseThrow();
      assertThat(windows.pageSizes()).contains(page);
      var window = windows.create(4 * page, page);
      assertThat(open.space.windows()).hasSize(2).contains(window);
      var there = MapOptions.at(window.start() + page);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> open.space.allocate(page, BufferOptions.anonymous().mapped(there)))
          .withMessageContaining(
              "IOMMU pages of %,d bytes, and the memory is made of".formatted(page))
          .withMessageContaining("BufferOptions.hugePages(%d)".formatted(page));
      var buffer = open.space.allocate(page, BufferOptions.hugePages(page).mapped(there));
      assertThat(buffer.fallback()).isEmpty();
      for (var device : open.devices()) {
        assertThat(device.write(buffer.iova() + page - 8, 8, 9)).isTrue();
      }
      assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, page - 1)).isEqualTo((byte) 9);
      assertThatExceptionOfType(IllegalStateException.class)
          .isThrownBy(() -> windows.remove(window))
          .withMessageContaining("cannot go while")
          .withMessageContaining("SpaceFunctionTest.windowsOfHugePagesTakeMemoryOfHugePages");
      buffer.close();
      windows.remove(window);
      assertThat(open.space.windows()).hasSize(1);
      assertThatExceptionOfType(VfioException.class).isThrownBy(() -> windows.remove(window));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "pseries-6.12 spapr-tce-v2 1",
        "pseries-6.12 spapr-tce-v2 2",
        "powernv-6.12 spapr-tce-v2 2",
        "powernv-5.10 spapr-tce-v2 1"
      })
  void theDefaultWindowGoesAndComesBack(String space) {
    int end = space.lastIndexOf(' ');
    try (var open =
        OpenSpace.open(
            space.substring(0, end),
            OpenSpace.unlimited(),
            Integer.parseInt(space.substring(end + 1)))) {
      var windows = open.space.dynamicWindows().orElseThrow();
      long systemPage = open.host.kernel().pageSize();
      var before = open.space.windows();
      var held = open.host.resources();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(windows::restoreDefault)
          .withMessageContaining("The default window is there");
      var made = windows.replaceDefault(1L << 32, systemPage);
      assertThat(open.space.windows()).containsExactly(made);
      assertThat(made.last() - made.start() + 1).isEqualTo(1L << 32);
      var device = open.devices().getLast();
      try (var buffer = open.space.allocate(PAGE)) {
        assertThat(made.contains(buffer.iova(), PAGE)).isTrue();
        assertThat(device.write(buffer.iova(), PAGE, 1)).isTrue();
      }
      windows.remove(made);
      assertThat(open.space.windows()).isEmpty();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(
              () -> open.space.allocate(1, BufferOptions.anonymous().mapped(MapOptions.at(0))))
          .withMessageContaining("in no valid range");
      assertThat(windows.restoreDefault()).isEqualTo(before.getFirst());
      assertThat(open.space.windows()).isEqualTo(before);
      assertThat(open.host.resources().lockedBytes()).isEqualTo(held.lockedBytes());

      var created = new AtomicInteger();
      open.injector.failWhen(
          call ->
              call.operation().equals("VFIO_IOMMU_SPAPR_TCE_CREATE")
                  && created.getAndIncrement() == 0,
          Errno.ENOMEM);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> windows.replaceDefault(1L << 32, systemPage))
          .withMessageContaining("VFIO_IOMMU_SPAPR_TCE_CREATE");
      assertThat(open.space.windows()).as("put back").isEqualTo(before);
      assertThat(open.host.resources().lockedBytes()).isEqualTo(held.lockedBytes());
      try (var buffer = open.space.allocate(PAGE)) {
        assertThat(device.write(buffer.iova(), PAGE, 1)).isTrue();
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "x86-6.12 type1v2, 1",
    "x86-6.12 type1, 1",
    "x86-6.12 type1v2, 2",
    "pseries-5.10 spapr-tce, 1",
    "pseries-6.8 spapr-tce, 2",
    "pseries-6.12 spapr-tce, 1",
    "pseries-6.12 spapr-tce-v2, 1",
    "pseries-6.12 spapr-tce-v2, 2",
    "powernv-5.10 spapr-tce-v2, 1",
    "powernv-6.12 spapr-tce-v2, 2"
  })
  void anEstimateIsWhatHappens(String space, int groups) {
    for (long limit : new long[] {32 * MIB, 64 * MIB}) {
      var options =
          HostOptions.defaults()
              .withoutCapability(Capability.IPC_LOCK)
              .withLockedMemoryLimit(
                  space.endsWith("spapr-tce") ? limit * 64 * groups : limit * groups);
      for (long byteSize : new long[] {1, 5000, PAGE, 19 * MIB, 23 * MIB, 40 * MIB}) {
        for (boolean full : new boolean[] {false, true}) {
          try (var open = OpenSpace.open(space, options, groups)) {
            if (full) {
              fill(open);
            }
            compareEstimate(open, byteSize, "%,d of %,d".formatted(byteSize, limit));
          }
        }
      }
    }
  }

  /** Takes nearly all of a window of sPAPR, with memory that is mapped again and again. */
  private static void fill(OpenSpace open) {
    var window = open.space.windows().getLast();
    if (window.last() - window.start() < 1L << 32) {
      long size = window.last() - window.start() + 1;
      var buffer = open.space.allocate(16 * MIB);
      open.keep(buffer);
      var piece = buffer.segment();
      for (long at = 0; at < size; at += 16 * MIB) {
        if (open.space.explain(window.start() + at, 16 * MIB).free()) {
          open.keep(open.space.map(piece, MapOptions.at(window.start() + at)));
        }
      }
    }
  }

  private static void compareEstimate(OpenSpace open, long byteSize, String what) {
    var estimate = open.space.estimate(byteSize, MapOptions.anywhere());
    assertThat(open.space.estimate(byteSize, MapOptions.anywhere())).isEqualTo(estimate);
    assertThat(estimate.changes().isEmpty()).as(what).isEqualTo(estimate.fits());
    long locked = open.host.resources().lockedBytes();
    try {
      var buffer = open.space.allocate(byteSize);
      open.keep(buffer);
      assertThat(estimate.fits()).as(what + estimate).isTrue();
      assertThat(open.host.resources().lockedBytes() - locked)
          .as(what)
          .isEqualTo(estimate.lockedBytesNeeded());
      if (estimate.iova().isPresent()) {
        assertThat(estimate.iova()).as(what).hasValue(buffer.iova());
      }
    } catch (VfioException e) {
      assertThat(estimate.fits()).as(what + e.getMessage()).isFalse();
      assertThat(e.errno()).as(what).isEmpty();
      assertThat(open.host.resources().lockedBytes()).as(what).isEqualTo(locked);
    }
  }

  @Test
  void anEstimateOfMoreThanAnyAddressSpaceDoesNotFit() {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      for (long byteSize : new long[] {1L << 50, Long.MAX_VALUE}) {
        var estimate = open.space.estimate(byteSize, MapOptions.anywhere());
        assertThat(estimate.fits()).isFalse();
        assertThat(estimate.changes()).isNotEmpty();
        assertThat(open.space.explain(4096, byteSize).free()).isFalse();
        assertThat(open.space.explain(4096, byteSize).nextFree()).isEmpty();
      }
    }
  }

  /** Compares with trying each page of a space of which all but 64 pages are taken. */
  @Test
  void anExplanationNamesTheReasonAndTheNextFreeAddress() {
    long page = 4096;
    int pages = 64;
    try (var open = OpenSpace.open("pseries-6.12 spapr-tce")) {
      var window = open.space.windows().getFirst();
      long unit = 16 * MIB;
      var buffer = open.space.allocate(unit, BufferOptions.anonymous().mapped(MapOptions.at(unit)));
      open.keep(buffer);
      var piece = buffer.segment();
      for (long at = 2 * unit; at < window.last(); at += unit) {
        open.keep(open.space.map(piece, MapOptions.at(at)));
      }
      open.keep(open.space.map(piece.asSlice(pages * page), MapOptions.at(pages * page)));
      var random = new Random(42);
      var taken = new BitSet();
      for (int i = 0; i < 12; i++) {
        int at = random.nextInt(pages - 4);
        int length = 1 + random.nextInt(4);
        if (taken.nextSetBit(at) < 0 || taken.nextSetBit(at) >= at + length) {
          open.keep(
              open.space.allocate(
                  length * page, BufferOptions.anonymous().mapped(MapOptions.at(at * page))));
          taken.set(at, at + length);
        }
      }
      for (int at = 0; at < pages; at++) {
        for (int length = 1; at + length <= pages; length++) {
          var verdict = open.space.explain(at * page, length * page);
          boolean free = isFree(taken, at, length);
          assertThat(verdict.free()).isEqualTo(free);
          assertThat(verdict.reason()).contains(free ? "Free, in the valid range" : "overlaps");
          assertThat(verdict.nextFree().orElse(-1))
              .as("%d pages from page %d", length, at)
              .isEqualTo(free ? at * page : nextFree(taken, at, length, pages, page));
        }
      }
      assertThat(open.space.explain(0x1001, page).reason()).contains("no multiple");
      assertThat(open.space.explain(page, 1).reason()).contains("no multiple");
      assertThat(open.space.explain(window.last() + 1, page).reason()).contains("no valid range");
      assertThat(open.space.explain(page, 0).free()).isFalse();
      assertThat(open.space.explain(-1, 2).free()).isFalse();
    }
  }

  private static boolean isFree(BitSet taken, int at, int length) {
    int next = taken.nextSetBit(at);
    return next < 0 || next >= at + length;
  }

  /** -1 where there is none; page 0 is never handed out. */
  private static long nextFree(BitSet taken, int from, int length, int pages, long page) {
    for (int start : new int[] {Math.max(1, from), 1}) {
      for (int at = start; at + length <= pages; at++) {
        if (isFree(taken, at, length)) {
          return at * page;
        }
      }
    }
    return -1;
  }
}
