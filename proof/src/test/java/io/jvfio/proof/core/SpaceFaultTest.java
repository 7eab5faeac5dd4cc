// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.BufferOptions;
import io.jvfio.DmaMapping;
import io.jvfio.DmaSpace;
import io.jvfio.MapOptions;
import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.sim.FaultInjector;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every call that mapping, unmapping, registering and changing windows makes, made to fail, one at
 * a time: what failed leaves nothing, space and kernel agree after each step, and nothing leaks.
 */
class SpaceFaultTest {
  private static final List<Errno> PLAUSIBLE =
      List.of(
          Errno.EPERM,
          Errno.EIO,
          Errno.EFAULT,
          Errno.EBUSY,
          Errno.EEXIST,
          Errno.ENODEV,
          Errno.EINVAL,
          Errno.ENOSPC);

  /**
   * Calls that only look, and munlock: what it does not unlock of the caller's memory stays locked.
   */
  private static final Set<String> LOOKS =
      Set.of("readLink", "list", "open", "pread", "close", "munlock");

  private static final long HUGE = 2 << 20;

  /** One space, step by step. */
  private static final class Run {
    final OpenSpace open;
    final DmaSpace space;
    final String what;

    Run(OpenSpace open, String what) {
      this.open = open;
      this.space = open.space;
      this.what = what;
    }

    /** All is made, or nothing. */
    <T> @Nullable T make(Supplier<T> action) {
      var resources = open.host.resources();
      var layout = open.space.layout();
      try {
        return action.get();
      } catch (VfioException e) {
        assertThat(e.meaning()).as(what).isNotBlank();
        assertThat(open.host.resources()).as(what).isEqualTo(resources);
        assertThat(open.space.layout()).as(what).isEqualTo(layout);
        return null;
      } finally {
        open.checkAgreement(what);
      }
    }

    /** It may fail; space and kernel agree. */
    boolean change(Runnable action) {
      try {
        action.run();
        return true;
      } catch (VfioException e) {
        assertThat(e.meaning()).as(what).isNotBlank();
        return false;
      } finally {
        open.checkAgreement(what);
      }
    }

    void useAndClose(@Nullable DmaMapping mapping) {
      if (mapping == null) {
        return;
      }
      assertThat(mapping.isMapped()).as(what).isTrue();
      boolean away = change(mapping::unmap);
      if (away || open.groups.domains() == 1) {
        assertThat(mapping.isMapped()).as(what).isEqualTo(!away);
      }
      change(mapping::map);
      change(mapping::map);
      assertThat(mapping.isMapped()).as(what).isTrue();
      change(mapping::close);
      change(mapping::close);
    }
  }

  static Stream<String> spaces() {
    return Stream.concat(
        OpenSpace.TRANSLATING.stream().map(name -> name + " 1"),
        Stream.of(
            "x86-6.12 type1v2 2",
            "pseries-5.10 spapr-tce 2",
            "pseries-6.12 spapr-tce-v2 2",
            "powernv-6.12 spapr-tce-v2 2",
            "x86-noiommu noiommu 1"));
  }

  private static void everyCall(String space, Function<Run, @Nullable Void> scenario) {
    var calls = run(space, scenario, -1, Errno.EIO);
    assertThat(calls).hasSizeGreaterThan(2);
    for (int call = 0; call < calls.size(); call++) {
      if (!LOOKS.contains(calls.get(call))) {
        // Whatever the errno, the way back is the same, but for one that asks for more memory.
        run(space, scenario, call, PLAUSIBLE.get(call % PLAUSIBLE.size()));
        run(space, scenario, call, Errno.ENOMEM);
      }
    }
  }

  /** Runs a scenario with one failing call, counted from after opening; returns those it made. */
  private static List<String> run(
      String space, Function<Run, @Nullable Void> scenario, int failing, Errno errno) {
    int end = space.lastIndexOf(' ');
    int groups = Integer.parseInt(space.substring(end + 1));
    var options = OpenSpace.unlimited().withHugePages(HUGE, 8);
    try (var open = OpenSpace.open(space.substring(0, end), options, groups)) {
      int from = open.injector.calls().size();
      if (failing >= 0) {
        open.injector.failCall(from + failing, errno);
      }
      scenario.apply(new Run(open, "%s, call %d, %s".formatted(space, failing, errno)));
      var calls = open.injector.calls();
      return calls.subList(from, calls.size()).stream().map(FaultInjector.Call::operation).toList();
    }
  }

  @ParameterizedTest
  @MethodSource("spaces")
  void mapsAndUnmapsAllOrNothing(String space) {
    everyCall(
        space,
        run -> {
          try (var arena = Arena.ofConfined()) {
            var segment = arena.allocate(128 << 10, 64 << 10);
            if (!space.startsWith("x86-noiommu")) {
              run.useAndClose(run.make(() -> run.space.map(segment, MapOptions.at(0x40_0000))));
              run.useAndClose(run.make(() -> run.space.map(segment)));
            }
            run.useAndClose(run.make(() -> run.space.allocate(1)));
            run.useAndClose(
                run.make(() -> run.space.allocate(1, BufferOptions.anonymous().asFile())));
            run.useAndClose(
                run.make(() -> run.space.allocate(HUGE, BufferOptions.hugePages(HUGE))));
            var registration = run.make(() -> run.space.register(segment));
            if (registration != null) {
              if (!space.startsWith("x86-noiommu")) {
                run.useAndClose(run.make(() -> run.space.map(segment.asSlice(0, 64 << 10))));
              }
              if (run.space.layout().mappings().isEmpty()) {
                run.change(registration::close);
              }
            }
            run.make(() -> run.space.allocate(5000));
            run.make(() -> run.space.allocate(5000));
          }
          return null;
        });
  }

  @ParameterizedTest
  @CsvSource({
    "pseries-6.12 spapr-tce-v2 1, 16",
    "pseries-6.12 spapr-tce-v2 2, 16",
    "powernv-6.12 spapr-tce-v2 1, 16",
    "powernv-6.12 spapr-tce-v2 2, 21",
    "powernv-5.10 spapr-tce-v2 1, 12"
  })
  void changesWindowsAllOrNothing(String space, int shift) {
    everyCall(
        space,
        run -> {
          var windows = run.space.dynamicWindows().orElseThrow();
          var made = run.make(() -> windows.create(1L << 30, 1L << shift));
          if (made != null) {
            run.make(
                () -> {
                  windows.remove(made);
                  return made;
                });
          }
          if (run.space.windows().size() == 1) {
            var other = run.make(() -> windows.replaceDefault(1L << 28, 1L << shift));
            if (other != null) {
              run.make(
                  () -> {
                    windows.remove(other);
                    return other;
                  });
            }
            if (run.space.windows().isEmpty()) {
              run.make(windows::restoreDefault);
            }
          }
          return null;
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"pseries-6.12 spapr-tce-v2 1", "pseries-6.12 spapr-tce-v2 2"})
  void aWindowThatWasMadeForAMapGoesWithItsFailure(String space) {
    everyCall(
        space,
        run -> {
          run.make(() -> run.space.allocate(1100L << 20));
          return null;
        });
  }

  @Test
  void startsTrackingOrDoesNot() {
    everyCall(
        "x86-6.12 type1v2 1",
        run -> {
          var tracking = run.make(run.space::trackDirtyPages);
          if (tracking != null) {
            run.change(tracking::close);
            run.change(tracking::close);
          }
          return null;
        });
  }

  /**
   * A map that cannot be taken back in one container keeps address, lock and memory until the end.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {"pseries-5.10 spapr-tce", "pseries-6.8 spapr-tce", "pseries-6.12 spapr-tce-v2"})
  void keepsWhatOneContainerDoesNotGiveBack(String space) {
    try (var open = OpenSpace.open(space, OpenSpace.unlimited(), 2)) {
      assertThat(open.groups.domains()).isEqualTo(2);
      var files =
          open.injector.calls().stream()
              .filter(call -> call.operation().equals("VFIO_IOMMU_MAP_DMA"))
              .map(FaultInjector.Call::subject)
              .distinct()
              .toList();
      assertThat(files).hasSize(2);
      open.injector.failWhen(
          call ->
              call.operation().equals("VFIO_IOMMU_MAP_DMA") && call.subject().equals(files.get(1)),
          Errno.EIO);
      open.injector.failEvery("VFIO_IOMMU_UNMAP_DMA", Errno.EBUSY);
      var run = new Run(open, space);
      long memory = open.host.resources().anonymousMappings();
      assertThat(run.change(() -> open.space.allocate(1 << 20))).isFalse();
      assertThat(open.host.resources().dmaMappedBytes()).isEqualTo(1 << 20);
      assertThat(open.host.resources().anonymousMappings()).isEqualTo(memory + 1);
      var stuck = open.space.layout().mappings().getFirst();
      assertThat(stuck.mapped()).isTrue();
      assertThat(open.space.explain(stuck.iova(), stuck.byteSize()).free()).isFalse();
    }
  }

  @Test
  void anUnmapThatOneContainerRefusedIsMadeUpForLater() {
    try (var open = OpenSpace.open("pseries-6.12 spapr-tce-v2", OpenSpace.unlimited(), 2)) {
      var buffer = open.space.allocate(1 << 20);
      int from = open.injector.calls().size();
      open.injector.failCall(from + 1, Errno.EBUSY);
      var run = new Run(open, "second unmap");
      assertThat(catching(buffer::unmap)).isTrue();
      assertThat(buffer.isMapped()).as("one device reaches it").isTrue();
      assertThat(open.host.resources().dmaMappedBytes()).isEqualTo(1 << 20);
      assertThat(open.changesOf(buffer::map)).containsExactly("VFIO_IOMMU_MAP_DMA");
      open.checkAgreement("");
      assertThat(run.change(buffer::close)).isTrue();
      assertThat(open.space.layout().mappings()).isEmpty();
    }
  }

  private static boolean catching(Runnable action) {
    try {
      action.run();
      return false;
    } catch (VfioException e) {
      return true;
    }
  }

  /** Unmapped memory of which the kernel keeps the registration must not become other memory. */
  @Test
  void memoryThatCannotBeUnregisteredIsFreedWithTheContainer() {
    try (var open = OpenSpace.open("pseries-6.12 spapr-tce-v2")) {
      var buffer = open.space.allocate(1 << 20);
      int memory = open.host.resources().anonymousMappings();
      open.injector.failEvery("VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY", Errno.EBUSY);
      assertThat(catching(buffer::close)).isTrue();
      open.checkAgreement("");
      assertThat(open.space.layout().mappings()).isEmpty();
      assertThat(open.host.resources().anonymousMappings()).isEqualTo(memory);
      assertThat(buffer.segment().scope().isAlive()).isFalse();
    }
  }
}
