// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class IovaMapTest {
  private static final long PAGE = 4096;
  private static final long MIB = 1 << 20;

  private static IovaMap<String> mapWith(long... bounds) {
    var map = new IovaMap<String>();
    for (int i = 0; i < bounds.length; i += 2) {
      map.addRange(bounds[i], bounds[i + 1]);
    }
    return map;
  }

  private static long allocate(IovaMap<String> map, long byteSize, long alignment) {
    return map.allocate(byteSize, alignment, 0, -1, "owner");
  }

  private static List<String> free(IovaMap<?> map) {
    var free = new ArrayList<String>();
    map.forEachFree((start, last) -> free.add("%x-%x".formatted(start, last)));
    return free;
  }

  private static List<String> mapped(IovaMap<?> map) {
    var mapped = new ArrayList<String>();
    map.forEach((start, last, owner) -> mapped.add("%x-%x %s".formatted(start, last, owner)));
    return mapped;
  }

  @Test
  void hasNoRoomWithoutARange() {
    var map = mapWith();
    assertThat(allocate(map, 1, 1)).isEqualTo(IovaMap.NONE);
    assertThat(map.insert(PAGE, PAGE, "a")).isFalse();
    assertThat(map.insert(0, PAGE, "a")).isFalse();
    assertThat(map.remove(PAGE)).isNull();
    assertThat(map.at(PAGE)).isNull();
    assertThat(map.firstFrom(0)).isEqualTo(IovaMap.NONE);
    assertThat(map.overlaps(0, -1)).isFalse();
    assertThat(map.size()).isZero();
    assertThat(free(map)).isEmpty();
    assertThat(mapped(map)).isEmpty();
  }

  @Test
  void takesTheLowestRoomThatFits() {
    var map = mapWith(0x10000, 0x1ffff);
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(0x10000);
    assertThat(allocate(map, 2 * PAGE, PAGE)).isEqualTo(0x11000);
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(0x13000);
    assertThat(map.remove(0x11000)).isEqualTo("owner");
    assertThat(allocate(map, 3 * PAGE, PAGE)).isEqualTo(0x14000);
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(0x11000);
    assertThat(free(map)).containsExactly("12000-12fff", "17000-1ffff");
  }

  @Test
  void neverAllocatesAddressZeroButMapsItOnDemand() {
    var map = mapWith(0, 4 * PAGE - 1);
    assertThat(free(map)).containsExactly("0-3fff");
    assertThat(allocate(map, 1, 1)).isEqualTo(1);
    assertThat(map.remove(1)).isEqualTo("owner");
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(PAGE);
    assertThat(free(map)).containsExactly("0-fff", "2000-3fff");
    assertThat(map.insert(0, PAGE + 1, "zero")).isFalse();
    assertThat(map.insert(0, PAGE, "zero")).isTrue();
    assertThat(map.insert(0, PAGE, "again")).isFalse();
    assertThat(map.at(0)).isEqualTo("zero");
    assertThat(map.firstFrom(0)).isZero();
    assertThat(map.startAt(PAGE - 1)).isZero();
    assertThat(free(map)).containsExactly("2000-3fff");
    assertThat(map.remove(0)).isEqualTo("zero");
    assertThat(map.at(0)).isNull();
    assertThat(free(map)).containsExactly("0-fff", "2000-3fff");
  }

  @Test
  void takesARangeOfNothingButAddressZero() {
    var map = mapWith(0, 0);
    assertThat(allocate(map, 1, 1)).isEqualTo(IovaMap.NONE);
    assertThat(free(map)).containsExactly("0-0");
    assertThat(map.insert(0, 2, "zero")).isFalse();
    assertThat(map.insert(0, 1, "zero")).isTrue();
    assertThat(free(map)).isEmpty();
    assertThatIllegalStateException().isThrownBy(() -> map.removeRange(0, 0));
    assertThat(map.remove(0)).isEqualTo("zero");
    map.removeRange(0, 0);
    assertThat(free(map)).isEmpty();
  }

  @Test
  void usesTheLastPageOfTheAddressSpaceWithoutWrapping() {
    var map = mapWith(-2 * PAGE, -1);
    assertThat(allocate(map, 3 * PAGE, PAGE)).isEqualTo(IovaMap.NONE);
    assertThat(allocate(map, PAGE, 4 * PAGE)).isEqualTo(IovaMap.NONE);
    assertThat(map.insert(-PAGE, PAGE + 1, "a")).isFalse();
    assertThat(map.insert(-PAGE, PAGE, "a")).isTrue();
    assertThat(map.lastAt(-1)).isEqualTo(-1);
    assertThat(map.insert(-1, 1, "b")).isFalse();
    assertThat(map.overlaps(-1, 1)).isTrue();
    assertThat(map.overlaps(-2 * PAGE, PAGE)).isFalse();
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(-2 * PAGE);
    assertThat(allocate(map, 1, 1)).isEqualTo(IovaMap.NONE);
    assertThat(map.remove(-PAGE)).isEqualTo("a");
    assertThat(map.remove(-2 * PAGE)).isEqualTo("owner");
    assertThat(map.insert(-1, 1, "last")).isTrue();
    assertThat(map.startAt(-1)).isEqualTo(-1);
    assertThat(map.firstFrom(-1)).isEqualTo(-1);
    assertThat(map.remove(-1)).isEqualTo("last");
    assertThat(allocate(map, 2 * PAGE, 2 * PAGE)).isEqualTo(-2 * PAGE);
  }

  @Test
  void takesAllAddressesThereAreAsOneRange() {
    var map = mapWith(0, -1);
    assertThat(free(map)).containsExactly("0-ffffffffffffffff");
    assertThat(map.nextFree(1, Long.MIN_VALUE, 0, -1)).isEqualTo(Long.MIN_VALUE);
    assertThat(map.nextFree(-PAGE, PAGE, 0, -1)).isEqualTo(PAGE);
    assertThat(map.nextFree(PAGE, PAGE, -PAGE, -1)).isEqualTo(-PAGE);
    assertThat(map.nextFree(PAGE, PAGE, -PAGE + 1, -1)).isEqualTo(IovaMap.NONE);
    assertThat(map.nextFree(-1, 1, 0, -1)).isEqualTo(1);
    assertThat(map.insert(0, -1, "all but one")).isTrue();
    assertThat(free(map)).containsExactly("ffffffffffffffff-ffffffffffffffff");
    assertThat(allocate(map, 1, 1)).isEqualTo(-1);
    assertThat(free(map)).isEmpty();
    assertThat(map.remove(0)).isEqualTo("all but one");
    assertThat(map.remove(-1)).isEqualTo("owner");
    assertThat(allocate(map, -1, 1)).isEqualTo(1);
  }

  @Test
  void leavesReservedHolesAlone() {
    var map = mapWith(0, 0xfedfffffL, 0xfef00000L, 0xffffffffL);
    assertThat(map.nextFree(MIB, MIB, 0xfed00000L, -1)).isEqualTo(0xfed00000L);
    assertThat(map.nextFree(MIB, PAGE, 0xfed00001L, -1)).isEqualTo(0xfef00000L);
    assertThat(map.insert(0xfedff000L, 2 * PAGE, "across")).isFalse();
    assertThat(map.insert(0xfee00000L, PAGE, "in the hole")).isFalse();
    assertThat(map.insert(0xfeeff000L, 2 * PAGE, "out of the hole")).isFalse();
    assertThat(map.insert(0xfedff000L, PAGE, "below")).isTrue();
    assertThat(map.insert(0xfef00000L, PAGE, "above")).isTrue();
    assertThat(free(map)).containsExactly("0-fedfefff", "fef01000-ffffffff");
    assertThat(map.at(0xfee00000L)).isNull();
    assertThat(map.firstFrom(0xfee00000L)).isEqualTo(0xfef00000L);
  }

  @Test
  void neverMapsAcrossRangesThatTouch() {
    var map = mapWith(PAGE, 2 * PAGE - 1, 2 * PAGE, 3 * PAGE - 1);
    assertThat(allocate(map, 2 * PAGE, PAGE)).isEqualTo(IovaMap.NONE);
    assertThat(map.insert(PAGE, 2 * PAGE, "both")).isFalse();
    assertThat(free(map)).containsExactly("1000-1fff", "2000-2fff");
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(PAGE);
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(2 * PAGE);
    assertThat(map.remove(2 * PAGE)).isEqualTo("owner");
    assertThat(map.remove(PAGE)).isEqualTo("owner");
    assertThat(free(map)).containsExactly("1000-1fff", "2000-2fff");
  }

  @Test
  void keepsToTheBoundsOfADeviceWithFewAddressBits() {
    var map = mapWith(0x10000, -1);
    assertThat(map.allocate(PAGE, PAGE, 0x12345, -1, "a")).isEqualTo(0x13000);
    assertThat(map.allocate(2 * PAGE, PAGE, 0, 0x11fff, "b")).isEqualTo(0x10000);
    assertThat(map.allocate(PAGE, PAGE, 0, 0x12ffe, "c")).isEqualTo(IovaMap.NONE);
    assertThat(map.allocate(PAGE, PAGE, 0, 0x12fff, "c")).isEqualTo(0x12000);
    assertThat(map.allocate(PAGE, PAGE, 0x13000, 0x13fff, "d")).isEqualTo(IovaMap.NONE);
    assertThat(map.nextFree(PAGE, PAGE, 1L << 40, -1)).isEqualTo(1L << 40);
    assertThat(mapped(map)).containsExactly("10000-11fff b", "12000-12fff c", "13000-13fff a");
  }

  @Test
  void looksUpMappingsByAnyOfTheirAddresses() {
    var map = mapWith(0x10000, 0x1ffff);
    assertThat(map.insert(0x12000, 2 * PAGE, "a")).isTrue();
    assertThat(map.at(0x11fff)).isNull();
    assertThat(map.at(0x12000)).isEqualTo("a");
    assertThat(map.at(0x13fff)).isEqualTo("a");
    assertThat(map.at(0x14000)).isNull();
    assertThat(map.startAt(0x13fff)).isEqualTo(0x12000);
    assertThat(map.lastAt(0x12000)).isEqualTo(0x13fff);
    assertThatThrownBy(() -> map.startAt(0x11fff))
        .isInstanceOf(NoSuchElementException.class)
        .hasMessage("nothing is mapped at 0x11fff");
    assertThatThrownBy(() -> map.lastAt(0x14000)).isInstanceOf(NoSuchElementException.class);
    assertThat(map.overlaps(0, 0x12000)).isFalse();
    assertThat(map.overlaps(0, 0x12001)).isTrue();
    assertThat(map.overlaps(0x13fff, 1)).isTrue();
    assertThat(map.overlaps(0x14000, 0x10000)).isFalse();
    assertThat(map.remove(0x13000)).isNull();
    assertThat(map.remove(0x10000)).isNull();
    assertThat(map.size()).isEqualTo(1);
  }

  @Test
  void addsAndRemovesRangesWhileInUse() {
    var map = mapWith(0x10000, 0x1ffff);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map.addRange(0x1f000, 0x2ffff))
        .withMessage("0x1f000-0x2ffff overlaps 0x10000-0x1ffff");
    assertThatIllegalArgumentException().isThrownBy(() -> map.addRange(0, -1));
    assertThatIllegalArgumentException().isThrownBy(() -> map.addRange(0x12000, 0x12fff));
    assertThatIllegalArgumentException().isThrownBy(() -> map.addRange(0x20001, 0x20000));
    map.addRange(1L << 59, (1L << 59) + MIB - 1);
    assertThat(allocate(map, MIB, MIB)).isEqualTo(1L << 59);
    assertThatIllegalStateException()
        .isThrownBy(() -> map.removeRange(1L << 59, (1L << 59) + MIB - 1))
        .withMessage("something is mapped in the range 0x800000000000000-0x8000000000fffff");
    assertThatIllegalArgumentException().isThrownBy(() -> map.removeRange(0x10000, 0x1fffe));
    assertThatIllegalArgumentException().isThrownBy(() -> map.removeRange(0x10001, 0x1ffff));
    map.removeRange(0x10000, 0x1ffff);
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(IovaMap.NONE);
    assertThat(map.remove(1L << 59)).isEqualTo("owner");
    assertThat(allocate(map, PAGE, PAGE)).isEqualTo(1L << 59);
  }

  @Test
  void refusesSizesAndAlignmentsThatMakeNoSense() {
    var map = mapWith(0x10000, 0x1ffff);
    assertThatIllegalArgumentException().isThrownBy(() -> allocate(map, 0, PAGE));
    assertThatIllegalArgumentException().isThrownBy(() -> allocate(map, PAGE, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> allocate(map, PAGE, 3 * PAGE));
    assertThatIllegalArgumentException().isThrownBy(() -> map.insert(0x10000, 0, "a"));
    assertThatIllegalArgumentException().isThrownBy(() -> map.overlaps(0x10000, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> map.overlaps(-1, 2));
    assertThat(map.insert(-1, 2, "a")).isFalse();
    assertThat(map.size()).isZero();
  }

  // Against the naive model

  /** One call; the numbers are taken modulo whatever there is when it is made. */
  private record Call(Kind kind, long where, int size, int alignment, int bound) {}

  private enum Kind {
    ALLOCATE,
    INSERT,
    REMOVE,
    ADD_RANGE,
    REMOVE_RANGE,
    ASK
  }

  /** A kind of space: what sizes, alignments and fixed addresses are multiples of, and more. */
  private record Space(
      String name,
      long granule,
      List<Long> ranges,
      int maxSize,
      int maxAlignment,
      int allocations) {}

  private static final List<Space> SPACES =
      List.of(
          new Space("bytes at both ends", 1, List.of(0L, 99L, -300L, -201L, -200L, -1L), 9, 3, 5),
          new Space("everything", 1, List.of(0L, -1L), 40, 5, 6),
          new Space("odd, many alignments", 1, List.of(7L, 4000L, 5003L, 9001L), 20, 7, 7),
          new Space(
              "pages around the MSI window",
              PAGE,
              List.of(0xfe000000L, 0xfedfffffL, 0xfef00000L, 0xffffffffL),
              8,
              3,
              6),
          new Space("many pages", PAGE, List.of(0L, 0xfffffffL), 3, 1, 8));

  @Test
  void agreesWithANaiveModel() {
    for (var space : SPACES) {
      for (long seed = 0; seed < 12; seed++) {
        var calls = calls(space, new SplittableRandom(seed), 2_500);
        var wrong = difference(space, calls);
        if (wrong != null) {
          var few = shrink(space, calls);
          fail(
              "%s, seed %d: %s after%n%s",
              space.name(),
              seed,
              difference(space, few),
              String.join("\n", few.stream().map(Call::toString).toList()));
        }
      }
    }
  }

  /** Calls in phases, so that spaces fill up and empty again. */
  private static List<Call> calls(Space space, SplittableRandom random, int count) {
    var calls = new ArrayList<Call>();
    int allocations = space.allocations();
    while (calls.size() < count) {
      if (random.nextInt(400) == 0) {
        allocations = 10 - allocations;
      }
      int dice = random.nextInt(24);
      Kind kind =
          dice == 0 && random.nextInt(8) == 0
              ? Kind.ADD_RANGE
              : dice == 1 && random.nextInt(8) == 0
                  ? Kind.REMOVE_RANGE
                  : dice < 4
                      ? Kind.ASK
                      : random.nextInt(10) >= allocations
                          ? Kind.REMOVE
                          : dice < 10 ? Kind.INSERT : Kind.ALLOCATE;
      calls.add(
          new Call(
              kind,
              random.nextLong(),
              1 + random.nextInt(space.maxSize()),
              random.nextInt(space.maxAlignment() + 1),
              random.nextInt(8)));
    }
    return calls;
  }

  /** Leaves out what the difference does not need. */
  private static List<Call> shrink(Space space, List<Call> calls) {
    var few = new ArrayList<>(calls);
    for (int piece = few.size() / 2; piece > 0; piece /= 2) {
      for (int from = 0; from + piece <= few.size(); ) {
        var fewer = new ArrayList<>(few);
        fewer.subList(from, from + piece).clear();
        if (difference(space, fewer) != null) {
          few = fewer;
        } else {
          from += piece;
        }
      }
    }
    return few;
  }

  /** What map and model do differently, or null. */
  private static @Nullable String difference(Space space, List<Call> calls) {
    try {
      new Comparison(space).run(calls);
      return null;
    } catch (AssertionError | RuntimeException e) {
      return e.toString();
    }
  }

  private static final class Comparison {
    private final Space space;
    private final IovaMap<Integer> map = new IovaMap<>();
    private final NaiveMap model = new NaiveMap();
    private int owners;

    Comparison(Space space) {
      this.space = space;
      for (int i = 0; i < space.ranges().size(); i += 2) {
        addRange(space.ranges().get(i), space.ranges().get(i + 1));
      }
    }

    void run(List<Call> calls) {
      for (int i = 0; i < calls.size(); i++) {
        run(calls.get(i));
        if (i % 100 == 0) {
          compareAll();
        }
      }
      compareAll();
      while (!model.mappings.isEmpty()) {
        remove(model.mappings.size() / 2);
      }
      compareAll();
    }

    private void run(Call call) {
      long byteSize = call.size() * space.granule();
      int mappings = model.mappings.size();
      switch (call.kind()) {
        case ALLOCATE -> allocate(call, byteSize);
        case INSERT -> {
          long start = somewhere(call);
          Integer owner = owners++;
          assertThat(map.insert(start, byteSize, owner))
              .isEqualTo(model.insert(NaiveMap.extent(start, byteSize), owner));
        }
        case REMOVE -> {
          if (mappings > 0) {
            remove((int) Long.remainderUnsigned(call.where(), mappings));
          }
        }
        case ADD_RANGE -> {
          long start = somewhere(call);
          addRange(start, start + byteSize * 4 - 1);
        }
        case REMOVE_RANGE -> removeRange(call);
        case ASK -> ask(somewhere(call), byteSize);
      }
      assertThat(map.size()).isEqualTo(model.mappings.size());
    }

    /** An address near a mapping or in a range. */
    private long somewhere(Call call) {
      long pick = call.where() >>> 8;
      long offset = (call.where() & 15) - 4;
      if (call.bound() < 4 && !model.mappings.isEmpty()) {
        var near = model.mappings.get((int) (pick % model.mappings.size())).extent();
        return near.start().longValue() + offset * space.granule();
      }
      if (model.ranges.isEmpty()) {
        return offset * space.granule();
      }
      var range = model.ranges.get((int) (pick % model.ranges.size()));
      long granules =
          range.last().subtract(range.start()).longValue() / space.granule() & Long.MAX_VALUE;
      return range.start().longValue()
          + (call.bound() < 6 ? (pick >>> 8) % (Math.min(granules, 5_000) + 1) : offset)
              * space.granule();
    }

    private void allocate(Call call, long byteSize) {
      long alignment = space.granule() << call.alignment();
      long lowest = call.bound() < 2 ? somewhere(call) : 0;
      long highest = call.bound() % 4 == 1 ? lowest + (call.where() & 0xff) * space.granule() : -1;
      var expected =
          model.nextFree(
              NaiveMap.big(byteSize),
              NaiveMap.big(alignment),
              NaiveMap.big(lowest),
              NaiveMap.big(highest));
      assertThat(NaiveMap.big(map.nextFree(byteSize, alignment, lowest, highest)))
          .isEqualTo(expected);
      Integer owner = owners++;
      assertThat(NaiveMap.big(map.allocate(byteSize, alignment, lowest, highest, owner)))
          .isEqualTo(expected);
      if (expected.signum() > 0) {
        assertThat(model.insert(NaiveMap.extent(expected.longValue(), byteSize), owner)).isTrue();
      }
    }

    private void remove(int index) {
      var removed = model.mappings.remove(index);
      assertThat(map.remove(removed.extent().start().longValue())).isEqualTo(removed.owner());
    }

    private void addRange(long start, long last) {
      boolean added = model.addRange(new NaiveMap.Extent(NaiveMap.big(start), NaiveMap.big(last)));
      try {
        map.addRange(start, last);
        assertThat(added).isTrue();
      } catch (IllegalArgumentException e) {
        assertThat(added).isFalse();
      }
    }

    private void removeRange(Call call) {
      if (model.ranges.isEmpty()) {
        return;
      }
      var range = model.ranges.get((int) Long.remainderUnsigned(call.where(), model.ranges.size()));
      boolean used = model.isMapped(range);
      try {
        map.removeRange(range.start().longValue(), range.last().longValue());
        assertThat(used).isFalse();
        model.ranges.remove(range);
      } catch (IllegalStateException e) {
        assertThat(used).isTrue();
      }
    }

    private void ask(long address, long byteSize) {
      var expected = model.at(NaiveMap.big(address));
      assertThat(map.at(address)).isEqualTo(expected == null ? null : expected.owner());
      if (expected != null) {
        assertThat(NaiveMap.big(map.startAt(address))).isEqualTo(expected.extent().start());
        assertThat(NaiveMap.big(map.lastAt(address))).isEqualTo(expected.extent().last());
      }
      var next = model.firstFrom(NaiveMap.big(address));
      assertThat(NaiveMap.big(map.firstFrom(address)))
          .isEqualTo(next == null ? BigInteger.ZERO : next.extent().start());
      if (Long.compareUnsigned(address + byteSize - 1, address) >= 0) {
        assertThat(map.overlaps(address, byteSize))
            .isEqualTo(model.isMapped(NaiveMap.extent(address, byteSize)));
      }
    }

    private void compareAll() {
      assertThat(free(map))
          .isEqualTo(model.free().stream().map(NaiveMap.Extent::toString).toList());
      assertThat(mapped(map))
          .isEqualTo(model.mappings.stream().map(m -> m.extent() + " " + m.owner()).toList());
    }
  }

  // Against a bit per page

  /** A map of pages 0 and up in one range, and a bit for each page that is taken. */
  private static final class Pages {
    private final int count;
    private final IovaMap<Integer> map = new IovaMap<>();
    private final BitSet taken = new BitSet();

    /** By number of first page, how many pages; in no order. */
    private final int[] starts;

    private final int[] sizes;

    /** By first page, where in {@link #starts} it is, or -1. */
    private final int[] places;

    private int live;

    Pages(int count) {
      this.count = count;
      starts = new int[count];
      sizes = new int[count];
      places = new int[count];
      Arrays.fill(places, -1);
      map.addRange(0, count * PAGE - 1);
      taken.set(0);
    }

    int firstFit(int pages, int alignment, int lowest) {
      int page = Math.ceilDiv(lowest, alignment) * alignment;
      while (page + pages <= count) {
        int next = taken.nextSetBit(page);
        if (next < 0 || next >= page + pages) {
          return page;
        }
        page = Math.ceilDiv(taken.nextClearBit(next), alignment) * alignment;
      }
      return 0;
    }

    long allocate(int pages, int alignment, int lowest) {
      long start = map.allocate(pages * PAGE, alignment * PAGE, lowest * PAGE, -1, live);
      if (start != IovaMap.NONE) {
        int page = (int) (start / PAGE);
        int next = taken.nextSetBit(page);
        assertThat(next < 0 || next >= page + pages).as("page %d is free", page).isTrue();
        taken.set(page, page + pages);
        starts[live] = page;
        sizes[live] = pages;
        places[page] = live;
        live++;
      }
      return start;
    }

    void remove(int i) {
      int page = starts[i];
      assertThat(map.remove(page * PAGE)).isNotNull();
      taken.clear(page, page + sizes[i]);
      live--;
      starts[i] = starts[live];
      sizes[i] = sizes[live];
      places[starts[i]] = i;
      places[page] = -1;
    }

    /** Removes, in address order, most of the mappings between two pages. */
    void removeFrom(int from, int to, SplittableRandom random) {
      for (int page = from; page < Math.min(to, count); page++) {
        if (places[page] >= 0 && random.nextInt(50) > 0) {
          remove(places[page]);
        }
      }
    }

    void compareAll() {
      var seen = new BitSet();
      seen.set(0);
      map.forEach(
          (start, last, owner) -> {
            int page = (int) (start / PAGE);
            int end = (int) ((last + 1) / PAGE);
            assertThat(seen.nextSetBit(page)).isEqualTo(-1);
            seen.set(page, end);
          });
      assertThat(seen).isEqualTo(taken);
      assertThat(map.size()).isEqualTo(live);
      var free = new BitSet();
      map.forEachFree((start, last) -> free.set((int) (start / PAGE), (int) ((last + 1) / PAGE)));
      free.clear(0);
      free.flip(0, count);
      assertThat(free).isEqualTo(taken);
    }
  }

  @Test
  void takesTheFirstFitInADeepTree() {
    for (long seed = 0; seed < 3; seed++) {
      var random = new SplittableRandom(seed);
      var pages = new Pages(60_000);
      for (int step = 0; step < 150_000; step++) {
        boolean growing = step / 30_000 % 2 == 0;
        if (random.nextInt(20) < (growing ? 17 : 8) || pages.live == 0) {
          int size = random.nextInt(40) == 0 ? 1 + random.nextInt(32) : 1 + random.nextInt(2);
          int alignment = random.nextInt(8) == 0 ? 1 << random.nextInt(6) : 1;
          int lowest = random.nextInt(4) == 0 ? random.nextInt(60_000) : 1;
          assertThat(pages.firstFit(size, alignment, lowest) * PAGE)
              .as("seed %d, step %d", seed, step)
              .isEqualTo(pages.allocate(size, alignment, lowest));
        } else {
          pages.remove(random.nextInt(pages.live));
        }
        if (step % 20_000 == 19_999) {
          int from = random.nextInt(60_000);
          pages.removeFrom(from, from + random.nextInt(30_000), random);
          pages.compareAll();
        }
      }
    }
  }

  @Test
  void keepsAMillionLiveMappings() {
    int million = 1_000_000;
    var random = new SplittableRandom(1);
    var pages = new Pages(4 * million);
    while (pages.live < million) {
      allocateSome(pages, random);
    }
    pages.compareAll();
    for (int step = 0; step < million; step++) {
      pages.remove(random.nextInt(pages.live));
      boolean checked = step % 1_000 == 0;
      int expected = checked ? pages.firstFit(1, 1, 1) : 0;
      long start = checked ? pages.allocate(1, 1, 1) : allocateSome(pages, random);
      if (checked) {
        assertThat(start).isEqualTo(expected * PAGE);
      }
    }
    pages.compareAll();
    for (int step = 0; step < million; step++) {
      int i = random.nextInt(pages.live);
      if (step % 16 == 0) {
        long last = (pages.starts[i] + pages.sizes[i]) * PAGE - 1;
        assertThat(pages.map.startAt(last)).isEqualTo(pages.starts[i] * PAGE);
        assertThat(pages.map.lastAt(pages.starts[i] * PAGE)).isEqualTo(last);
      }
      pages.remove(i);
    }
    pages.compareAll();
    assertThat(free(pages.map)).containsExactly("0-%x".formatted(4L * million * PAGE - 1));
    assertThat(pages.allocate(4 * million - 1, 1, 1)).isEqualTo(PAGE);
  }

  /** Mostly one page, sometimes 16, now and then 512. */
  private static long allocateSome(Pages pages, SplittableRandom random) {
    int dice = random.nextInt(10_000);
    return pages.allocate(dice < 2 ? 512 : dice < 300 ? 16 : 1, 1, 1);
  }
}
