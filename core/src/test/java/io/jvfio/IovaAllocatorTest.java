package io.jvfio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class IovaAllocatorTest {
  private static final long PAGE = 4096;

  @Test
  void neverHandsOutAddressZero() {
    var allocator = new IovaAllocator();
    allocator.add(new DmaWindow(0, 4 * PAGE - 1, PAGE));
    assertThat(allocator.allocate(PAGE, PAGE)).hasValue(PAGE);
  }

  @Test
  void findsNoRoomWhereThereIsNone() {
    var allocator = new IovaAllocator();
    allocator.add(new DmaWindow(0x10000, 0x10000 + 2 * PAGE - 1, PAGE));
    assertThat(allocator.allocate(3 * PAGE, PAGE)).isEmpty();
    assertThat(allocator.allocate(2 * PAGE, PAGE)).hasValue(0x10000);
    assertThat(allocator.allocate(PAGE, PAGE)).isEmpty();
  }

  @Test
  void usesTheLastPageOfTheAddressSpaceWithoutWrapping() {
    var allocator = new IovaAllocator();
    allocator.add(new DmaWindow(-2 * PAGE, -1, PAGE));
    assertThat(allocator.allocate(3 * PAGE, PAGE)).isEmpty();
    assertThat(allocator.allocate(PAGE, 2 * PAGE)).hasValue(-2 * PAGE);
    assertThat(allocator.allocate(PAGE, PAGE)).hasValue(-PAGE);
    assertThat(allocator.allocate(PAGE, PAGE)).isEmpty();
    allocator.free(-PAGE, PAGE);
    allocator.free(-2 * PAGE, PAGE);
    assertThat(allocator.allocate(2 * PAGE, PAGE)).hasValue(-2 * PAGE);
  }

  @Test
  void agreesWithAMapOfPages() {
    for (long seed = 0; seed < 20; seed++) {
      agreesWithAMapOfPages(seed);
    }
  }

  /** Two windows of 64 pages with a hole between, and a bit for each page in use. */
  private static void agreesWithAMapOfPages(long seed) {
    var random = new SplittableRandom(seed);
    var allocator = new IovaAllocator();
    allocator.add(new DmaWindow(64 * PAGE, 128 * PAGE - 1, PAGE));
    allocator.add(new DmaWindow(192 * PAGE, 256 * PAGE - 1, PAGE));
    var used = new BitSet();
    used.set(0, 64);
    used.set(128, 192);
    used.set(256, 512);
    record Taken(int page, int pages) {}
    var live = new ArrayList<Taken>();
    for (int step = 0; step < 5_000; step++) {
      if (random.nextInt(3) > 0 || live.isEmpty()) {
        int pages = 1 + random.nextInt(12);
        int alignment = 1 << random.nextInt(4);
        var expected = firstFit(used, pages, alignment);
        var got = allocator.allocate(pages * PAGE, alignment * PAGE);
        assertThat(got.isPresent()).as("seed %d, step %d", seed, step).isEqualTo(expected >= 0);
        if (expected >= 0) {
          assertThat(got.getAsLong()).as("seed %d, step %d", seed, step).isEqualTo(expected * PAGE);
          used.set(expected, expected + pages);
          live.add(new Taken(expected, pages));
        }
      } else {
        var taken = live.remove(random.nextInt(live.size()));
        allocator.free(taken.page() * PAGE, taken.pages() * PAGE);
        used.clear(taken.page(), taken.page() + taken.pages());
      }
    }
  }

  private static int firstFit(BitSet used, int pages, int alignment) {
    for (int page = 0; page < 256; page += alignment) {
      int next = used.nextSetBit(page);
      if (next < 0 || next >= page + pages) {
        return page;
      }
    }
    return -1;
  }
}
