// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.BufferOptions;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.MapOptions;
import io.jvfio.Sharing;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.sim.Capability;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is known to be wrong is refused before the kernel is asked, in words that teach. */
class SpaceRefusalTest {
  private static final long PAGE = 64 << 10;

  private static VfioException refusal(OpenSpace open, Runnable action) {
    var resources = open.host.resources();
    var layout = open.space.layout();
    var thrown = new VfioException[1];
    assertThat(
            open.changesOf(
                () ->
                    assertThatExceptionOfType(VfioException.class)
                        .isThrownBy(action::run)
                        .satisfies(e -> thrown[0] = e)))
        .as("calls of the kernel")
        .isEmpty();
    assertThat(thrown[0].errno()).isEmpty();
    assertThat(thrown[0].nextStep()).isNotBlank();
    assertThat(open.host.resources()).isEqualTo(resources);
    assertThat(open.space.layout()).isEqualTo(layout);
    return thrown[0];
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void addressesThatCannotBe(String space) {
    try (var open = OpenSpace.open(space);
        var arena = Arena.ofConfined()) {
      var memory = arena.allocate(4 * PAGE, PAGE);
      var window = open.space.windows().getLast();
      long lastPage = window.last() - PAGE + 1;
      assertThat(refusal(open, () -> open.space.map(memory, MapOptions.at(lastPage))))
          .hasMessageContaining("262,144 bytes from 0x%x pass the end of the valid range", lastPage)
          .hasMessageContaining("room for 65,536 there");
      assertThat(refusal(open, () -> open.space.map(memory, MapOptions.at(0x1_0010))))
          .hasMessageContaining("0x10010 is no multiple of 0x1000 (4,096 bytes)")
          .hasMessageContaining("The next multiples are 0x10000 and 0x11000.");
      assertThat(refusal(open, () -> open.space.map(memory, MapOptions.at(-4096))))
          .hasMessageContaining("0xfffffffffffff000");
      assertThat(
              refusal(
                  open,
                  () -> open.space.map(memory, MapOptions.at(0x1000_0000).withAddressBits(28))))
          .hasMessageContaining("pass 0xfffffff, the last address that the device reaches");
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void memoryThatCannotBe(String space) {
    try (var open = OpenSpace.open(space);
        var arena = Arena.ofConfined()) {
      var memory = arena.allocate(4 * PAGE, PAGE);
      for (var options : List.of(MapOptions.anywhere(), MapOptions.at(0x10_0000))) {
        assertThat(refusal(open, () -> open.space.map(memory.asSlice(8, PAGE), options)))
            .hasMessageContaining(
                "The memory starts at 0x%x, which is no multiple of 4,096", memory.address() + 8)
            .hasMessageContaining("Arena.allocate(byteSize, 4096)");
        assertThat(refusal(open, () -> open.space.map(memory.asSlice(0, 5000), options)))
            .hasMessageContaining("5,000 bytes are no multiple of 4,096")
            .hasMessageContaining("Round the length up");
      }
      assertThatExceptionOfType(IllegalArgumentException.class)
          .isThrownBy(() -> open.space.map(MemorySegment.ofArray(new long[512])));
      assertThatExceptionOfType(IllegalArgumentException.class)
          .isThrownBy(() -> open.space.map(MemorySegment.NULL));
      assertThatExceptionOfType(IllegalArgumentException.class)
          .isThrownBy(() -> open.space.allocate(0));
      assertThatExceptionOfType(IllegalArgumentException.class)
          .isThrownBy(() -> open.space.allocate(Long.MAX_VALUE));
    }
  }

  @Test
  void memoryThatIsFreedAlready() {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      MemorySegment freed;
      try (var arena = Arena.ofConfined()) {
        freed = arena.allocate(PAGE, PAGE);
      }
      assertThatExceptionOfType(IllegalStateException.class)
          .isThrownBy(() -> open.space.map(freed))
          .withMessageContaining("freed already");
      assertThatExceptionOfType(IllegalStateException.class)
          .isThrownBy(() -> open.space.register(freed));
    }
  }

  @Test
  void reservedHoles() {
    try (var open = OpenSpace.open("x86-6.12 type1v2");
        var arena = Arena.ofConfined()) {
      var memory = arena.allocate(4 * PAGE, PAGE);
      assertThat(refusal(open, () -> open.space.map(memory, MapOptions.at(0xfee0_1000L))))
          .hasMessageContaining("0xfee01000 is in the reserved range 0xfee00000..0xfeefffff");
      assertThat(refusal(open, () -> open.space.map(memory, MapOptions.at(0xfedf_f000L))))
          .hasMessageContaining("pass the end of the valid range 0x0..0xfedfffff")
          .hasMessageContaining("0xfee00000..0xfeefffff")
          .hasMessageContaining("lies in between");
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void overlaps(String space) {
    try (var open = OpenSpace.open(space);
        var first = open.space.allocate(2 * PAGE)) {
      var options = BufferOptions.anonymous().mapped(MapOptions.at(first.iova() + PAGE));
      assertThat(refusal(open, () -> open.space.allocate(PAGE, options)))
          .hasMessageContaining("It overlaps the mapping 0x%x..", first.iova())
          .hasMessageContaining(
              "made at io.jvfio.proof.core.SpaceRefusalTest.overlaps(SpaceRefusalTest")
          .hasMessageContaining("Close that mapping first");
      first.unmap();
      assertThat(refusal(open, () -> open.space.allocate(PAGE, options)))
          .as("the address of what is not mapped now is taken too")
          .hasMessageContaining("It overlaps");
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void unregisteringWhatIsMapped(String space) {
    try (var open = OpenSpace.open(space);
        var arena = Arena.ofConfined()) {
      var memory = arena.allocate(4 * PAGE, PAGE);
      var registration = open.space.register(memory);
      var mapping = open.space.map(memory.asSlice(2 * PAGE, PAGE));
      assertThat(
              open.changesOf(
                  () ->
                      assertThatExceptionOfType(IllegalStateException.class)
                          .isThrownBy(registration::close)
                          .withMessageContaining(
                              "mapped at 0x%x..0x%x (65,536 bytes)"
                                  .formatted(mapping.iova(), mapping.iova() + PAGE - 1))
                          .withMessageContaining("SpaceRefusalTest.unregisteringWhatIsMapped(")
                          .withMessageContaining("Close that mapping first")))
          .isEmpty();
      mapping.close();
      registration.close();
      registration.close();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"pseries-5.10", "pseries-6.12"})
  void aSecondGroupInOneContainer(String name) {
    for (var type :
        name.endsWith("12")
            ? List.of(IommuType.SPAPR_TCE, IommuType.SPAPR_TCE_V2)
            : List.of(IommuType.SPAPR_TCE)) {
      try (var simulated = SimulatedHosts.open(name, OpenSpace.unlimited())) {
        var before = simulated.resources();
        var injector = new FaultInjector(simulated.kernel());
        var host = VfioHost.of("sim:" + name, injector);
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(
                () -> host.openGroups(List.of(0, 1), IommuPolicy.require(type), Sharing.REQUIRED))
            .withMessageContaining("one group in a container")
            .withMessageContaining("Sharing.WHERE_POSSIBLE")
            .withMessageContaining("group 1");
        assertThat(injector.calls()).noneMatch(call -> call.subject().equals("/dev/vfio/1"));
        assertThat(simulated.resources()).isEqualTo(before);
      }
    }
  }

  @ParameterizedTest
  @FieldSource("io.jvfio.proof.core.OpenSpace#TRANSLATING")
  void mappingOnceTheIommuIsGone(String space) {
    var open = OpenSpace.open(space);
    try (open;
        var arena = Arena.ofConfined()) {
      var memory = arena.allocate(PAGE, PAGE);
      var mapping = open.space.map(memory);
      var registration = open.space.register(memory);
      open.groups.close();
      for (var action :
          List.<Runnable>of(
              () -> open.space.map(memory),
              () -> open.space.allocate(1),
              () -> open.space.register(memory),
              open.space::layout,
              () -> open.space.explain(0x1000, 0x1000),
              () -> open.space.estimate(1, MapOptions.anywhere()),
              open.space::trackDirtyPages)) {
        assertThat(
                open.callsOf(
                    () ->
                        assertThatExceptionOfType(IllegalStateException.class)
                            .isThrownBy(action::run)
                            .withMessageContaining("no IOMMU is set any more")))
            .isEmpty();
      }
      assertThatExceptionOfType(IllegalStateException.class).isThrownBy(mapping::map);
      assertThatExceptionOfType(IllegalStateException.class).isThrownBy(mapping::unmap);
      mapping.close();
      registration.close();
      open.space.close();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12 type1v2", "x86-6.12 type1"})
  void moreEntriesThanThereMayBe(String space) {
    try (var open = OpenSpace.open(space, OpenSpace.unlimited().withDmaEntryLimit(3), 1)) {
      var first = open.space.allocate(PAGE);
      open.space.allocate(PAGE);
      open.space.allocate(PAGE);
      assertThat(open.space.layout().entriesLeft()).hasValue(0);
      assertThat(refusal(open, () -> open.space.allocate(PAGE)))
          .hasMessageContaining("All 3 mapping entries of the container are in use.")
          .hasMessageContaining("dma_entry_limit");
      var estimate = open.space.estimate(PAGE, MapOptions.anywhere());
      assertThat(estimate.fits()).isFalse();
      assertThat(estimate.changes()).singleElement().asString().contains("dma_entry_limit");
      first.unmap();
      open.space.allocate(PAGE);
      assertThat(refusal(open, first::map)).hasMessageContaining("All 3 mapping entries");
      first.close();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "x86-6.12 type1v2 1",
        "x86-6.12 type1v2 2",
        "pseries-6.12 spapr-tce-v2 1",
        "pseries-6.12 spapr-tce-v2 2",
        "powernv-6.12 spapr-tce-v2 2"
      })
  void moreLockedMemoryThanTheLimit(String space) {
    int end = space.lastIndexOf(' ');
    int groups = Integer.parseInt(space.substring(end + 1));
    var options =
        HostOptions.defaults()
            .withoutCapability(Capability.IPC_LOCK)
            .withLockedMemoryLimit(64 << 20);
    try (var open = OpenSpace.open(space.substring(0, end), options, groups);
        var arena = Arena.ofConfined()) {
      long locked = open.host.resources().lockedBytes();
      // Registered memory is charged once, that of Type1 in each container.
      int times = space.contains("spapr") ? 1 : open.groups.domains();
      long fits = ((64 << 20) - locked) / times & -PAGE;
      long tooMuch = fits + PAGE;
      long missing = locked + tooMuch * times - (64 << 20);
      var memory = arena.allocate(tooMuch, PAGE);
      var expected =
          "%,d bytes are needed, %,d of 67,108,864 are in use, so %,d are missing"
              .formatted(tooMuch * times, locked, missing);
      var raise = "--memlock=%d'".formatted(locked + tooMuch * times);
      assertThat(refusal(open, () -> open.space.map(memory)))
          .hasMessageContaining(expected)
          .hasMessageContaining("prlimit --pid ")
          .hasMessageContaining(raise)
          .hasMessageContaining("/etc/security/limits.conf");
      assertThat(refusal(open, () -> open.space.allocate(tooMuch))).hasMessageContaining(expected);
      if (space.contains("v2 ") && space.contains("spapr")) {
        assertThat(refusal(open, () -> open.space.register(memory))).hasMessageContaining(expected);
      }
      var estimate = open.space.estimate(tooMuch, MapOptions.anywhere());
      assertThat(estimate.fits()).isFalse();
      assertThat(estimate.lockedBytesNeeded()).isEqualTo(tooMuch * times);
      assertThat(estimate.lockedBytesAvailable()).hasValue((64 << 20) - locked);
      assertThat(estimate.changes()).singleElement().asString().contains(expected, raise);
      open.space.map(memory.asSlice(0, fits)).close();
    }
  }

  /** Another IOMMU type would only hide it. */
  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "pseries-6.12"})
  void noLockedMemoryAtAllEndsTheNegotiation(String name) {
    var options =
        HostOptions.defaults().withoutCapability(Capability.IPC_LOCK).withLockedMemoryLimit(0);
    try (var simulated = SimulatedHosts.open(name, options)) {
      var before = simulated.resources();
      var host = VfioHost.of("sim:" + name, simulated.kernel());
      var ids = host.groups().stream().filter(g -> g.isBoundToVfio()).map(g -> g.id()).toList();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(
              () ->
                  host.openGroups(
                      ids.subList(0, 1), IommuPolicy.automatic(), Sharing.WHERE_POSSIBLE))
          .withMessageContaining("locked-memory limit is too low")
          .withMessageContaining("prlimit")
          .withMessageNotContaining("No IOMMU type works");
      assertThat(simulated.resources()).isEqualTo(before);
    }
  }

  @Test
  void addressesThatAreChosenWithoutAnIommu() {
    try (var open = OpenSpace.open("x86-noiommu noiommu")) {
      assertThat(open.space.explain(0x1000, 0x1000).free()).isFalse();
      assertThat(open.space.explain(0x1000, 0x1000).reason()).contains("physical");
      assertThat(open.space.estimate(PAGE, MapOptions.at(0x1000)).fits()).isFalse();
      assertThat(open.space.estimate(4096, MapOptions.anywhere()).fits()).isTrue();
      assertThat(open.space.estimate(4096, MapOptions.anywhere()).iova()).isEmpty();
      var resources = open.host.resources();
      for (var options :
          List.of(MapOptions.at(0x1000), MapOptions.anywhere().alignedTo(1L << 40))) {
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> open.space.allocate(1, BufferOptions.anonymous().mapped(options)))
            .withMessageContaining("physical ones")
            .withMessageContaining("nowhere else");
      }
      assertThat(open.host.resources()).isEqualTo(resources);
      try (var buffer = open.space.allocate(1)) {
        assertThat(buffer.iova()).isNotZero();
        assertThat(open.host.resources().lockedBytes()).isEqualTo(4096);
      }
    }
  }

  @Test
  void trackingOfAnotherTrackersPages() {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      var tracking = open.space.trackDirtyPages();
      assertThat(refusal(open, open.space::trackDirtyPages))
          .hasMessageContaining("tracked already");
      tracking.close();
      open.space.trackDirtyPages().close();
    }
  }

  @Test
  void trackingOfMemoryOfAnotherSpace() {
    try (var open = OpenSpace.open("x86-6.12 type1v2");
        var other = OpenSpace.open("x86-6.12 type1v2");
        var arena = Arena.ofConfined();
        var tracking = open.space.trackDirtyPages()) {
      var foreign = other.space.allocate(PAGE);
      assertThatExceptionOfType(IllegalArgumentException.class)
          .isThrownBy(() -> tracking.read(foreign, arena.allocate(64)))
          .withMessageContaining("no mapping of this DMA space");
    }
  }
}
