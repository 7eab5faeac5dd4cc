// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.number;
import static io.jvfio.linux.uapi.Vfio.VFIO_SPAPR_TCE_v2_IOMMU;

import io.jvfio.lab.Draft.Mapped;
import io.jvfio.lab.Draft.Place;
import io.jvfio.lab.Draft.Range;
import io.jvfio.lab.Draft.Window;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import java.util.List;
import java.util.Objects;

/**
 * sPAPR v1 and v2: enabling, registering, windows, mapping and unmapping.
 *
 * <p>Three things outlive a sequence and are left to those that may spoil: memory that is
 * unregistered while mapped stays pinned, a window that could not be made keeps its charge, and one
 * that the hypervisor refused poisons the device.
 */
final class SpaprCalls implements Subject {
  private static final int MOST_PAGES = 32;
  private static final int WINDOWS = 2;
  private static final long MIB = 1 << 20;
  private static final long GIB = 1 << 30;

  private static final List<Integer> SHIFTS = List.of(12, 12, 16, 16, 21, 24);
  private static final List<Long> WINDOW_SIZES = List.of(MIB, 16 * MIB, 256 * MIB, GIB, 2 * GIB);

  /** Addresses that are in no window, or only almost. */
  private static final List<Long> WILD =
      List.of(GIB, GIB - 0x1000, 2 * GIB, 1L << 40, 1L << 59, 1L << 62, -0x1000L);

  private static final List<Ioctl> OF_V1 = List.of(Vfio.VFIO_IOMMU_ENABLE, Vfio.VFIO_IOMMU_DISABLE);

  @Override
  public void offer(Draft draft, Menu menu) {
    if (!Ground.isSpapr(draft.ground.types().getFirst()) || draft.containers.isEmpty()) {
      return;
    }
    boolean typed = !ready(draft).isEmpty();
    boolean version2 = !version(draft, VFIO_SPAPR_TCE_v2_IOMMU).isEmpty();
    boolean disabled =
        !draft
            .containers(
                container -> container.type == Vfio.VFIO_SPAPR_TCE_IOMMU && !container.enabled)
            .isEmpty();
    menu.add(disabled ? 20 : 1, () -> enable(draft));
    menu.add(1, () -> draft.steps.command(container(draft), draft.oneOf(OF_V1)));
    menu.add(typed ? 5 : 1, () -> information(draft));
    menu.add(1, () -> errorHandling(draft));
    boolean enabled =
        !draft.containers(container -> container.type != 0 && container.enabled).isEmpty();
    menu.add(enabled ? 22 : 1, () -> unmap(draft));
    if (!draft.memory.isEmpty()) {
      menu.add(enabled ? 40 : 3, () -> map(draft));
      menu.add(version2 ? (enabled ? 12 : 25) : 1, () -> register(draft));
      menu.add(version2 ? 8 : 1, () -> unregister(draft));
    }
    menu.add(version2 ? 8 : 1, () -> createWindow(draft));
    menu.add(version2 ? 5 : 1, () -> removeWindow(draft));
  }

  private static List<String> ready(Draft draft) {
    return draft.containers(container -> Ground.isSpapr(container.type));
  }

  private static List<String> version(Draft draft, int type) {
    return draft.containers(container -> container.type == type);
  }

  private static String container(Draft draft) {
    var ready = ready(draft);
    return draft.chance(95) && !ready.isEmpty() ? draft.oneOf(ready) : draft.container();
  }

  /** One of version 2, for calls that only it knows. */
  private static String second(Draft draft) {
    var ready = version(draft, VFIO_SPAPR_TCE_v2_IOMMU);
    return draft.chance(95) && !ready.isEmpty() ? draft.oneOf(ready) : container(draft);
  }

  private static Draft.Container state(Draft draft, String name) {
    var container = draft.containers.get(name);
    return container == null ? new Draft.Container() : container;
  }

  private static void enable(Draft draft) {
    var disabled =
        draft.containers(
            container -> container.type == Vfio.VFIO_SPAPR_TCE_IOMMU && !container.enabled);
    var name = draft.oneOf(disabled, container(draft));
    draft.steps.enable(name);
    state(draft, name).enabled = true;
  }

  private static void information(Draft draft) {
    draft.steps.spaprInfo(
        container(draft), draft.argsz(draft.oneOf(List.of(16L, 24L, 32L, 32L, 32L, 64L))));
  }

  private static void errorHandling(Draft draft) {
    draft.steps.eeh(container(draft), draft.below(11), draft.flags(0), draft.argsz(40));
  }

  /** One that can map, mostly. */
  private static String enabled(Draft draft) {
    var enabled =
        draft.containers(container -> Ground.isSpapr(container.type) && container.enabled);
    return draft.chance(92) && !enabled.isEmpty() ? draft.oneOf(enabled) : container(draft);
  }

  private static void map(Draft draft) {
    var name = enabled(draft);
    var container = state(draft, name);
    var window = draft.oneOf(container.windows, defaultWindow(draft));
    var range = range(draft, container);
    var place = place(draft, container, window, range.byteSize());
    int flags = draft.chance(85) ? Steps.READ_WRITE : draft.oneOf(List.of(0, 1, 2, 4));
    var vaddr =
        draft.chance(3)
            ? number(draft.oneOf(List.of(0x1_0000L, 0L)))
            : Operand.memory(range.memory(), draft.aligned(range.offset()));
    draft.steps.map(
        name, vaddr, place.operand(), size(draft, range), draft.flags(flags), draft.argsz(32));
    container.mappings.add(new Mapped(place, range));
  }

  /** Registered memory for version 2, sometimes a page too much of it; any for version 1. */
  private static Range range(Draft draft, Draft.Container container) {
    var any = draft.range(MOST_PAGES);
    if (container.registered.isEmpty() || draft.chance(6)) {
      return any;
    }
    long page = draft.ground.pageSize();
    var region = draft.oneOf(container.registered);
    long pages = region.byteSize() / page;
    long count = Math.min(pages, draft.pageCount(MOST_PAGES));
    long first = draft.random.nextLong(pages - count + 1);
    return new Range(region.memory(), region.offset() + first * page, count * page);
  }

  private static long size(Draft draft, Range range) {
    return draft.chance(3) ? 0 : draft.aligned(range.byteSize());
  }

  private static Window defaultWindow(Draft draft) {
    return new Window(null, 12, draft.ground.windowSize());
  }

  /** In a window: anywhere, on what is mapped, at its end; or outside. */
  private static Place place(Draft draft, Draft.Container container, Window window, long byteSize) {
    long page = 1L << window.pageShift();
    if (draft.chance(5)) {
      return new Place(null, draft.oneOf(WILD));
    }
    if (!container.mappings.isEmpty() && draft.chance(35)) {
      var near = draft.oneOf(container.mappings);
      return near.place().plus(draft.oneOf(List.of(0L, page, near.byteSize(), -page)));
    }
    if (draft.chance(8)) {
      return window.at(window.byteSize() - byteSize);
    }
    if (draft.chance(6)) {
      return window.at(window.byteSize() - page);
    }
    return window.at(draft.aligned(draft.below(64) * page));
  }

  private static void unmap(Draft draft) {
    var name = enabled(draft);
    var container = state(draft, name);
    var window = draft.oneOf(container.windows, defaultWindow(draft));
    Place place;
    long byteSize;
    if (container.mappings.isEmpty() || draft.chance(20)) {
      byteSize = draft.pageCount(MOST_PAGES) << window.pageShift();
      place = place(draft, container, window, byteSize);
    } else {
      var mapped = draft.oneOf(container.mappings);
      place = mapped.place();
      byteSize =
          draft.chance(80)
              ? mapped.byteSize()
              : draft.aligned(draft.pageCount(MOST_PAGES) * draft.ground.pageSize());
    }
    draft.steps.unmap(
        name, place.operand(), byteSize, draft.chance(4) ? draft.below(8) : 0, draft.argsz(24));
    container.mappings.removeIf(
        mapped -> mapped.place().equals(place) && mapped.byteSize() <= byteSize);
  }

  private static void register(Draft draft) {
    var name = second(draft);
    var container = state(draft, name);
    var range = draft.range(draft.chance(30) ? 256 : 64);
    if (draft.chance(12) && !container.registered.isEmpty()) {
      range = draft.oneOf(container.registered);
    }
    if (draft.chance(6)) {
      draft.steps.register(
          name,
          Operand.memory(range.memory(), draft.aligned(range.offset())),
          draft.aligned(range.byteSize()),
          draft.flags(0),
          draft.argsz(24));
      return;
    }
    if (draft.chance(3)) {
      draft.steps.register(
          name,
          number(draft.oneOf(List.of(0x1_0000L, -draft.ground.pageSize(), 0L))),
          draft.oneOf(List.of(1L, 2L, 4L)) * draft.ground.pageSize(),
          0,
          24);
      return;
    }
    draft.steps.register(name, range.address(), range.byteSize(), 0, draft.argsz(24));
    if (container.registered.stream().noneMatch(range::overlaps)) {
      container.registered.add(range);
    }
    container.enabled = true;
  }

  private static void unregister(Draft draft) {
    var name = second(draft);
    var container = state(draft, name);
    var released =
        container.registered.stream()
            .filter(range -> draft.spoils || isUnmapped(draft, range))
            .toList();
    if (released.isEmpty() || draft.chance(10)) {
      var range = draft.range(64);
      if (draft.spoils || isUnmapped(draft, range)) {
        draft.steps.unregister(
            name,
            Operand.memory(range.memory(), draft.aligned(range.offset())),
            range.byteSize(),
            draft.flags(0),
            draft.argsz(24));
      }
      return;
    }
    var range = draft.oneOf(released);
    draft.steps.unregister(name, range.address(), range.byteSize(), 0, draft.argsz(24));
    container.registered.remove(range);
  }

  /** Registrations are the process's, so mappings of all containers count. */
  private static boolean isUnmapped(Draft draft, Range range) {
    return draft.containers.values().stream()
        .flatMap(container -> container.mappings.stream())
        .noneMatch(mapped -> mapped.range().overlaps(range));
  }

  private static void createWindow(Draft draft) {
    var name = second(draft);
    var container = state(draft, name);
    if (container.hasRemoved && container.hasCreated && !draft.spoils) {
      information(draft); // one more could be one too many for the hypervisor
      return;
    }
    container.hasCreated = true;
    int shift = draft.oneOf(SHIFTS);
    long byteSize = draft.oneOf(WINDOW_SIZES);
    int levels = 1;
    if (draft.chance(15)) {
      shift = draft.oneOf(List.of(0, 11, 13, 20, 34, 63, 64, -1));
    } else if (draft.spoils && draft.chance(30)) {
      byteSize = draft.oneOf(List.of(0L, 0x1000L, 3 * MIB, 0x800L, 1L << 45, 1L << 50));
      levels = draft.oneOf(List.of(1, 1, 0, 2, 9));
    } else if (draft.chance(20)) {
      levels = 0;
    }
    var window = draft.name("w");
    draft.steps.createWindow(
        name, window, shift, byteSize, levels, draft.flags(0), draft.argsz(40));
    if (container.windows.size() < WINDOWS && SHIFTS.contains(shift)) {
      container.windows.add(new Window(window, shift, byteSize));
    }
  }

  private static void removeWindow(Draft draft) {
    var name = second(draft);
    var container = state(draft, name);
    container.hasRemoved = true;
    if (container.windows.isEmpty() || draft.chance(10)) {
      draft.steps.removeWindow(name, number(draft.oneOf(WILD)), draft.flags(0), draft.argsz(16));
      return;
    }
    var window = draft.oneOf(container.windows);
    long inside = draft.chance(85) ? 0 : draft.oneOf(List.of(1L, window.byteSize() - 1));
    draft.steps.removeWindow(name, window.at(inside).operand(), draft.flags(0), draft.argsz(16));
    container.windows.remove(window);
    container.mappings.removeIf(mapped -> Objects.equals(mapped.place().window(), window.name()));
  }
}
