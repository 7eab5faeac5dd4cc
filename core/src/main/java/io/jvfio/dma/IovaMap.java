// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import java.util.Arrays;
import java.util.NoSuchElementException;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The live mappings of a DMA space and the free addresses between them, within valid ranges.
 * Addresses are unsigned and ranges inclusive; a mapping may end at the last address, 2^64 - 1.
 * Sizes are in bytes and unsigned as well. A mapping lies within one range, even where two touch.
 *
 * <p>Every operation on one mapping takes logarithmic time and allocates nothing, except when the
 * tables grow or shrink by a factor, which copies them. Not safe for use by several threads at
 * once, not even for reading.
 *
 * @param <T> what a mapping belongs to
 */
public final class IovaMap<T> {
  /*
   * A B+ tree in arrays of primitives. A leaf has entries in address order; an entry is a mapping
   * and the free bytes that follow it up to the next mapping or the end of its range. So that the
   * free bytes in front of a range's first mapping have an entry as well, each range begins with
   * one that has no bytes, its head; a mapping at the range's start comes right after the head and
   * has the same start. Looking for the last entry that starts at or below an address therefore
   * finds the mapping or gap with this address, or the entry below an invalid address.
   *
   * Head of a range that starts at 0: its free bytes are counted from address 1, since allocate()
   * never hands out 0. That also keeps the free bytes of the largest possible range, 2^64 - 1,
   * within a long. Mapping at 0 is left to insert(), which treats it apart.
   *
   * Inner nodes have for each child the start of its first entry (the key; that of child 0 is not
   * kept up to date, since nothing looks at it) and its largest gap. First fit follows the first
   * child whose gap is large enough. Leaves know by a bit each which entries have any free bytes:
   * in a space that is well used, few do.
   *
   * Alignment: a gap that is large enough may still have no aligned address with enough bytes after
   * it, and if many gaps were like that, the search would become a scan. So inner nodes know the
   * largest gap for each of several alignments ("columns"), counted from the first aligned address:
   * then the first child that is promising does have room, and the search takes one path. Column 0
   * is alignment 1, and serves all alignments as long as every gap begins aligned; other columns
   * are added when an allocation first needs them. Beyond COLUMNS, the column of the next smaller
   * alignment is used, whose promise may be broken: the result is the same, the search may be long.
   *
   * Deletion joins a node that has become small with a neighbour where both fit well into one, and
   * never moves entries from one to the other. So nodes may be less than half full, but not more
   * than the most entries since the tables were last copied made, and the height stays logarithmic
   * in those.
   */

  /** What {@link #allocate} returns when there is no room: it never hands out address 0. */
  public static final long NONE = 0;

  /** Entries of a leaf: as many as an int has bits. */
  private static final int LEAF = 32;

  /** Children of an inner node. */
  private static final int FAN = 64;

  // An entry is four longs side by side: start, end (exclusive), free bytes, place of the owner.
  private static final int END = 1;
  private static final int FREE = 2;
  private static final int PLACE = 3;
  private static final int ENTRY = 4;
  private static final int BLOCK = LEAF * ENTRY;

  /** More levels than 2^31 leaves need, however few children the nodes have. */
  private static final int LEVELS = 32;

  /** Inner nodes that one entry more may need, and some. */
  private static final int SPARE = 8;

  /**
   * A search in a leaf first looks at every so many entries: so that of each cache line, two
   * entries, it reads something without waiting for another. With many mappings it is what is not
   * in a cache that takes the time.
   */
  private static final int STRIDE = 2;

  /** As {@link #STRIDE}, for the keys of an inner node, of which eight are in a cache line. */
  private static final int KEY_STRIDE = 8;

  private static final int COLUMNS = 4;

  /** Tables of no more leaves are not worth shrinking. */
  private static final int FEW = 64;

  /** The start of entries not in use, and the key of children. */
  private static final long NO_ENTRY = -1;

  /** The place of the owner of heads, which have none. */
  private static final long HEAD = -1;

  private final TreeMap<Long, Long> ranges = new TreeMap<>(Long::compareUnsigned);
  private int size;

  private long[] leaves = {};

  /** Owners of mappings, which stay in their place when their entry moves: one per entry. */
  private @Nullable Object[] owners = {};

  /** The first {@link #unusedPlaces} are the places in {@link #owners} that have none. */
  private int[] places = {};

  private int unusedPlaces;

  /** Entries of each leaf in use; for others the next leaf that is not in use. */
  private int[] leafSizes = {};

  /** For each leaf, which entries have free bytes; bit 0 is the first. */
  private int[] roomy = {};

  private int unusedLeaf;
  private int usedLeaves;

  private long[] keys = {};
  private int[] children = {};

  /** As {@link #leafSizes}, for inner nodes. */
  private int[] innerSizes = {};

  private int unusedInner;
  private int usedInner;

  /** The largest gap of each child, by column. */
  private final long[][] gaps = new long[COLUMNS][];

  private final long[] alignments = new long[COLUMNS];
  private int columns = 1;

  /** All first addresses of gaps, combined by OR: its trailing zeros are those of all. */
  private long gapStarts;

  private int root;

  /** Levels of inner nodes; the leaves are level 0, the root is level {@code height}. */
  private int height;

  // The way from the root to an entry: at each level the node, and which child or entry of it.
  private final int[] node = new int[LEVELS];
  private final int[] slot = new int[LEVELS];

  /** A map without any valid range. */
  public IovaMap() {
    alignments[0] = 1;
    rebuild();
  }

  /** Takes mappings. */
  @FunctionalInterface
  public interface Visitor<T> {
    /** A mapping from {@code start} to {@code last}, both inclusive. */
    void visit(long start, long last, T owner);
  }

  /** Takes free addresses. */
  @FunctionalInterface
  public interface FreeVisitor {
    /** All addresses from {@code start} to {@code last}, both inclusive, are free. */
    void visit(long start, long last);
  }

  /**
   * Makes the addresses from {@code start} to {@code last} valid and free.
   *
   * @throws IllegalArgumentException if {@code last} is below {@code start}, or an address is
   *     already valid
   */
  public void addRange(long start, long last) {
    if (Long.compareUnsigned(start, last) > 0) {
      throw new IllegalArgumentException(text(start, last) + " ends before it starts");
    }
    var below = ranges.floorEntry(last);
    if (below != null && Long.compareUnsigned(below.getValue(), start) >= 0) {
      throw new IllegalArgumentException(
          text(start, last) + " overlaps " + text(below.getKey(), below.getValue()));
    }
    reserve();
    locate(start);
    ranges.put(start, last);
    long end = start == 0 ? 1 : start;
    long free = last - end + 1;
    gapStarts |= start;
    makeRoom();
    add(start, end, free, HEAD);
    for (int column = 0; column < columns; column++) {
      regap(column, 0, room(column, end, free));
    }
  }

  /**
   * Makes the addresses of a range that was added before invalid again.
   *
   * @throws IllegalArgumentException if no range was added with these bounds
   * @throws IllegalStateException if something is mapped in it
   */
  public void removeRange(long start, long last) {
    Long known = ranges.get(start);
    if (known == null || known != last) {
      throw new IllegalArgumentException("there is no range " + text(start, last));
    }
    locate(start);
    int at = position();
    if (leaves[at + PLACE] != HEAD || leaves[at + END] + leaves[at + FREE] != last + 1) {
      throw new IllegalStateException("something is mapped in the range " + text(start, last));
    }
    ranges.remove(start);
    delete();
    shrink();
  }

  /**
   * Maps {@code byteSize} bytes at the lowest free address that is a multiple of {@code alignment},
   * at least {@code lowest}, not 0, and such that no byte is above {@code highest}.
   *
   * @param alignment a power of two
   * @return the address, or {@link #NONE} when there is no room
   */
  public long allocate(long byteSize, long alignment, long lowest, long highest, T owner) {
    reserve();
    long start = seek(byteSize, alignment, lowest, highest);
    if (start != NONE) {
      take(start, byteSize, owner);
    }
    return start;
  }

  /** What {@link #allocate} would return; takes nothing. */
  public long nextFree(long byteSize, long alignment, long lowest, long highest) {
    return seek(byteSize, alignment, lowest, highest);
  }

  /**
   * Maps {@code byteSize} bytes at {@code start}, which may be 0.
   *
   * @return false, and nothing is changed, if one of the bytes is mapped already or they are not
   *     all within one valid range
   */
  public boolean insert(long start, long byteSize, T owner) {
    checkSize(byteSize);
    reserve();
    if (!locate(start)) {
      return false;
    }
    int at = position();
    long free = leaves[at + FREE];
    if (start == 0) {
      if (leaves[at + PLACE] != HEAD || Long.compareUnsigned(byteSize - 1, free) > 0) {
        return false;
      }
    } else {
      // Below the gap, so in a mapping, the offset wraps around to more than there is free.
      long offset = start - leaves[at + END];
      if (Long.compareUnsigned(offset, free) >= 0
          || Long.compareUnsigned(byteSize, free - offset) > 0) {
        return false;
      }
    }
    take(start, byteSize, owner);
    return true;
  }

  /**
   * Removes the mapping that starts at {@code start}.
   *
   * @return its owner, or null if no mapping starts there
   */
  public @Nullable T remove(long start) {
    if (!locate(start)) {
      return null;
    }
    int at = position();
    if (leaves[at] != start || leaves[at + PLACE] == HEAD) {
      return null;
    }
    T owner = owner(at);
    int place = (int) leaves[at + PLACE];
    owners[place] = null;
    places[unusedPlaces++] = place;
    long limit = leaves[at + END] + leaves[at + FREE];
    size--;
    if (slot[0] > 0) {
      removeEntry(node[0], slot[0]);
      slot[0]--;
      widen(limit);
      thin(0);
    } else {
      delete();
      locate(start);
      widen(limit);
    }
    shrink();
    return owner;
  }

  /** The owner of the mapping that contains {@code address}, or null if it is not mapped. */
  public @Nullable T at(long address) {
    return find(address) ? owner(position()) : null;
  }

  /**
   * The first address of the mapping that contains {@code address}.
   *
   * @throws NoSuchElementException if it is not mapped
   */
  public long startAt(long address) {
    require(address);
    return leaves[position()];
  }

  /**
   * The last address of the mapping that contains {@code address}.
   *
   * @throws NoSuchElementException if it is not mapped
   */
  public long lastAt(long address) {
    require(address);
    return leaves[position() + END] - 1;
  }

  /**
   * Whether one of {@code byteSize} bytes at {@code start} is mapped.
   *
   * @throws IllegalArgumentException if there are no bytes, or they go beyond the last address
   */
  public boolean overlaps(long start, long byteSize) {
    checkSize(byteSize);
    long last = start + byteSize - 1;
    if (Long.compareUnsigned(last, start) < 0) {
      throw new IllegalArgumentException(
          "0x%x bytes at 0x%x go beyond the last address".formatted(byteSize, start));
    }
    if (find(start)) {
      return true;
    }
    long next = firstFrom(start);
    return next != NONE && Long.compareUnsigned(next, last) <= 0;
  }

  /**
   * The start of the first mapping that starts at {@code address} or above.
   *
   * @return {@link #NONE} if there is none. A mapping at 0 is only returned for address 0, where
   *     {@link #at} tells it from none.
   */
  public long firstFrom(long address) {
    if (locate(address)) {
      if (leaves[position()] == address && leaves[position() + PLACE] != HEAD) {
        return address;
      }
      slot[0]++;
    } else {
      slot[0] = 0;
    }
    while (true) {
      for (; slot[0] < leafSizes[node[0]]; slot[0]++) {
        if (leaves[position() + PLACE] != HEAD) {
          return leaves[position()];
        }
      }
      int level = 1;
      while (level <= height && slot[level] + 1 == innerSizes[node[level]]) {
        level++;
      }
      if (level > height) {
        return NONE;
      }
      slot[level]++;
      for (; level > 0; level--) {
        node[level - 1] = children[node[level] * FAN + slot[level]];
        slot[level - 1] = 0;
      }
    }
  }

  /** How many mappings there are. */
  public int size() {
    return size;
  }

  /** Visits the mappings in address order. The visitor must not use this map. */
  public void forEach(Visitor<T> visitor) {
    forEach(height, root, visitor);
  }

  private void forEach(int level, int from, Visitor<T> visitor) {
    if (level > 0) {
      for (int i = 0; i < innerSizes[from]; i++) {
        forEach(level - 1, children[from * FAN + i], visitor);
      }
      return;
    }
    int end = from * BLOCK + leafSizes[from] * ENTRY;
    for (int at = from * BLOCK; at < end; at += ENTRY) {
      if (leaves[at + PLACE] != HEAD) {
        visitor.visit(leaves[at], leaves[at + END] - 1, owner(at));
      }
    }
  }

  /**
   * Visits the free parts of the valid ranges, each as large as possible, in address order. The
   * visitor must not use this map.
   */
  public void forEachFree(FreeVisitor visitor) {
    boolean zeroIsFree = ranges.containsKey(0L) && !find(0);
    if (zeroIsFree && leaves[position() + FREE] == 0) {
      visitor.visit(0, 0);
    }
    forEachFree(height, root, zeroIsFree, visitor);
  }

  private void forEachFree(int level, int from, boolean zeroIsFree, FreeVisitor visitor) {
    if (level > 0) {
      for (int i = 0; i < innerSizes[from]; i++) {
        forEachFree(level - 1, children[from * FAN + i], zeroIsFree, visitor);
      }
      return;
    }
    int end = from * BLOCK + leafSizes[from] * ENTRY;
    for (int at = from * BLOCK; at < end; at += ENTRY) {
      long free = leaves[at + FREE];
      if (free != 0) {
        long start = leaves[at + END];
        visitor.visit(start == 1 && zeroIsFree ? 0 : start, start + free - 1);
      }
    }
  }

  // Finding

  /**
   * Goes to the last entry that starts at or below {@code address}.
   *
   * @return false if there is none; then the way leads to slot -1 of the first leaf
   */
  private boolean locate(long address) {
    int at = root;
    for (int level = height; level > 0; level--) {
      node[level] = at;
      int i = childFor(at, address);
      slot[level] = i;
      at = children[at * FAN + i];
    }
    node[0] = at;
    int i = entryFor(at, address);
    slot[0] = i;
    return i >= 0;
  }

  /** The last entry of a leaf that starts at or below {@code address}, or -1. */
  private int entryFor(int leaf, long address) {
    int at = leaf * BLOCK;
    int i = -1;
    for (int next = STRIDE; next < LEAF; next += STRIDE) {
      i = Long.compareUnsigned(leaves[at + (next - 1) * ENTRY], address) <= 0 ? next - 1 : i;
    }
    int from = at + (i + 1) * ENTRY;
    int more = 0;
    for (int next = 0; next < STRIDE; next++) {
      more = Long.compareUnsigned(leaves[from + next * ENTRY], address) <= 0 ? next + 1 : more;
    }
    return Math.min(i + more, leafSizes[leaf] - 1);
  }

  /** The child of an inner node in which {@link #locate} goes on. */
  private int childFor(int inner, long address) {
    int at = inner * FAN;
    int i = 0;
    for (int next = KEY_STRIDE; next < FAN; next += KEY_STRIDE) {
      i = Long.compareUnsigned(keys[at + next], address) <= 0 ? next : i;
    }
    int more = 0;
    for (int next = 1; next < KEY_STRIDE; next++) {
      more = Long.compareUnsigned(keys[at + i + next], address) <= 0 ? next : more;
    }
    return Math.min(i + more, innerSizes[inner] - 1);
  }

  /** Goes to the mapping that contains {@code address}, or the entry below; whether it does. */
  private boolean find(long address) {
    return locate(address)
        && leaves[position() + PLACE] != HEAD
        && Long.compareUnsigned(address, leaves[position() + END] - 1) <= 0;
  }

  private void require(long address) {
    if (!find(address)) {
      throw new NoSuchElementException("nothing is mapped at 0x%x".formatted(address));
    }
  }

  /** Goes to the entry with the gap that {@link #allocate} is to use, and returns the address. */
  private long seek(long byteSize, long alignment, long lowest, long highest) {
    checkSize(byteSize);
    if (Long.bitCount(alignment) != 1) {
      throw new IllegalArgumentException(
          "an alignment is a power of two, not 0x%x".formatted(alignment));
    }
    int column = columnFor(alignment);
    int level = height;
    node[level] = root;
    // On the edge, children and entries below the one with the lowest address do not count.
    boolean edge = lowest != 0;
    int from = !edge ? 0 : level > 0 ? childFor(root, lowest) : edgeEntry(root, lowest);
    while (true) {
      if (level > 0) {
        int inner = node[level];
        int i = firstRoomy(gaps[column], inner * FAN, from, innerSizes[inner], byteSize);
        if (i >= 0) {
          edge &= i == from;
          slot[level] = i;
          level--;
          int child = children[inner * FAN + i];
          node[level] = child;
          from = !edge ? 0 : level > 0 ? childFor(child, lowest) : edgeEntry(child, lowest);
          continue;
        }
      } else {
        int base = node[0] * BLOCK;
        int i = firstRoomyEntry(node[0], from, byteSize);
        while (i >= 0) {
          long end = leaves[base + i * ENTRY + END];
          long free = leaves[base + i * ENTRY + FREE];
          long first = Long.compareUnsigned(end, lowest) < 0 ? lowest : end;
          long offset = first - end + (-first & (alignment - 1));
          if (Long.compareUnsigned(offset, free) < 0
              && Long.compareUnsigned(byteSize, free - offset) <= 0) {
            slot[0] = i;
            long start = end + offset;
            return Long.compareUnsigned(start + byteSize - 1, highest) <= 0 ? start : NONE;
          }
          if (Long.compareUnsigned(end, highest) > 0) {
            return NONE;
          }
          i = firstRoomyEntry(node[0], i + 1, byteSize);
        }
      }
      if (level == height) {
        return NONE;
      }
      level++;
      from = slot[level] + 1;
      edge = false;
    }
  }

  private int edgeEntry(int leaf, long lowest) {
    return Math.max(entryFor(leaf, lowest), 0);
  }

  private int firstRoomyEntry(int leaf, int from, long byteSize) {
    int notBefore = from < LEAF ? -1 << from : 0;
    for (int left = roomy[leaf] & notBefore; left != 0; left &= left - 1) {
      int i = Integer.numberOfTrailingZeros(left);
      if (Long.compareUnsigned(leaves[leaf * BLOCK + i * ENTRY + FREE], byteSize) >= 0) {
        return i;
      }
    }
    return -1;
  }

  private static int firstRoomy(long[] values, int base, int from, int count, long byteSize) {
    for (int i = from; i < count; i++) {
      if (Long.compareUnsigned(values[base + i], byteSize) >= 0) {
        return i;
      }
    }
    return -1;
  }

  /** The column whose gaps to compare with; adds it where none says exactly what fits. */
  private int columnFor(long alignment) {
    if ((gapStarts & (alignment - 1)) == 0) {
      return 0;
    }
    int best = 0;
    for (int column = 1; column < columns; column++) {
      long known = alignments[column];
      if (known == alignment) {
        return column;
      }
      if (Long.compareUnsigned(known, alignment) < 0
          && Long.compareUnsigned(known, alignments[best]) > 0) {
        best = column;
      }
    }
    if (columns == COLUMNS) {
      return best;
    }
    alignments[columns] = alignment;
    columns++;
    rebuild();
    return columns - 1;
  }

  /** How much of the {@code free} bytes at {@code end} is left from the first aligned address. */
  private long room(int column, long end, long free) {
    long skipped = -end & (alignments[column] - 1);
    return Long.compareUnsigned(skipped, free) < 0 ? free - skipped : 0;
  }

  /** Where in {@link #leaves} the entry begins to which the way leads. */
  private int position() {
    return node[0] * BLOCK + slot[0] * ENTRY;
  }

  @SuppressWarnings("unchecked") // only take() stores owners
  private T owner(int at) {
    Object owner = owners[(int) leaves[at + PLACE]];
    if (owner == null) {
      throw new AssertionError("a mapping without an owner");
    }
    return (T) owner;
  }

  // Changing entries

  /** Adds a mapping in the gap of the entry to which the way leads. */
  private void take(long start, long byteSize, T owner) {
    makeRoom();
    int at = position();
    long gap = leaves[at + END];
    long free = leaves[at + FREE];
    long before = start == 0 ? 0 : start - gap;
    long end = start + byteSize;
    long after = gap + free - end;
    setFree(before);
    gapStarts |= end;
    int place = places[--unusedPlaces];
    owners[place] = owner;
    add(start, end, after, place);
    size++;
    for (int column = 0; column < columns; column++) {
      long left = room(column, gap, before);
      long right = room(column, end, after);
      regap(column, room(column, gap, free), larger(left, right));
    }
  }

  /** Makes sure that the leaf to which the way leads has room for an entry. */
  private void makeRoom() {
    if (leafSizes[node[0]] == LEAF) {
      split(0);
    }
  }

  private void setFree(long free) {
    leaves[position() + FREE] = free;
    int bit = 1 << slot[0];
    roomy[node[0]] = free == 0 ? roomy[node[0]] & ~bit : roomy[node[0]] | bit;
  }

  /** Adds an entry after the one to which the way leads. */
  private void add(long start, long end, long free, long place) {
    int leaf = node[0];
    int i = slot[0] + 1;
    int count = leafSizes[leaf];
    moveEntries(leaf, i, leaf, i + 1, count - i);
    leafSizes[leaf] = count + 1;
    int below = (1 << i) - 1;
    int bits = roomy[leaf];
    roomy[leaf] = (bits & below) | ((bits & ~below) << 1) | (free == 0 ? 0 : 1 << i);
    int at = leaf * BLOCK + i * ENTRY;
    leaves[at] = start;
    leaves[at + END] = end;
    leaves[at + FREE] = free;
    leaves[at + PLACE] = place;
  }

  /** Lets the gap of the entry to which the way leads reach up to {@code limit}, exclusive. */
  private void widen(long limit) {
    int at = position();
    long end = leaves[at + END];
    setFree(limit - end);
    for (int column = 0; column < columns; column++) {
      regap(column, 0, room(column, end, limit - end));
    }
  }

  /** Removes the entry to which the way leads, and its gap. */
  private void delete() {
    int leaf = node[0];
    int at = position();
    long end = leaves[at + END];
    long free = leaves[at + FREE];
    removeEntry(leaf, slot[0]);
    for (int column = 0; column < columns; column++) {
      regap(column, room(column, end, free), 0);
    }
    if (slot[0] == 0 && leafSizes[leaf] > 0) {
      rekey(1, leaves[leaf * BLOCK]);
    }
    thin(0);
  }

  private void removeEntry(int leaf, int i) {
    int count = leafSizes[leaf] - 1;
    moveEntries(leaf, i + 1, leaf, i, count - i);
    leafSizes[leaf] = count;
    leaves[leaf * BLOCK + count * ENTRY] = NO_ENTRY;
    int below = (1 << i) - 1;
    int bits = roomy[leaf];
    roomy[leaf] = (bits & below) | ((bits >>> 1) & ~below);
  }

  private void moveEntries(int leaf, int i, int toLeaf, int to, int count) {
    System.arraycopy(
        leaves, leaf * BLOCK + i * ENTRY, leaves, toLeaf * BLOCK + to * ENTRY, count * ENTRY);
  }

  /**
   * Tells the inner nodes on the way that in its leaf gaps were replaced.
   *
   * @param removed the largest of the old gaps, or 0 if one of the new is at least as large
   * @param added the largest of the new ones
   */
  private void regap(int column, long removed, long added) {
    long[] largest = gaps[column];
    long gone = removed;
    long come = added;
    for (int level = 1; level <= height; level++) {
      int at = node[level] * FAN + slot[level];
      long old = largest[at];
      if (Long.compareUnsigned(come, old) < 0) {
        if (gone != old) {
          return;
        }
        come = largest(level - 1, node[level - 1], column);
      }
      if (come == old) {
        return;
      }
      largest[at] = come;
      gone = old;
    }
  }

  private long largest(int level, int at, int column) {
    long largest = 0;
    if (level > 0) {
      long[] values = gaps[column];
      for (int i = at * FAN; i < at * FAN + innerSizes[at]; i++) {
        largest = larger(largest, values[i]);
      }
    } else {
      for (int left = roomy[at]; left != 0; left &= left - 1) {
        int i = at * BLOCK + Integer.numberOfTrailingZeros(left) * ENTRY;
        largest = larger(largest, room(column, leaves[i + END], leaves[i + FREE]));
      }
    }
    return largest;
  }

  private static long larger(long a, long b) {
    return Long.compareUnsigned(a, b) > 0 ? a : b;
  }

  /** Tells the inner nodes on the way, from {@code from} up, that what it leads to starts anew. */
  private void rekey(int from, long key) {
    for (int level = from; level <= height; level++) {
      if (slot[level] > 0) {
        keys[node[level] * FAN + slot[level]] = key;
        return;
      }
    }
  }

  // Changing nodes

  /** Splits the full node on the way; the way then leads through the half that has the place. */
  private void split(int level) {
    if (level == height) {
      int above = takeInner();
      children[above * FAN] = root;
      for (int column = 0; column < columns; column++) {
        gaps[column][above * FAN] = largest(level, root, column);
      }
      innerSizes[above] = 1;
      root = above;
      height++;
      node[height] = above;
      slot[height] = 0;
    } else if (innerSizes[node[level + 1]] == FAN) {
      split(level + 1);
    }
    int old = node[level];
    int count = level > 0 ? FAN : LEAF;
    // Filled from below to above, which first fit does at first, nodes are to become full.
    int kept = slot[level] == count - 1 ? count - 1 : count / 2;
    int added;
    long key;
    if (level > 0) {
      added = takeInner();
      moveChildren(old, kept, added, 0, count - kept);
      innerSizes[old] = kept;
      Arrays.fill(keys, old * FAN + kept, (old + 1) * FAN, NO_ENTRY);
      innerSizes[added] = count - kept;
      key = keys[added * FAN];
    } else {
      added = takeLeaf();
      moveEntries(old, kept, added, 0, count - kept);
      leafSizes[old] = kept;
      clear(old, kept);
      leafSizes[added] = count - kept;
      roomy[added] = roomy[old] >>> kept;
      roomy[old] &= (1 << kept) - 1;
      key = leaves[added * BLOCK];
    }
    int parent = node[level + 1];
    int i = slot[level + 1];
    moveChildren(parent, i + 1, parent, i + 2, innerSizes[parent] - i - 1);
    innerSizes[parent]++;
    int at = parent * FAN + i;
    keys[at + 1] = key;
    children[at + 1] = added;
    for (int column = 0; column < columns; column++) {
      gaps[column][at] = largest(level, old, column);
      gaps[column][at + 1] = largest(level, added, column);
    }
    if (slot[level] >= kept) {
      slot[level + 1]++;
      node[level] = added;
      slot[level] -= kept;
    }
  }

  /** Joins the node on the way with a neighbour if there is little left in it. */
  private void thin(int level) {
    int at = node[level];
    if (level == height) {
      if (level > 0 && innerSizes[at] == 1) {
        root = children[at * FAN];
        height--;
        giveInner(at);
      }
      return;
    }
    int full = level > 0 ? FAN : LEAF;
    int count = count(level, at);
    if (count > full / 4) {
      return;
    }
    int parent = node[level + 1];
    int i = slot[level + 1];
    int most = full - full / 4;
    if (count == 0) {
      give(level, at);
      removeChild(parent, i);
      if (i == 0 && innerSizes[parent] > 0) {
        rekey(level + 2, keys[parent * FAN]);
      }
    } else if (i + 1 < innerSizes[parent]
        && count + count(level, children[parent * FAN + i + 1]) <= most) {
      join(level, parent, i);
    } else if (i > 0 && count + count(level, children[parent * FAN + i - 1]) <= most) {
      join(level, parent, i - 1);
    } else {
      return;
    }
    thin(level + 1);
  }

  private int count(int level, int at) {
    return level > 0 ? innerSizes[at] : leafSizes[at];
  }

  /** Moves what child {@code i + 1} has to child {@code i}. */
  private void join(int level, int parent, int i) {
    int at = parent * FAN + i;
    int left = children[at];
    int right = children[at + 1];
    int count = count(level, left);
    int moved = count(level, right);
    if (level > 0) {
      keys[right * FAN] = keys[at + 1];
      moveChildren(right, 0, left, count, moved);
      innerSizes[left] = count + moved;
    } else {
      moveEntries(right, 0, left, count, moved);
      leafSizes[left] = count + moved;
      roomy[left] |= roomy[right] << count;
    }
    for (int column = 0; column < columns; column++) {
      gaps[column][at] = larger(gaps[column][at], gaps[column][at + 1]);
    }
    give(level, right);
    removeChild(parent, i + 1);
  }

  private void removeChild(int parent, int i) {
    innerSizes[parent]--;
    moveChildren(parent, i + 1, parent, i, innerSizes[parent] - i);
    keys[parent * FAN + innerSizes[parent]] = NO_ENTRY;
  }

  private void moveChildren(int inner, int i, int toInner, int to, int count) {
    int from = inner * FAN + i;
    int target = toInner * FAN + to;
    System.arraycopy(keys, from, keys, target, count);
    System.arraycopy(children, from, children, target, count);
    for (int column = 0; column < columns; column++) {
      System.arraycopy(gaps[column], from, gaps[column], target, count);
    }
  }

  private void clear(int leaf, int from) {
    for (int i = from; i < LEAF; i++) {
      leaves[leaf * BLOCK + i * ENTRY] = NO_ENTRY;
    }
  }

  private int takeLeaf() {
    int leaf = unusedLeaf;
    clear(leaf, 0);
    unusedLeaf = leafSizes[leaf];
    usedLeaves++;
    return leaf;
  }

  private int takeInner() {
    int inner = unusedInner;
    Arrays.fill(keys, inner * FAN, (inner + 1) * FAN, NO_ENTRY);
    unusedInner = innerSizes[inner];
    usedInner++;
    return inner;
  }

  private void give(int level, int at) {
    if (level > 0) {
      giveInner(at);
    } else {
      leafSizes[at] = unusedLeaf;
      unusedLeaf = at;
      usedLeaves--;
    }
  }

  private void giveInner(int inner) {
    innerSizes[inner] = unusedInner;
    unusedInner = inner;
    usedInner--;
  }

  // Changing tables

  /** Makes sure that there are nodes for one more entry. */
  private void reserve() {
    if (usedLeaves == leafSizes.length || usedInner + height + 1 > innerSizes.length) {
      rebuild();
    }
  }

  /** Gives memory back when few nodes are left. */
  private void shrink() {
    if (leafSizes.length > FEW && usedLeaves < leafSizes.length / 8) {
      rebuild();
    }
  }

  /**
   * Copies the entries in their order to new leaves, three quarters full, in tables that have room
   * for twice as many leaves, and makes the inner nodes anew.
   */
  private void rebuild() {
    int perLeaf = LEAF - LEAF / 4;
    int perInner = FAN - FAN / 4;
    int leafCount = Math.max(1, Math.ceilDiv(size + ranges.size(), perLeaf));
    int innerCount = 0;
    for (int n = leafCount; n > 1; ) {
      n = Math.ceilDiv(n, perInner);
      innerCount += n;
    }
    long[] oldLeaves = leaves;
    @Nullable Object[] oldOwners = owners;
    int[] oldSizes = leafSizes;
    int[] order = usedLeaves == 0 ? new int[0] : leavesInOrder();
    leaves = new long[Math.multiplyExact(2 * leafCount, BLOCK)];
    leafSizes = new int[2 * leafCount];
    roomy = new int[2 * leafCount];
    owners = new @Nullable Object[2 * leafCount * LEAF];
    places = new int[owners.length];
    int entry = 0;
    int place = 0;
    for (int leaf : order) {
      int end = leaf * BLOCK + oldSizes[leaf] * ENTRY;
      for (int from = leaf * BLOCK; from < end; from += ENTRY) {
        int at = entry / perLeaf * BLOCK + entry % perLeaf * ENTRY;
        System.arraycopy(oldLeaves, from, leaves, at, ENTRY);
        if (leaves[at + PLACE] != HEAD) {
          owners[place] = oldOwners[(int) leaves[at + PLACE]];
          leaves[at + PLACE] = place;
          place++;
        }
        if (leaves[at + FREE] != 0) {
          roomy[entry / perLeaf] |= 1 << entry % perLeaf;
        }
        leafSizes[entry / perLeaf]++;
        entry++;
      }
    }
    for (int leaf = 0; leaf < leafCount; leaf++) {
      clear(leaf, leafSizes[leaf]);
    }
    unusedPlaces = 0;
    for (int unused = owners.length - 1; unused >= place; unused--) {
      places[unusedPlaces++] = unused;
    }
    usedLeaves = leafCount;
    unusedLeaf = chain(leafSizes, leafCount);
    int inners = 2 * innerCount + SPARE;
    keys = new long[inners * FAN];
    Arrays.fill(keys, NO_ENTRY);
    children = new int[inners * FAN];
    innerSizes = new int[inners];
    for (int column = 0; column < columns; column++) {
      gaps[column] = new long[inners * FAN];
    }
    rebuildInners(leafCount, perInner);
    unusedInner = chain(innerSizes, usedInner);
  }

  private void rebuildInners(int leafCount, int perInner) {
    usedInner = 0;
    height = 0;
    int first = 0;
    int count = leafCount;
    while (count > 1) {
      for (int i = 0; i < count; i++) {
        int inner = usedInner + i / perInner;
        int at = inner * FAN + i % perInner;
        children[at] = first + i;
        keys[at] = height > 0 ? keys[(first + i) * FAN] : leaves[(first + i) * BLOCK];
        for (int column = 0; column < columns; column++) {
          gaps[column][at] = largest(height, first + i, column);
        }
        innerSizes[inner]++;
      }
      first = usedInner;
      count = Math.ceilDiv(count, perInner);
      usedInner += count;
      height++;
    }
    root = first;
  }

  /** Makes a list of the nodes from {@code first} on, which are not in use. */
  private static int chain(int[] sizes, int first) {
    for (int i = first; i < sizes.length; i++) {
      sizes[i] = i + 1;
    }
    return first;
  }

  private int[] leavesInOrder() {
    int[] level = {root};
    int count = 1;
    for (int l = height; l > 0; l--) {
      int[] below = new int[l > 1 ? usedInner : usedLeaves];
      int belowCount = 0;
      for (int i = 0; i < count; i++) {
        int inner = level[i];
        System.arraycopy(children, inner * FAN, below, belowCount, innerSizes[inner]);
        belowCount += innerSizes[inner];
      }
      level = below;
      count = belowCount;
    }
    return level;
  }

  private static void checkSize(long byteSize) {
    if (byteSize == 0) {
      throw new IllegalArgumentException("a mapping has at least one byte");
    }
  }

  private static String text(long start, long last) {
    return "0x%x-0x%x".formatted(start, last);
  }
}
