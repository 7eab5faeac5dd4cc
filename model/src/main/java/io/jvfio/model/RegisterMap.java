// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import static io.jvfio.linux.uapi.LittleEndian.LE8;

import io.jvfio.linux.uapi.LittleEndian;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.IntToLongFunction;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A declaration of what is behind a BAR: registers by name, arrays of them, ranges of memory, and
 * what becomes of accesses where there is none of these.
 *
 * <p>Values are little-endian, as on the bus. An access of a register's own width is one call of
 * its handler. A wider one is split: each register in it is read or written whole, in ascending
 * order. A narrower one reads the register and takes its part; what a narrower write does is
 * declared ({@link Builder#partialWrites}), and so is which widths reach a register at all ({@link
 * Builder#accessWidths}).
 *
 * <p>Where nothing is declared bytes read as zero or as ones, and writes are ignored or refused;
 * the same holds for reads of what can only be written, for writes of what can only be read, and
 * for widths that do not reach a register.
 *
 * <p>An access takes one look into a table and allocates nothing. Not safe for use by several
 * threads at once, as a device model is not.
 */
public final class RegisterMap {
  private static final int PAGE_SHIFT = 10;
  private static final int PAGE_SIZE = 1 << PAGE_SHIFT;
  private static final int LARGEST = 1 << 30;

  private final String name;
  private final int byteSize;
  private final boolean readsOnes;
  private final boolean refusesWrites;

  /** Which part each byte belongs to; pages without any, or of one memory only, are shared. */
  private final @Nullable Part[][] pages;

  private final List<Part> parts;

  /** The accesses to a register that software is allowed. */
  public enum Access {
    /** Writes find nothing there. */
    READ_ONLY,
    /** Reads find nothing there. */
    WRITE_ONLY,
    /** Both. */
    READ_WRITE,
    /** Ones that are written clear their bit, zeros do nothing. */
    WRITE_ONE_TO_CLEAR;

    boolean isRead() {
      return this != WRITE_ONLY;
    }

    boolean isWritten() {
      return this != READ_ONLY;
    }
  }

  /** The values that bytes read as where there is nothing to read. */
  public enum Unmapped {
    /** All bits 0. */
    ZEROS,
    /** All bits 1, as a bus reads where nobody answers. */
    ONES
  }

  /** The effects of a write to some of a register's bytes. */
  public enum PartialWrite {
    /**
     * The other bytes keep what they read as, or are 0 where the register cannot be read or ones
     * clear it.
     */
    MERGED,
    /** The other bytes are 0. */
    ZERO_EXTENDED,
    /** Nothing. */
    IGNORED
  }

  /** Takes what is written to one of an array of registers. */
  @FunctionalInterface
  public interface IndexedWrite {
    /** Takes the value for the register of an index, counted from 0. */
    void write(int index, long value);
  }

  /**
   * A declaration.
   *
   * @param offset of the first byte
   * @param width of one register in bytes; 1 for memory
   * @param count how many registers there are, or bytes of memory
   * @param stride from the start of one to that of the next, in bytes
   * @param resetValue what it holds after a reset, where the map keeps its value
   */
  public record Register(
      String name,
      long offset,
      int width,
      int count,
      int stride,
      Access access,
      OptionalLong resetValue) {
    @Override
    public String toString() {
      return "%s at 0x%x, %d bytes%s, %s%s"
          .formatted(
              name,
              offset,
              width,
              count == 1 ? "" : ", %d of them 0x%x apart".formatted(count, stride),
              access,
              resetValue.isPresent()
                  ? ", 0x%x after a reset".formatted(resetValue.getAsLong())
                  : "");
    }
  }

  private RegisterMap(Builder builder) {
    name = builder.name;
    byteSize = builder.byteSize;
    readsOnes = builder.unmapped == Unmapped.ONES;
    refusesWrites = builder.refusesWrites;
    parts = builder.parts.stream().sorted(Comparator.comparingInt(part -> part.offset)).toList();
    var entered = new @Nullable Part[(byteSize + PAGE_SIZE - 1) >>> PAGE_SHIFT] @Nullable [];
    for (var part : parts) {
      enter(part, entered);
    }
    var empty = new @Nullable Part[PAGE_SIZE];
    pages = new @Nullable Part[entered.length][];
    for (int i = 0; i < entered.length; i++) {
      var page = entered[i];
      pages[i] = page == null ? empty : page;
    }
  }

  private void enter(Part part, @Nullable Part[] @Nullable [] entered) {
    @Nullable Part @Nullable [] full = null;
    for (int at = part.offset; at < part.end(); ) {
      int page = at >>> PAGE_SHIFT;
      int inPage = at & (PAGE_SIZE - 1);
      var owners = entered[page];
      boolean fillsPage = inPage == 0 && part.stride == part.width && part.end() - at >= PAGE_SIZE;
      if (owners == null && fillsPage) {
        if (full == null) {
          full = new @Nullable Part[PAGE_SIZE];
          Arrays.fill(full, part);
        }
        entered[page] = full;
        at += PAGE_SIZE;
        continue;
      }
      if (owners == null) {
        owners = new @Nullable Part[PAGE_SIZE];
        entered[page] = owners;
      }
      if ((at - part.offset) % part.stride < part.width) {
        var other = owners[inPage];
        if (other != null) {
          throw new IllegalArgumentException(
              "%s: %s overlaps %s".formatted(name, part.described(), other.described()));
        }
        owners[inPage] = part;
      }
      at++;
    }
  }

  /**
   * Begins the map of a BAR.
   *
   * @param name what messages call it
   * @param byteSize of the BAR: a power of two, at most 1 GiB
   */
  public static Builder builder(String name, long byteSize) {
    return new Builder(name, byteSize);
  }

  /** Its name in messages. */
  public String name() {
    return name;
  }

  /** The length in bytes. */
  public long byteSize() {
    return byteSize;
  }

  /** Lists all that is declared, in ascending order of offset. */
  public List<Register> describe() {
    return parts.stream().map(Part::describe).toList();
  }

  /** Reads as software does; parameters as for {@link DeviceModel#read}. */
  public long read(long offset, int width) {
    int at = checked(offset, width);
    var part = part(at);
    if (part != null && part.contains(at, width)) {
      return part.reads(width) ? part.read(at, width) : nothing(width);
    }
    long value = 0;
    for (int done = 0; done < width; ) {
      part = part(at + done);
      int piece = part == null ? 1 : part.width;
      long bytes = part != null && part.reads(width) ? part.read(at + done, piece) : nothing(piece);
      value |= bytes << (Byte.SIZE * done);
      done += piece;
    }
    return value;
  }

  /**
   * Writes as software does; parameters as for {@link DeviceModel#write}.
   *
   * @throws RefusedAccessException if some of it meets nothing that can be written, and the map was
   *     declared to refuse that
   */
  public void write(long offset, int width, long value) {
    int at = checked(offset, width);
    var part = part(at);
    if (part != null && part.contains(at, width)) {
      if (part.writes(width)) {
        part.write(at, width, value);
      } else if (refusesWrites) {
        throw refused(at, width);
      }
      return;
    }
    if (refusesWrites) {
      requireWritable(at, width);
    }
    for (int done = 0; done < width; ) {
      part = part(at + done);
      int piece = part == null ? 1 : part.width;
      if (part != null && part.writes(width)) {
        part.write(at + done, piece, value >>> (Byte.SIZE * done) & mask(piece));
      }
      done += piece;
    }
  }

  private void requireWritable(int at, int width) {
    for (int i = 0; i < width; i++) {
      var part = part(at + i);
      if (part == null || !part.writes(width)) {
        throw refused(at, width);
      }
    }
  }

  private RefusedAccessException refused(int at, int width) {
    var part = part(at);
    return new RefusedAccessException(
        "%s: a write of %d bytes at 0x%x, where %s"
            .formatted(
                name,
                width,
                at,
                part == null
                    ? "there is no register"
                    : "%s cannot be written so".formatted(part.described())));
  }

  /**
   * The value of a register that the map keeps, as the device sees it.
   *
   * @throws IllegalArgumentException if the map keeps no register at {@code offset}
   */
  public long value(long offset) {
    return kept(offset).value;
  }

  /** Sets a register that the map keeps, as the device does: whatever software may do with it. */
  public void value(long offset, long value) {
    var register = kept(offset);
    register.value = value & mask(register.width);
  }

  private Kept kept(long offset) {
    if (offset >= 0
        && offset < byteSize
        && part((int) offset) instanceof Kept register
        && register.offset == offset) {
      return register;
    }
    throw new IllegalArgumentException("%s keeps no register at 0x%x".formatted(name, offset));
  }

  /** Gives every register that the map keeps its reset value, and zeroes memory of its own. */
  public void reset() {
    parts.forEach(Part::reset);
  }

  private @Nullable Part part(int at) {
    return pages[at >>> PAGE_SHIFT][at & (PAGE_SIZE - 1)];
  }

  private int checked(long offset, int width) {
    if (width < 1 || width > Long.BYTES || Integer.bitCount(width) != 1) {
      throw new IllegalArgumentException("an access has 1, 2, 4 or 8 bytes, not " + width);
    }
    if (offset < 0 || offset > byteSize - width) {
      throw new IndexOutOfBoundsException(
          "%s: offset 0x%x, width %d, of %d bytes".formatted(name, offset, width, byteSize));
    }
    if (offset % width != 0) {
      throw new IllegalArgumentException(
          "%s: offset 0x%x is not aligned to %d bytes".formatted(name, offset, width));
    }
    return (int) offset;
  }

  private long nothing(int width) {
    return readsOnes ? mask(width) : 0;
  }

  private static long mask(int width) {
    return -1L >>> (Long.SIZE - Byte.SIZE * width);
  }

  /** A declaration at work. An access that gets here lies in one register, or in the memory. */
  private abstract static class Part {
    final String name;
    final int offset;
    final int width;
    final int count;
    final int stride;
    final Access access;
    final int narrowest;
    final int widest;
    final PartialWrite partialWrite;

    Part(
        Builder builder,
        String name,
        long offset,
        int width,
        int count,
        int stride,
        Access access) {
      this.name = name;
      this.offset = (int) offset;
      this.width = width;
      this.count = count;
      this.stride = stride;
      this.access = access;
      this.narrowest = builder.narrowest;
      this.widest = builder.widest;
      this.partialWrite = builder.partialWrite;
    }

    /** After its last byte. */
    final int end() {
      return offset + (count - 1) * stride + width;
    }

    /** Whether an access that begins in it ends in the same register: all are aligned. */
    boolean contains(int at, int accessWidth) {
      return accessWidth <= width;
    }

    final boolean reads(int accessWidth) {
      return access.isRead() && accessWidth >= narrowest && accessWidth <= widest;
    }

    final boolean writes(int accessWidth) {
      return access.isWritten() && accessWidth >= narrowest && accessWidth <= widest;
    }

    long read(int at, int accessWidth) {
      int index = (at - offset) / stride;
      int shift = Byte.SIZE * (at - offset - index * stride);
      return (load(index) >>> shift) & mask(accessWidth);
    }

    void write(int at, int accessWidth, long value) {
      int index = (at - offset) / stride;
      if (accessWidth == width) {
        store(index, value & mask(width));
        return;
      }
      if (partialWrite == PartialWrite.IGNORED) {
        return;
      }
      int shift = Byte.SIZE * (at - offset - index * stride);
      long mask = mask(accessWidth);
      boolean isMerged = partialWrite == PartialWrite.MERGED && access == Access.READ_WRITE;
      long others = isMerged ? load(index) & mask(width) & ~(mask << shift) : 0;
      store(index, others | (value & mask) << shift);
    }

    /** The value of a whole register; bits beyond its width may be anything. */
    abstract long load(int index);

    /** Takes what is written to a whole register. */
    abstract void store(int index, long value);

    void reset() {}

    OptionalLong resetValue() {
      return OptionalLong.empty();
    }

    Register describe() {
      return new Register(name, offset, width, count, stride, access, resetValue());
    }

    String described() {
      return "'%s' (0x%x to 0x%x)".formatted(name, offset, end() - 1);
    }
  }

  /** Registers that the device keeps, or a single one. */
  private static final class Handled extends Part {
    private final IntToLongFunction read;
    private final IndexedWrite write;

    Handled(
        Builder builder,
        String name,
        long offset,
        int width,
        int count,
        int stride,
        Access access,
        IntToLongFunction read,
        IndexedWrite write) {
      super(builder, name, offset, width, count, stride, access);
      this.read = read;
      this.write = write;
    }

    @Override
    long load(int index) {
      return read.applyAsLong(index);
    }

    @Override
    void store(int index, long value) {
      write.write(index, value);
    }
  }

  /** A register that the map keeps. */
  private static final class Kept extends Part {
    private final long resetValue;
    private final LongConsumer written;
    private long value;

    Kept(
        Builder builder,
        String name,
        long offset,
        int width,
        Access access,
        long resetValue,
        LongConsumer written) {
      super(builder, name, offset, width, 1, width, access);
      this.resetValue = resetValue;
      this.written = written;
      this.value = resetValue;
    }

    @Override
    long load(int index) {
      return value;
    }

    @Override
    void store(int index, long newValue) {
      value = access == Access.WRITE_ONE_TO_CLEAR ? value & ~newValue : newValue;
      written.accept(newValue);
    }

    @Override
    void reset() {
      value = resetValue;
    }

    @Override
    OptionalLong resetValue() {
      return OptionalLong.of(resetValue);
    }
  }

  /** Plain memory, in which a register is a byte, and an access has any width. */
  private static final class Memory extends Part {
    private final MemorySegment bytes;
    private final boolean isOwn;

    Memory(Builder builder, String name, long offset, MemorySegment bytes, boolean isOwn) {
      super(
          builder,
          name,
          offset,
          1,
          (int) bytes.byteSize(),
          1,
          bytes.isReadOnly() ? Access.READ_ONLY : Access.READ_WRITE);
      this.bytes = bytes;
      this.isOwn = isOwn;
    }

    @Override
    boolean contains(int at, int accessWidth) {
      return at + accessWidth <= end();
    }

    @Override
    long read(int at, int accessWidth) {
      return LittleEndian.load(bytes, (long) at - offset, accessWidth);
    }

    @Override
    void write(int at, int accessWidth, long value) {
      LittleEndian.store(bytes, (long) at - offset, accessWidth, value);
    }

    @Override
    long load(int index) {
      return bytes.get(LE8, index);
    }

    @Override
    void store(int index, long value) {
      bytes.set(LE8, index, (byte) value);
    }

    @Override
    void reset() {
      if (isOwn) {
        bytes.fill((byte) 0);
      }
    }
  }

  @Override
  public String toString() {
    return "%s, 0x%x bytes with %s"
        .formatted(name, byteSize, parts.stream().map(part -> part.name).toList());
  }

  /**
   * A map in the making. A declaration that leaves the BAR, is not aligned to its width or has the
   * name of another is refused at once, with an {@link IllegalArgumentException}; one that overlaps
   * another by {@link #build}, with one that names both.
   */
  public static final class Builder {
    private final String name;
    private final int byteSize;
    private final List<Part> parts = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private Unmapped unmapped = Unmapped.ZEROS;
    private boolean refusesWrites;
    private int narrowest = 1;
    private int widest = Long.BYTES;
    private PartialWrite partialWrite = PartialWrite.MERGED;

    private Builder(String name, long byteSize) {
      if (byteSize < 1 || byteSize > LARGEST || Long.bitCount(byteSize) != 1) {
        throw new IllegalArgumentException(
            "%s: a BAR's size is a power of two of up to %d bytes, not %d"
                .formatted(name, LARGEST, byteSize));
      }
      this.name = name;
      this.byteSize = (int) byteSize;
    }

    /** Sets what bytes read as where there is nothing to read; zero unless this is called. */
    public Builder unmapped(Unmapped reads) {
      unmapped = reads;
      return this;
    }

    /**
     * Refuses writes that meet nothing to be written, with a {@link RefusedAccessException}; they
     * are ignored unless this is called.
     */
    public Builder refuseUnmappedWrites() {
      refusesWrites = true;
      return this;
    }

    /**
     * Sets which widths of access reach what is declared after this; all unless this is called.
     *
     * @param least bytes: 1, 2, 4 or 8
     * @param most bytes
     */
    public Builder accessWidths(int least, int most) {
      requireWidth("accesses", least);
      requireWidth("accesses", most);
      if (least > most) {
        throw new IllegalArgumentException(
            "%s: no access has at least %d and at most %d bytes".formatted(name, least, most));
      }
      narrowest = least;
      widest = most;
      return this;
    }

    /** Sets what writes to a part of a register do, for registers that are declared after this. */
    public Builder partialWrites(PartialWrite does) {
      partialWrite = does;
      return this;
    }

    /**
     * A register whose value the map keeps.
     *
     * @param width 1, 2, 4 or 8 bytes, to which {@code offset} is aligned
     * @param resetValue what it holds until it is written, and after {@link RegisterMap#reset}
     */
    public Builder register(
        String register, long offset, int width, Access access, long resetValue) {
      return register(register, offset, width, access, resetValue, _ -> {});
    }

    /**
     * A register whose value the map keeps, and of whose writes the device is told afterwards.
     *
     * @param written takes what was written
     */
    public Builder register(
        String register,
        long offset,
        int width,
        Access access,
        long resetValue,
        LongConsumer written) {
      requireRegister(register, offset, width);
      if ((resetValue & ~mask(width)) != 0) {
        throw new IllegalArgumentException(
            "%s: reset value 0x%x of '%s' does not fit into %d bytes"
                .formatted(name, resetValue, register, width));
      }
      return add(new Kept(this, register, offset, width, access, resetValue, written));
    }

    /** A register that software can read. */
    public Builder readOnly(String register, long offset, int width, LongSupplier read) {
      return handled(register, offset, width, Access.READ_ONLY, read, _ -> {});
    }

    /** A register that software can write. */
    public Builder writeOnly(String register, long offset, int width, LongConsumer write) {
      return handled(register, offset, width, Access.WRITE_ONLY, () -> 0, write);
    }

    /** A register that software can read and write. */
    public Builder readWrite(
        String register, long offset, int width, LongSupplier read, LongConsumer write) {
      return handled(register, offset, width, Access.READ_WRITE, read, write);
    }

    /**
     * A register of which software clears bits by writing ones.
     *
     * @param clear takes the bits to be cleared
     */
    public Builder writeOneToClear(
        String register, long offset, int width, LongSupplier read, LongConsumer clear) {
      return handled(register, offset, width, Access.WRITE_ONE_TO_CLEAR, read, clear);
    }

    private Builder handled(
        String register,
        long offset,
        int width,
        Access access,
        LongSupplier read,
        LongConsumer write) {
      requireRegister(register, offset, width);
      return add(
          new Handled(
              this,
              register,
              offset,
              width,
              1,
              width,
              access,
              _ -> read.getAsLong(),
              (_, value) -> write.accept(value)));
    }

    /**
     * Registers of one kind that software can read.
     *
     * @param count how many
     * @param stride from the start of one to that of the next: a multiple of {@code width}; what is
     *     between them is free for others
     */
    public Builder array(
        String register, long offset, int width, int count, int stride, IntToLongFunction read) {
      return indexed(register, offset, width, count, stride, Access.READ_ONLY, read, (_, _) -> {});
    }

    /** Registers of one kind that software can write. */
    public Builder array(
        String register, long offset, int width, int count, int stride, IndexedWrite write) {
      return indexed(register, offset, width, count, stride, Access.WRITE_ONLY, _ -> 0, write);
    }

    /** Registers of one kind that software can read and write. */
    public Builder array(
        String register,
        long offset,
        int width,
        int count,
        int stride,
        IntToLongFunction read,
        IndexedWrite write) {
      return indexed(register, offset, width, count, stride, Access.READ_WRITE, read, write);
    }

    private Builder indexed(
        String register,
        long offset,
        int width,
        int count,
        int stride,
        Access access,
        IntToLongFunction read,
        IndexedWrite write) {
      requireRegister(register, offset, width);
      if (count < 1 || stride < width || stride % width != 0) {
        throw new IllegalArgumentException(
            "%s: '%s' cannot be %d registers of %d bytes, one every %d"
                .formatted(name, register, count, width, stride));
      }
      requireInside(register, offset, (count - 1L) * stride + width);
      return add(new Handled(this, register, offset, width, count, stride, access, read, write));
    }

    /** Declares zeroed memory that software can read and write. */
    public Builder memory(String memory, long offset, int bytes) {
      return memory(memory, offset, MemorySegment.ofArray(new byte[bytes]), true);
    }

    /**
     * Declares memory of the device's, which software can write unless the segment is read-only.
     */
    public Builder memory(String memory, long offset, MemorySegment bytes) {
      return memory(memory, offset, bytes, false);
    }

    private Builder memory(String memory, long offset, MemorySegment bytes, boolean isOwn) {
      requireInside(memory, offset, bytes.byteSize());
      return add(new Memory(this, memory, offset, bytes, isOwn));
    }

    /**
     * The map.
     *
     * @throws IllegalArgumentException if two declarations overlap
     */
    public RegisterMap build() {
      return new RegisterMap(this);
    }

    private Builder add(Part part) {
      if (part.offset % part.width != 0) {
        throw new IllegalArgumentException(
            "%s: '%s' at 0x%x is not aligned to its %d bytes"
                .formatted(name, part.name, part.offset, part.width));
      }
      if (!names.add(part.name)) {
        throw new IllegalArgumentException(
            "%s: there are two declarations of the name '%s'".formatted(name, part.name));
      }
      parts.add(part);
      return this;
    }

    private void requireRegister(String register, long offset, int width) {
      requireWidth("'" + register + "'", width);
      requireInside(register, offset, width);
    }

    private void requireWidth(String what, int width) {
      if (width < 1 || width > Long.BYTES || Integer.bitCount(width) != 1) {
        throw new IllegalArgumentException(
            "%s: %s of %d bytes; there are 1, 2, 4 and 8".formatted(name, what, width));
      }
    }

    private void requireInside(String what, long offset, long bytes) {
      if (bytes < 1 || offset < 0 || offset > byteSize - bytes) {
        throw new IllegalArgumentException(
            "%s: '%s' has %d bytes at 0x%x, of 0x%x that there are"
                .formatted(name, what, bytes, offset, byteSize));
      }
    }

    @Override
    public String toString() {
      return "builder of %s, 0x%x bytes with %s"
          .formatted(name, byteSize, parts.stream().map(part -> part.name).toList());
    }
  }
}
