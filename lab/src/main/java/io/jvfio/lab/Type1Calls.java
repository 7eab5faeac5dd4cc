// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.number;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP;

import io.jvfio.lab.Draft.Mapped;
import io.jvfio.lab.Draft.Place;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import java.util.List;

/** Type1 and Type1v2: mapping, unmapping, new addresses, dirty pages, and what GET_INFO tells. */
final class Type1Calls implements Subject {
  private static final int UNMAP_ALL = 2;
  private static final int UNMAP_VADDR = 4;
  private static final int MAP_VADDR = 4;
  private static final int MOST_PAGES = 32;
  private static final long SHORT_UNMAP = 24;
  private static final long DIRTY_UNMAP = 48;
  private static final long DIRTY_GET = 48;

  /** Where the kernel writes bitmaps; never given to a device. */
  private static final String BITMAP = "bits";

  private static final long BITMAP_BYTES = 64 << 10;
  private static final int SHOWN_BYTES = 32;

  /** Where mappings begin: ordinary places, and the edges of what is usable. */
  static final List<Long> BASES =
      List.of(
          0L,
          0L,
          0x10_0000L,
          0x10_0000L,
          0x20_0000L,
          0x4000_0000L,
          0xfedf_0000L,
          0xfef0_0000L,
          1L << 32,
          (1L << 39) - 0x8000,
          (1L << 48) - 0x8000);

  /** Addresses and sizes that no mapping can have. */
  static final List<Long> WILD =
      List.of(0xfee0_0000L, 0xfeef_f000L, 1L << 48, 1L << 57, 1L << 62, -0x1000L, -0x2000L);

  private static final List<Ioctl> OF_OTHER_TYPES =
      List.of(
          Vfio.VFIO_IOMMU_ENABLE,
          Vfio.VFIO_IOMMU_DISABLE,
          Vfio.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
          Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE,
          Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE,
          Vfio.VFIO_EEH_PE_OP);

  @Override
  public void offer(Draft draft, Menu menu) {
    if (!Ground.isType1(draft.ground.types().getFirst()) || draft.containers.isEmpty()) {
      return;
    }
    boolean typed = !ready(draft).isEmpty();
    if (!draft.memory.isEmpty()) {
      menu.add(typed ? 40 : 1, () -> map(draft));
      menu.add(typed ? 5 : 1, () -> newAddress(draft));
    }
    menu.add(typed ? 25 : 1, () -> unmap(draft));
    menu.add(typed ? 6 : 1, () -> information(draft));
    menu.add(typed ? 6 : 1, () -> track(draft));
    menu.add(typed ? 8 : 1, () -> dirtyPages(draft));
    menu.add(1, () -> draft.steps.command(container(draft), draft.oneOf(OF_OTHER_TYPES)));
  }

  private static List<String> ready(Draft draft) {
    return draft.containers(container -> Ground.isType1(container.type));
  }

  private static String container(Draft draft) {
    var ready = ready(draft);
    return draft.chance(95) && !ready.isEmpty() ? draft.oneOf(ready) : draft.container();
  }

  private static Draft.Container state(Draft draft, String name) {
    var container = draft.containers.get(name);
    return container == null ? new Draft.Container() : container;
  }

  private static void map(Draft draft) {
    var name = container(draft);
    var container = state(draft, name);
    var range = draft.range(MOST_PAGES);
    long iova = freshIova(draft, container, range.byteSize());
    int flags = draft.chance(80) ? Steps.READ_WRITE : draft.oneOf(List.of(0, 1, 2, 2, 3, 7));
    long byteSize = size(draft, range.byteSize());
    var vaddr =
        draft.chance(4)
            ? number(draft.oneOf(List.of(0L, 0x1_0000L, -0x1000L)))
            : Operand.memory(range.memory(), draft.aligned(range.offset()));
    draft.steps.map(name, vaddr, number(iova), byteSize, draft.flags(flags), draft.argsz(32));
    var place = new Place(null, iova);
    if (Ground.isType1(container.type)
        && container.mappings.stream().noneMatch(mapped -> overlaps(mapped, iova, byteSize))) {
      container.mappings.add(new Mapped(place, range));
    }
  }

  private static boolean overlaps(Mapped mapped, long iova, long byteSize) {
    long start = mapped.place().offset();
    return start < iova + byteSize && iova < start + mapped.byteSize();
  }

  /** Free, next to what is mapped, or across it. */
  private static long freshIova(Draft draft, Draft.Container container, long byteSize) {
    long page = draft.ground.pageSize();
    if (draft.chance(4)) {
      return draft.oneOf(WILD);
    }
    if (container.mappings.isEmpty() || draft.chance(50)) {
      return draft.aligned(draft.oneOf(BASES) + draft.below(64) * page);
    }
    var near = draft.oneOf(container.mappings);
    long start = near.place().offset();
    return draft.aligned(
        switch (draft.below(8)) {
          case 0 -> start;
          case 1 -> start + page;
          case 2, 3 -> Math.max(0, start - byteSize);
          case 4 -> start + near.byteSize() - page;
          default -> start + near.byteSize();
        });
  }

  private static long size(Draft draft, long byteSize) {
    return draft.chance(3) ? draft.oneOf(List.of(0L, -0x1000L, 1L << 62)) : draft.aligned(byteSize);
  }

  /** A range to unmap, or to ask about: mostly one or several mappings, else some part. */
  private record Span(long iova, long byteSize) {}

  private static Span span(Draft draft, Draft.Container container) {
    long page = draft.ground.pageSize();
    if (container.mappings.isEmpty() || draft.chance(8)) {
      return new Span(draft.aligned(draft.oneOf(BASES)), size(draft, draft.pageCount(64) * page));
    }
    var mapped = draft.oneOf(container.mappings);
    long start = mapped.place().offset();
    long byteSize = mapped.byteSize();
    return switch (draft.below(10)) {
      case 0 -> new Span(start + page, page);
      case 1 -> new Span(start, byteSize + draft.below(8) * page);
      case 2 -> new Span(Math.max(0, start - page), byteSize + 2 * page);
      case 3 -> new Span(start & -0x10_0000L, 0x20_0000L);
      case 4 -> new Span(start, page);
      default -> new Span(draft.aligned(start), size(draft, byteSize));
    };
  }

  private static void unmap(Draft draft) {
    var name = container(draft);
    var container = state(draft, name);
    if (draft.chance(8)) {
      boolean proper = draft.chance(75);
      draft.steps.unmap(
          name,
          number(proper ? 0 : 0x1000),
          proper ? 0 : draft.below(2) * 0x1000L,
          draft.flags(UNMAP_ALL),
          draft.argsz(SHORT_UNMAP));
      container.mappings.clear();
      return;
    }
    var span = span(draft, container);
    var iova = number(span.iova());
    if (draft.chance(container.tracksDirtyPages ? 40 : 4)) {
      withBitmap(draft);
      draft.steps.unmapDirty(
          name,
          iova,
          span.byteSize(),
          draft.flags(VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP),
          draft.argsz(DIRTY_UNMAP),
          bitmapPage(draft),
          bitmapBytes(draft, span.byteSize()),
          bitmap(draft));
      draft.steps.look(BITMAP, 0, SHOWN_BYTES);
    } else {
      int flags = draft.chance(10) ? UNMAP_VADDR : 0;
      draft.steps.unmap(name, iova, span.byteSize(), draft.flags(flags), draft.argsz(SHORT_UNMAP));
      if (flags == UNMAP_VADDR) {
        return;
      }
    }
    container.mappings.removeIf(
        mapped ->
            mapped.place().offset() >= span.iova()
                && mapped.place().offset() + mapped.byteSize() <= span.iova() + span.byteSize());
  }

  /** Takes addresses back and gives others, which the two calls must do in this order. */
  private static void newAddress(Draft draft) {
    var name = container(draft);
    var container = state(draft, name);
    var fresh = draft.range(MOST_PAGES);
    if (container.mappings.isEmpty()) {
      draft.steps.map(
          name, fresh.address(), number(0x10_0000), fresh.byteSize(), MAP_VADDR, draft.argsz(32));
      return;
    }
    var mapped = draft.oneOf(container.mappings);
    var iova = mapped.place().operand();
    if (draft.chance(80)) {
      draft.steps.unmap(
          name, iova, mapped.byteSize(), draft.flags(UNMAP_VADDR), draft.argsz(SHORT_UNMAP));
    } else if (draft.chance(30)) {
      draft.steps.unmap(name, number(0), 0, UNMAP_ALL | UNMAP_VADDR, draft.argsz(SHORT_UNMAP));
    }
    if (draft.chance(80)) {
      var vaddr = draft.chance(60) ? mapped.range().address() : fresh.address();
      draft.steps.map(
          name,
          vaddr,
          iova,
          draft.aligned(mapped.byteSize()),
          draft.flags(MAP_VADDR),
          draft.argsz(32));
    }
  }

  private static void information(Draft draft) {
    draft.steps.type1Info(
        container(draft), draft.argsz(draft.oneOf(List.of(16L, 24L, 64L, 512L, 512L, 512L))));
  }

  private static void track(Draft draft) {
    var name = container(draft);
    var container = state(draft, name);
    int flags =
        draft.chance(8)
            ? draft.oneOf(List.of(0, 3, 5, 6, 7))
            : container.tracksDirtyPages && draft.chance(60)
                ? VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP
                : VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
    draft.steps.dirtyPages(name, draft.flags(flags), draft.argsz(8));
    container.tracksDirtyPages =
        container.type == Vfio.VFIO_TYPE1v2_IOMMU && flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
  }

  private static void dirtyPages(Draft draft) {
    var tracking = draft.containers(container -> container.tracksDirtyPages);
    var name = draft.chance(85) ? draft.oneOf(tracking, container(draft)) : container(draft);
    var span = span(draft, state(draft, name));
    withBitmap(draft);
    draft.steps.dirtyBitmap(
        name,
        number(span.iova()),
        span.byteSize(),
        draft.flags(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP),
        draft.argsz(DIRTY_GET),
        bitmapPage(draft),
        bitmapBytes(draft, span.byteSize()),
        bitmap(draft));
    draft.steps.look(BITMAP, 0, SHOWN_BYTES);
  }

  private static void withBitmap(Draft draft) {
    if (draft.chance(30) || !draft.hasBitmap) {
      draft.steps.memory(BITMAP, BITMAP_BYTES);
      draft.hasBitmap = true;
    }
  }

  private static long bitmapPage(Draft draft) {
    return draft.chance(92) ? 0x1000 : draft.oneOf(List.of(0L, 0x200L, 0x2000L, 0x20_0000L, 3L));
  }

  /** A bit for each page, in units of eight bytes. */
  private static long bitmapBytes(Draft draft, long byteSize) {
    long exact = Math.max(8, (Math.max(0, byteSize) / 0x1000 + 63) / 64 * 8);
    return draft.chance(88)
        ? exact
        : draft.oneOf(List.of(0L, exact - 8, exact + 8, 4096L, 1L << 28, (1L << 28) + 1, -8L));
  }

  private static Operand bitmap(Draft draft) {
    return draft.chance(4) ? number(0x1000) : Operand.memory(BITMAP);
  }
}
