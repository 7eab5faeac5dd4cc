// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.IommufdSteps.FIXED;
import static io.jvfio.lab.IommufdSteps.READ;
import static io.jvfio.lab.IommufdSteps.WRITE;
import static io.jvfio.lab.Operand.number;
import static io.jvfio.lab.Operand.value;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_HUGE_PAGES;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_OP_GET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_OP_SET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_OPTION_RLIMIT_MODE;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_CLEAR;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_GET;
import static io.jvfio.linux.uapi.Iommufd.IOMMU_VFIO_IOAS_SET;

import io.jvfio.lab.Draft.Mapped;
import io.jvfio.lab.Draft.Node;
import io.jvfio.lab.Draft.OpenIommufd;
import io.jvfio.lab.Draft.Place;
import io.jvfio.lab.Draft.Space;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/**
 * iommufds and their objects, and devices that are opened by nodes of their own: binding,
 * attaching, address spaces, page tables. Some iommufds are offered to the subjects of containers
 * too.
 *
 * <p>The kernel writes as much as it is told there is room for, so rooms stay within memory that
 * nothing else has.
 */
final class IommufdCalls implements Subject {
  private static final List<String> IOMMUFDS = List.of("f0", "f1", "f2");
  private static final int DEVICES = 2;
  private static final int MOST_SPACES = 4;
  private static final int MOST_PAGES = 32;

  /** Where the kernel reads and writes arrays; never mapped for a device. */
  private static final String ARRAYS = "arrays";

  private static final long ARRAYS_BYTES = 64 << 10;
  private static final int SHOWN_BYTES = 64;
  private static final int RANGE_BYTES = 16;
  private static final int MOST_RANGES = 3;

  /** Edges of ranges to allow, in ascending order. */
  private static final List<Long> EDGES =
      List.of(
          0L,
          5L,
          0x10_0000L,
          0x10_0fffL,
          0x20_0000L,
          0x40_0000L,
          0x4000_0000L,
          0xfedf_ffffL,
          0xfee0_0000L,
          0xfeef_ffffL,
          1L << 32,
          (1L << 48) - 1,
          1L << 48,
          -1L);

  private static final List<Ioctl> NOT_OF_IOMMUFDS =
      List.of(
          Vfio.VFIO_GROUP_GET_STATUS,
          Vfio.VFIO_DEVICE_GET_INFO,
          Vfio.VFIO_DEVICE_BIND_IOMMUFD,
          Vfio.VFIO_IOMMU_ENABLE,
          new Ioctl("unknown", ';', 0x7f),
          new Ioctl("unknown", ';', 0xff));

  private static final List<Ioctl> NODE_COMMANDS =
      List.of(
          Vfio.VFIO_DEVICE_BIND_IOMMUFD,
          Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT,
          Vfio.VFIO_DEVICE_DETACH_IOMMUFD_PT,
          Vfio.VFIO_DEVICE_GET_INFO,
          Vfio.VFIO_DEVICE_GET_REGION_INFO);

  private static final List<Ioctl> NOT_OF_NODES =
      List.of(
          Vfio.VFIO_GET_API_VERSION,
          Vfio.VFIO_GROUP_GET_STATUS,
          Vfio.VFIO_SET_IOMMU,
          Iommufd.IOMMU_DESTROY,
          new Ioctl("unknown", ';', 0xff));

  /** An address space to call for, and what is expected of it; nothing for a wrong number. */
  private record Target(String iommufd, Operand id, Space space) {}

  @Override
  public void offer(Draft draft, Menu menu) {
    if (!draft.ground.hasIommufd()) {
      return;
    }
    if (draft.iommufds.size() < IOMMUFDS.size()) {
      menu.add(draft.iommufds.isEmpty() ? 60 : 2, () -> openIommufd(draft));
    }
    menu.add(draft.nodes.isEmpty() ? 25 : 4, () -> openNode(draft));
    offerNodes(draft, menu);
    if (!draft.iommufds.isEmpty()) {
      offerObjects(draft, menu);
      offerMappings(draft, menu);
    }
  }

  private static void offerNodes(Draft draft, Menu menu) {
    if (draft.nodes.isEmpty()) {
      return;
    }
    boolean unbound = draft.nodes.values().stream().anyMatch(node -> node.iommufd == null);
    boolean detached =
        draft.nodes.values().stream().anyMatch(node -> node.iommufd != null && !node.isAttached);
    menu.add(unbound && !draft.iommufds.isEmpty() ? 25 : 2, () -> bind(draft));
    menu.add(detached ? 25 : 7, () -> attach(draft));
    menu.add(4, () -> detach(draft));
    menu.add(3, () -> closeNode(draft));
    menu.add(5, () -> DeviceCalls.information(draft, node(draft)));
    menu.add(4, () -> DeviceCalls.config(draft, node(draft)));
    menu.add(3, () -> FeatureCalls.call(draft, node(draft)));
    menu.add(1, () -> draft.steps.badAddress(node(draft), draft.oneOf(NODE_COMMANDS)));
    menu.add(1, () -> draft.steps.command(node(draft), draft.oneOf(NOT_OF_NODES)));
  }

  private static void offerObjects(Draft draft, Menu menu) {
    boolean hasSpace = draft.iommufds.values().stream().anyMatch(file -> !file.spaces.isEmpty());
    boolean hasTable = draft.iommufds.values().stream().anyMatch(file -> !file.tables.isEmpty());
    boolean hasBound = draft.nodes.values().stream().anyMatch(node -> node.iommufd != null);
    menu.add(hasSpace ? 6 : 40, () -> newSpace(draft));
    menu.add(6, () -> destroy(draft));
    menu.add(hasBound && hasSpace ? 8 : 1, () -> newTable(draft));
    menu.add(hasBound ? 3 : 1, () -> hardware(draft));
    menu.add(hasTable ? 3 : 1, () -> track(draft));
    menu.add(hasTable ? 3 : 1, () -> dirtyPages(draft));
    menu.add(4, () -> option(draft));
    menu.add(4, () -> spaceOfContainer(draft));
    menu.add(2, () -> closeIommufd(draft));
    menu.add(1, () -> draft.steps.badAddress(iommufd(draft), draft.oneOf(Iommufd.COMMANDS)));
    menu.add(1, () -> draft.steps.command(iommufd(draft), draft.oneOf(NOT_OF_IOMMUFDS)));
    menu.add(1, () -> draft.steps.readAt(iommufd(draft), 0, 4));
    menu.add(4, draft.steps::pinned);
  }

  private static void offerMappings(Draft draft, Menu menu) {
    boolean hasSpace = draft.iommufds.values().stream().anyMatch(file -> !file.spaces.isEmpty());
    boolean hasMapping =
        draft.iommufds.values().stream()
            .flatMap(file -> file.spaces.values().stream())
            .anyMatch(space -> !space.mappings.isEmpty());
    if (!draft.memory.isEmpty()) {
      menu.add(hasSpace ? 30 : 1, () -> map(draft));
    }
    menu.add(hasMapping ? 15 : 1, () -> copy(draft));
    menu.add(hasMapping ? 18 : 2, () -> unmap(draft));
    menu.add(hasSpace ? 7 : 1, () -> ranges(draft));
    menu.add(hasSpace ? 4 : 1, () -> allow(draft));
  }

  /** What many sequences begin with: a device that is attached to an address space. */
  static void ready(Draft draft) {
    open(draft, "f0", draft.chance(30));
    newSpace(draft);
    if (draft.chance(75)) {
      var node = open(draft, draft.below(DEVICES));
      bind(draft, node, "f0");
      attach(draft);
    }
  }

  /** What others begin with: an iommufd in the place of a container, with a group and a type. */
  static void readyContainer(Draft draft) {
    open(draft, "f0", true);
    LifeCycleCalls.join(
        draft, "f0", draft.chance(75) ? "g0" : "g1", draft.oneOf(draft.ground.types()));
  }

  private static IommufdSteps on(Draft draft, String iommufd) {
    return IommufdSteps.of(draft.steps, iommufd, draft::argsz);
  }

  /** An open iommufd, sometimes another file or none. */
  private static String iommufd(Draft draft) {
    return draft.chance(2)
        ? draft.oneOf(List.of(Draft.NOWHERE, "c0", "n0", "g0"))
        : draft.oneOf(List.copyOf(draft.iommufds.keySet()), Draft.NOWHERE);
  }

  private static OpenIommufd state(Draft draft, String iommufd) {
    var state = draft.iommufds.get(iommufd);
    return state == null ? new OpenIommufd() : state;
  }

  /** Mostly one of the right ones; else any that there is or was, or a number out of the air. */
  private static Operand object(Draft draft, Collection<String> right) {
    if (!right.isEmpty() && draft.chance(94)) {
      return value(draft.oneOf(List.copyOf(right)));
    }
    return draft.chance(60) && !draft.objects.isEmpty()
        ? value(draft.oneOf(draft.objects))
        : number(draft.oneOf(List.of(0L, 1L, 2L, 3L, 4L, 77L, -1L)));
  }

  private static String newObject(Draft draft, String prefix) {
    var name = draft.name(prefix);
    draft.objects.add(name);
    return name;
  }

  private static Target space(Draft draft) {
    return space(draft, iommufd(draft));
  }

  private static Target space(Draft draft, String iommufd) {
    var spaces = state(draft, iommufd).spaces;
    var id = object(draft, spaces.keySet());
    var space = id instanceof Operand.Value(String name, long _) ? spaces.get(name) : null;
    return new Target(iommufd, id, space == null ? new Space() : space);
  }

  private static void openIommufd(Draft draft) {
    var closed = IOMMUFDS.stream().filter(name -> !draft.iommufds.containsKey(name)).toList();
    open(draft, draft.oneOf(closed), draft.chance(30));
  }

  private static void open(Draft draft, String name, boolean isContainer) {
    on(draft, name).iommufd(name);
    draft.iommufds.put(name, new OpenIommufd());
    if (isContainer) {
      draft.containers.put(name, new Draft.Container());
    }
  }

  private static void closeIommufd(Draft draft) {
    draft.closeContainer(iommufd(draft));
  }

  /** A node that is open, sometimes none. */
  private static String node(Draft draft) {
    return draft.chance(2)
        ? Draft.NOWHERE
        : draft.oneOf(draft.nodes.keySet().stream().toList(), Draft.NOWHERE);
  }

  /** A node of which something is expected, mostly. */
  private static String node(Draft draft, boolean isBound) {
    var fitting =
        draft.nodes.entrySet().stream()
            .filter(entry -> (entry.getValue().iommufd != null) == isBound)
            .map(Map.Entry::getKey)
            .toList();
    return draft.chance(90) ? draft.oneOf(fitting, node(draft)) : node(draft);
  }

  private static void openNode(Draft draft) {
    open(draft, draft.below(DEVICES));
  }

  private static String open(Draft draft, int ordinal) {
    var name = "n" + ordinal;
    if (draft.nodes.containsKey(name)) {
      name += "twin";
    }
    on(draft, name).node(name, ordinal);
    draft.nodes.put(name, new Node(ordinal));
    return name;
  }

  /** A device that is open is bound until its file goes. */
  private static void closeNode(Draft draft) {
    var name = node(draft);
    draft.steps.close(name);
    draft.nodes.remove(name);
  }

  private static void bind(Draft draft) {
    var name = node(draft, false);
    if (draft.chance(6)) {
      var file =
          draft.chance(50)
              ? number(draft.oneOf(List.of(-1L, -2L, 100_000L)))
              : new Operand.Descriptor(draft.oneOf(List.of("n0", "n1", "c0", "g0", "d0")));
      on(draft, Draft.NOWHERE).bind(name, 16, draft.flags(0), file);
      return;
    }
    bind(draft, name, iommufd(draft));
  }

  private static void bind(Draft draft, String name, String iommufd) {
    var number = newObject(draft, "dev");
    on(draft, iommufd).bind(name, iommufd, number);
    var node = draft.nodes.get(name);
    if (node != null
        && node.iommufd == null
        && draft.iommufds.containsKey(iommufd)
        && !draft.isBound(node.ordinal)
        && !draft.groups.containsKey("g" + node.ordinal)) {
      node.iommufd = iommufd;
      node.number = number;
    }
  }

  /** To an address space or a page table of its iommufd; instead of another one if it has one. */
  private static void attach(Draft draft) {
    var name = node(draft, true);
    var node = draft.nodes.get(name);
    var iommufd = node == null || node.iommufd == null ? iommufd(draft) : node.iommufd;
    var state = state(draft, iommufd);
    var object = object(draft, draft.chance(70) ? state.spaces.keySet() : state.tables);
    if (draft.chance(3)) {
      on(draft, iommufd).attach(name, object, 12, 1 << draft.below(32));
      return;
    }
    var table = newObject(draft, "t");
    on(draft, iommufd).attachAs(table, name, object);
    state.tables.add(table);
    if (node != null && node.iommufd != null) {
      node.isAttached = true;
    }
  }

  private static void detach(Draft draft) {
    var name = node(draft, true);
    on(draft, Draft.NOWHERE).detach(name, 8, draft.flags(0));
    var node = draft.nodes.get(name);
    if (node != null) {
      node.isAttached = false;
    }
  }

  private static void newSpace(Draft draft) {
    var iommufd = iommufd(draft);
    var state = state(draft, iommufd);
    if (draft.chance(4)) {
      on(draft, iommufd).ioas(12, 1 << draft.below(32));
    } else if (draft.chance(4)) {
      on(draft, iommufd).ioasWithTail(draft.below(2));
    } else if (state.spaces.size() < MOST_SPACES) {
      var name = newObject(draft, "s");
      on(draft, iommufd).ioas(name);
      state.spaces.put(name, new Space());
    } else {
      destroy(draft);
    }
  }

  private static void destroy(Draft draft) {
    var iommufd = iommufd(draft);
    var state = state(draft, iommufd);
    var devices =
        draft.nodes.values().stream()
            .filter(node -> iommufd.equals(node.iommufd))
            .map(node -> node.number)
            .toList();
    var object =
        switch (draft.below(8)) {
          case 0, 1 -> object(draft, state.spaces.keySet());
          case 2 -> object(draft, devices);
          default -> object(draft, state.tables);
        };
    on(draft, iommufd).destroy(object);
    if (object instanceof Operand.Value(String name, long _)) {
      state.spaces.remove(name);
      state.tables.remove(name);
    }
  }

  private static void newTable(Draft draft) {
    var bound = draft.nodes.values().stream().filter(node -> node.iommufd != null).toList();
    var iommufd = bound.isEmpty() ? iommufd(draft) : draft.oneOf(bound).iommufd;
    var name = iommufd == null ? Draft.NOWHERE : iommufd;
    var state = state(draft, name);
    var devices =
        bound.stream().filter(node -> name.equals(node.iommufd)).map(node -> node.number).toList();
    var parent =
        draft.chance(90) ? object(draft, state.spaces.keySet()) : object(draft, state.tables);
    int flags = draft.chance(85) ? 0 : draft.oneOf(List.of(1, 2, 3, 4, 8, 1 << 31));
    boolean hasData = draft.chance(5);
    var table = newObject(draft, "t");
    on(draft, name)
        .table(
            table,
            flags,
            draft.chance(2) ? 1 : 0,
            object(draft, devices),
            parent,
            hasData ? draft.below(3) : 0,
            hasData ? draft.below(2) * 8 : 0);
    state.tables.add(table);
  }

  private static void hardware(Draft draft) {
    var iommufd = iommufd(draft);
    var devices =
        draft.nodes.values().stream()
            .filter(node -> iommufd.equals(node.iommufd))
            .map(node -> node.number)
            .toList();
    withArrays(draft);
    on(draft, iommufd)
        .hardware(
            object(draft, devices),
            draft.flags(0),
            draft.oneOf(List.of(0, 4, 10, 24, 28, 64)),
            array(draft),
            40);
    draft.steps.look(ARRAYS, 0, SHOWN_BYTES);
  }

  private static void track(Draft draft) {
    var iommufd = iommufd(draft);
    on(draft, iommufd)
        .track(object(draft, state(draft, iommufd).tables), draft.flags(draft.below(2)));
  }

  /**
   * Linux 6.12 takes no bytes for all bytes at address 0 and for an error elsewhere, which is
   * harmless where no page table tracks dirty pages.
   */
  private static void dirtyPages(Draft draft) {
    var target = space(draft);
    var span = span(draft, target.space());
    withArrays(draft);
    on(draft, target.iommufd())
        .dirty(
            object(draft, state(draft, target.iommufd()).tables),
            draft.flags(draft.below(2)),
            draft.chance(3) ? 1 : 0,
            span.place().operand(),
            span.byteSize(),
            draft.chance(85) ? 0x1000 : draft.oneOf(List.of(0L, 0x200L, 0x2000L, 3L)),
            array(draft));
  }

  private static void option(Draft draft) {
    var target = space(draft);
    int operation =
        draft.chance(5) ? 2 : draft.chance(40) ? IOMMU_OPTION_OP_GET : IOMMU_OPTION_OP_SET;
    int option =
        draft.chance(3) ? 2 : draft.chance(70) ? IOMMU_OPTION_HUGE_PAGES : IOMMU_OPTION_RLIMIT_MODE;
    boolean isOfSpace = option == IOMMU_OPTION_HUGE_PAGES ^ draft.chance(5);
    on(draft, target.iommufd())
        .option(
            option,
            operation,
            draft.chance(2) ? 1 : 0,
            isOfSpace ? target.id() : number(0),
            draft.chance(10) ? draft.oneOf(List.of(2L, -1L)) : draft.below(2));
  }

  /** Asks for the address space behind the container commands, or takes another one for it. */
  private static void spaceOfContainer(Draft draft) {
    var target = space(draft);
    var steps = on(draft, target.iommufd());
    switch (draft.below(8)) {
      case 0 -> steps.vfioIoas(IOMMU_VFIO_IOAS_CLEAR, number(0));
      case 1, 2, 3 -> steps.vfioIoas(IOMMU_VFIO_IOAS_SET, target.id());
      case 4 ->
          steps.vfioIoas(
              draft.below(4), draft.chance(50) ? IOMMU_VFIO_IOAS_GET : 1 << 15, target.id());
      default -> {
        var name = newObject(draft, "s");
        steps.vfioIoasAs(name);
        if (draft.containers.containsKey(target.iommufd())) {
          state(draft, target.iommufd()).spaces.put(name, new Space());
        }
      }
    }
  }

  private static void map(Draft draft) {
    var target = space(draft);
    var range = draft.range(MOST_PAGES);
    boolean isChosen = draft.chance(82);
    int flags = (isChosen ? FIXED : 0) | access(draft);
    var place = freshPlace(draft, target.space(), range.byteSize());
    long length = length(draft, range.byteSize());
    var from =
        draft.chance(4)
            ? number(draft.oneOf(List.of(0L, 8L, 0x1_0000L, -0x1000L)))
            : Operand.memory(range.memory(), draft.aligned(range.offset()));
    var steps = on(draft, target.iommufd());
    if (draft.chance(2)) {
      steps.map(target.id(), flags, 1, from, length, 0, 40);
      return;
    }
    var name = draft.name("at");
    steps.mapAs(name, target.id(), draft.flags(flags), from, length, place.operand());
    add(target.space(), new Mapped(isChosen ? place : new Place(name, 0), range));
  }

  private static int access(Draft draft) {
    return draft.chance(80) ? READ | WRITE : draft.oneOf(List.of(READ, READ, WRITE, 0));
  }

  private static void add(Space space, Mapped added) {
    if (space.mappings.stream().noneMatch(mapped -> overlap(mapped, added))) {
      space.mappings.add(added);
    }
  }

  /** Those whose places the kernel chose are apart. */
  private static boolean overlap(Mapped one, Mapped other) {
    long start = one.place().offset();
    long otherStart = other.place().offset();
    return one.place().window() == null
        && other.place().window() == null
        && start < otherStart + other.byteSize()
        && otherStart < start + one.byteSize();
  }

  private static long length(Draft draft, long byteSize) {
    return draft.chance(4)
        ? draft.oneOf(List.of(0L, -1L, -0x1000L, 1L << 62, 5L, 0x800L))
        : draft.aligned(byteSize);
  }

  /** Free, next to what is mapped, or across it. */
  private static Place freshPlace(Draft draft, Space space, long byteSize) {
    long page = draft.ground.pageSize();
    if (draft.chance(5)) {
      return new Place(null, draft.chance(10) ? -1 : draft.oneOf(Type1Calls.WILD));
    }
    if (space.mappings.isEmpty() || draft.chance(50)) {
      return new Place(null, draft.aligned(draft.oneOf(Type1Calls.BASES) + draft.below(64) * page));
    }
    var near = draft.oneOf(space.mappings);
    return near.place()
        .plus(
            draft.aligned(
                switch (draft.below(8)) {
                  case 0 -> 0;
                  case 1 -> page;
                  case 2, 3 -> -byteSize;
                  case 4 -> near.byteSize() - page;
                  default -> near.byteSize();
                }));
  }

  /** A range to unmap, copy or ask about. */
  private record Span(Place place, long byteSize) {}

  private static Span span(Draft draft, Space space) {
    long page = draft.ground.pageSize();
    if (space.mappings.isEmpty() || draft.chance(6)) {
      return new Span(
          freshPlace(draft, space, page), length(draft, draft.pageCount(MOST_PAGES) * page));
    }
    var mapped = draft.oneOf(space.mappings);
    var place = mapped.place();
    long byteSize = mapped.byteSize();
    return switch (draft.below(12)) {
      case 0 -> new Span(place.plus(page), page);
      case 1 -> new Span(place, page);
      case 2 -> new Span(place, byteSize + draft.below(8) * page);
      case 3 -> new Span(place.plus(-page), byteSize + 2 * page);
      case 4 -> new Span(new Place(null, place.offset() & -0x10_0000L), 0x20_0000L);
      case 5 -> new Span(place.plus(draft.aligned(0)), length(draft, byteSize));
      default -> new Span(place, byteSize);
    };
  }

  /** From one address space to another one of the same iommufd, which may be the same. */
  private static void copy(Draft draft) {
    var source = space(draft);
    var target = space(draft, source.iommufd());
    long page = draft.ground.pageSize();
    var span = span(draft, source.space());
    if (!source.space().mappings.isEmpty() && draft.chance(50)) {
      var mapped = draft.oneOf(source.space().mappings);
      long pages = mapped.byteSize() / page;
      long count = Math.min(pages, draft.pageCount(pages));
      span = new Span(mapped.place().plus((pages - count) * page), count * page);
    }
    boolean isChosen = draft.chance(82);
    int flags = (isChosen ? FIXED : 0) | access(draft);
    var place = freshPlace(draft, target.space(), span.byteSize());
    var name = draft.name("at");
    on(draft, source.iommufd())
        .copyAs(
            name,
            target.id(),
            source.id(),
            draft.flags(flags),
            place.operand(),
            span.place().operand(),
            span.byteSize());
    if (span.byteSize() >= page && span.byteSize() <= MOST_PAGES * page) {
      var range = new Draft.Range(name, 0, span.byteSize());
      add(target.space(), new Mapped(isChosen ? place : new Place(name, 0), range));
    }
  }

  private static void unmap(Draft draft) {
    var target = space(draft);
    var steps = on(draft, target.iommufd());
    if (draft.chance(8)) {
      steps.unmap(target.id(), draft.chance(85) ? 0 : 0x1000, -1, 24);
      target.space().mappings.clear();
      return;
    }
    var span = span(draft, target.space());
    steps.unmap(target.id(), span.place().operand(), span.byteSize(), 24);
    target
        .space()
        .mappings
        .removeIf(
            mapped -> mapped.place().equals(span.place()) && mapped.byteSize() <= span.byteSize());
  }

  private static void ranges(Draft draft) {
    var target = space(draft);
    withArrays(draft);
    on(draft, target.iommufd())
        .ranges(
            target.id(),
            draft.oneOf(List.of(0, 1, 2, 3, 16, 4096)),
            draft.chance(2) ? 1 : 0,
            32,
            array(draft));
    draft.steps.look(ARRAYS, 0, SHOWN_BYTES);
  }

  private static void allow(Draft draft) {
    var target = space(draft);
    withArrays(draft);
    int count = draft.below(MOST_RANGES + 1);
    for (int i = 0; i < count; i++) {
      int first = draft.below(EDGES.size() - 1);
      int last = Math.min(EDGES.size() - 1, first + 1 + draft.below(4));
      boolean isUpright = draft.chance(95);
      draft.steps.store(
          ARRAYS,
          (long) i * RANGE_BYTES,
          number(EDGES.get(isUpright ? first : last)),
          number(EDGES.get(isUpright ? last : first)));
    }
    on(draft, target.iommufd())
        .allow(
            target.id(),
            draft.chance(5) ? draft.oneOf(List.of(count + 1, -1)) : count,
            draft.chance(2) ? 1 : 0,
            array(draft));
  }

  private static void withArrays(Draft draft) {
    if (!draft.hasArrays || draft.chance(10)) {
      draft.steps.memory(ARRAYS, ARRAYS_BYTES);
      draft.hasArrays = true;
    }
  }

  private static Operand array(Draft draft) {
    return draft.chance(4) ? number(draft.oneOf(List.of(0L, 8L, 0x1000L))) : Operand.memory(ARRAYS);
  }
}
