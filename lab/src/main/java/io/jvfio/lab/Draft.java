// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.number;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedCollection;
import java.util.SequencedSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A sequence while it is generated: its steps, and what they will have brought about if the kernel
 * does as expected. What is expected may be wrong; it only makes most calls meaningful.
 */
final class Draft {
  /** A file that is never open. */
  static final String NOWHERE = "none";

  private static final int DISTORTED_PERCENT = 5;

  final Steps steps;
  final Ground ground;
  final SplittableRandom random;

  /** Whether calls are wanted whose effect outlives the sequence. */
  final boolean spoils;

  final Map<String, Container> containers = new LinkedHashMap<>();
  final Map<String, Group> groups = new LinkedHashMap<>();

  /** The open devices, each with the group it was got from. */
  final Map<String, String> devices = new LinkedHashMap<>();

  /** Anonymous memory: the name and how many bytes. */
  final Map<String, Long> memory = new LinkedHashMap<>();

  /** The open iommufds. Some are containers too. */
  final Map<String, OpenIommufd> iommufds = new LinkedHashMap<>();

  /** Devices that are open by nodes of their own. */
  final Map<String, Node> nodes = new LinkedHashMap<>();

  /** The names of all objects of all iommufds that there are or were. */
  final List<String> objects = new ArrayList<>();

  /** The open eventfds. */
  final SequencedSet<String> events = new LinkedHashSet<>();

  /** Whether there is a set of files to wait for. */
  boolean hasEventSet;

  /** Which of INTx, MSI and MSI-X devices use, by the device. */
  final Map<String, Integer> interrupts = new HashMap<>();

  /** Whether there is memory for bitmaps of dirty pages. */
  boolean hasBitmap;

  /** Whether there is memory for arrays that iommufds read and write. */
  boolean hasArrays;

  private int names;

  /** An open container. */
  static final class Container {
    /** What SET_IOMMU has set, 0 for nothing. */
    int type;

    boolean enabled;
    boolean tracksDirtyPages;
    boolean hasCreated;
    boolean hasRemoved;
    final Set<String> groups = new LinkedHashSet<>();
    final List<Mapped> mappings = new ArrayList<>();
    final List<Range> registered = new ArrayList<>();
    final List<Window> windows = new ArrayList<>();

    /** All that goes with the IOMMU. */
    void clear() {
      type = 0;
      enabled = false;
      tracksDirtyPages = false;
      hasCreated = false;
      hasRemoved = false;
      mappings.clear();
      registered.clear();
      windows.clear();
    }
  }

  /** An open group. */
  static final class Group {
    @Nullable String container;
  }

  /** An open iommufd: its objects by the names that their numbers are kept under. */
  static final class OpenIommufd {
    final Map<String, Space> spaces = new LinkedHashMap<>();
    final Set<String> tables = new LinkedHashSet<>();
  }

  /** An address space of an iommufd. */
  static final class Space {
    final List<Mapped> mappings = new ArrayList<>();
  }

  /** A device's own node that is open. */
  static final class Node {
    final int ordinal;

    /** The iommufd that the device is bound to. */
    @Nullable String iommufd;

    /** What its number there is kept under. */
    String number = NOWHERE;

    boolean isAttached;

    Node(int ordinal) {
      this.ordinal = ordinal;
    }
  }

  /** A part of anonymous memory. */
  record Range(String memory, long offset, long byteSize) {
    Operand address() {
      return Operand.memory(memory, offset);
    }

    boolean overlaps(Range other) {
      return memory.equals(other.memory)
          && offset < other.offset + other.byteSize
          && other.offset < offset + byteSize;
    }
  }

  /**
   * A DMA window.
   *
   * @param name what holds its start; null for one that starts at 0
   */
  record Window(@Nullable String name, int pageShift, long byteSize) {
    Place at(long offset) {
      return new Place(name, offset);
    }
  }

  /** An IO virtual address, perhaps from the start of a window or from what a call returned. */
  record Place(@Nullable String window, long offset) {
    Operand operand() {
      return window == null ? number(offset) : Operand.value(window, offset);
    }

    Place plus(long bytes) {
      return new Place(window, offset + bytes);
    }
  }

  /** What MAP_DMA mapped where. */
  record Mapped(Place place, Range range) {
    long byteSize() {
      return range.byteSize();
    }
  }

  Draft(Steps steps, Ground ground, SplittableRandom random, boolean spoils) {
    this.steps = steps;
    this.ground = ground;
    this.random = random;
    this.spoils = spoils;
  }

  /** True in {@code percent} of all cases. */
  boolean chance(int percent) {
    return random.nextInt(100) < percent;
  }

  /** From 0 to {@code bound}, exclusive. */
  int below(int bound) {
    return random.nextInt(bound);
  }

  <T> T oneOf(List<T> choices) {
    return choices.get(random.nextInt(choices.size()));
  }

  /** One of them, or {@code otherwise} when there are none. */
  <T> T oneOf(SequencedCollection<T> choices, T otherwise) {
    return choices.isEmpty() ? otherwise : oneOf(List.copyOf(choices));
  }

  /** A name that nothing has yet. */
  String name(String prefix) {
    return prefix + names++;
  }

  /** Mostly {@code exact}, sometimes too short or longer. */
  long argsz(long exact) {
    return chance(DISTORTED_PERCENT)
        ? oneOf(List.of(0L, 4L, exact - 8, exact - 1, exact + 8, 4096L))
        : exact;
  }

  /** Mostly {@code valid}, sometimes with a bit too many. */
  int flags(int valid) {
    return chance(DISTORTED_PERCENT) ? valid | 1 << below(32) : valid;
  }

  /** Mostly {@code valid}, sometimes not a multiple of a page. */
  long aligned(long valid) {
    return chance(DISTORTED_PERCENT)
        ? valid + oneOf(List.of(1L, 0x800L, -0x800L, ground.pageSize() / 2, ground.pageSize()))
        : valid;
  }

  /** The name of an open container, sometimes of another file or of none. */
  String container() {
    return chance(DISTORTED_PERCENT / 2)
        ? oneOf(List.of(NOWHERE, "c0", "c1", "c2"))
        : oneOf(List.copyOf(containers.keySet()), NOWHERE);
  }

  /** The open containers of which something holds. */
  List<String> containers(Predicate<Container> holds) {
    return containers.entrySet().stream()
        .filter(entry -> holds.test(entry.getValue()))
        .map(Map.Entry::getKey)
        .toList();
  }

  /** A page-aligned part of memory, of which there is some. */
  Range range(long mostPages) {
    var memories = List.copyOf(memory.entrySet());
    var chosen = oneOf(memories);
    long page = ground.pageSize();
    long pages = chosen.getValue() / page;
    long count = Math.min(pages, pageCount(mostPages));
    long first = chance(40) ? 0 : random.nextLong(pages - count + 1);
    return new Range(chosen.getKey(), first * page, count * page);
  }

  /** From 1 to {@code most}, small ones more often. */
  long pageCount(long most) {
    return 1 + random.nextLong(1L << random.nextInt(64 - Long.numberOfLeadingZeros(most)));
  }

  /** Whether a device is bound by a node of its own, which leaves no room for its group. */
  boolean isBound(int ordinal) {
    return nodes.values().stream()
        .anyMatch(node -> node.ordinal == ordinal && node.iommufd != null);
  }

  /** Closes a container or an iommufd: groups and devices keep what it had. */
  void closeContainer(String name) {
    steps.close(name);
    iommufds.remove(name);
    var container = containers.remove(name);
    if (container != null) {
      container.clear();
    }
  }

  /** A group leaves its container; with the last one the IOMMU goes. */
  void leave(String name) {
    var group = groups.get(name);
    if (group == null || group.container == null) {
      return;
    }
    var container = containers.get(group.container);
    group.container = null;
    if (container != null) {
      container.groups.remove(name);
      if (container.groups.isEmpty()) {
        container.clear();
      }
    }
  }
}
