// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A struct of the kernel or of a protocol.
 *
 * @param layout the struct as the C compiler lays it out, with the names that its members have in C
 * @param start where its first member is in the memory that its fields are read from, in bytes: 0,
 *     or behind what stands before it, as the payload of a message does
 * @param fields those that jvfio reads or writes, in the order of C
 * @param sized the field that holds the size of the struct, if there is one
 */
public record Struct(
    StructLayout layout, long start, List<Field> fields, Optional<Field.U32> sized) {
  /** Copies the fields. */
  public Struct {
    fields = List.copyOf(fields);
  }

  /** Size in bytes. */
  public long byteSize() {
    return layout.byteSize();
  }

  /** Memory for a struct: zeros, and its size where it has a field for that. */
  public MemorySegment allocate(SegmentAllocator allocator) {
    var struct = allocator.allocate(layout);
    sized.ifPresent(field -> field.set(struct, (int) byteSize()));
    return struct;
  }

  /** The same struct so many bytes further behind. */
  public Struct behind(long bytes) {
    return new Struct(
        layout,
        start + bytes,
        fields.stream().map(field -> field.behind(bytes)).toList(),
        sized.map(field -> field.behind(bytes)));
  }

  /** Begins the declaration of a struct that has this name in C. */
  public static Builder named(String name) {
    return new Builder(name, 0);
  }

  /** The same for a struct that starts elsewhere than at 0, in bytes. */
  public static Builder named(String name, long start) {
    return new Builder(name, start);
  }

  /**
   * Declares the members of a struct one behind the other. Nothing is padded in silence: a member
   * out of alignment is refused by the layout.
   */
  public static final class Builder {
    private final String name;
    private final long start;
    private final List<Field> fields = new ArrayList<>();
    private final List<MemoryLayout> outer = new ArrayList<>();
    private List<MemoryLayout> members = outer;
    private String group = "";
    private long offset;
    private Optional<Field.U32> sized = Optional.empty();

    private Builder(String name, long start) {
      this.name = name;
      this.start = start;
      this.offset = start;
    }

    private long add(MemoryLayout member) {
      long at = offset;
      members.add(member);
      offset += member.byteSize();
      return at;
    }

    private long named(ValueLayout type, String field) {
      return add(type.withName(field));
    }

    private <F extends Field> F field(F field) {
      fields.add(field);
      return field;
    }

    /** A field of 8 bits. */
    public Field.U8 u8(String field) {
      return field(new Field.U8(field, named(Layouts.U8, field)));
    }

    /** A field of 16 bits. */
    public Field.U16 u16(String field) {
      return field(new Field.U16(field, named(Layouts.U16, field)));
    }

    /** A field of 32 bits. */
    public Field.U32 u32(String field) {
      return field(new Field.U32(field, named(Layouts.U32, field)));
    }

    /** A field of 64 bits. */
    public Field.U64 u64(String field) {
      return field(new Field.U64(field, named(Layouts.U64, field)));
    }

    /** A field of 32 bits that holds the size of the struct, in bytes. */
    public Field.U32 byteSize(String field) {
      var size = u32(field);
      sized = Optional.of(size);
      return size;
    }

    /** A member of 8 bits that jvfio leaves alone. */
    public Builder unused8(String member) {
      named(Layouts.U8, member);
      return this;
    }

    /** A member of 16 bits that jvfio leaves alone. */
    public Builder unused16(String member) {
      named(Layouts.U16, member);
      return this;
    }

    /** A member of 32 bits that jvfio leaves alone. */
    public Builder unused32(String member) {
      named(Layouts.U32, member);
      return this;
    }

    /** A member of 64 bits that jvfio leaves alone. */
    public Builder unused64(String member) {
      named(Layouts.U64, member);
      return this;
    }

    /** Bytes without a name, or whose names do not matter. */
    public Builder padding(long byteSize) {
      add(MemoryLayout.paddingLayout(byteSize));
      return this;
    }

    /** A member that is a struct declared elsewhere. */
    public Builder nested(String member, Struct struct) {
      add(struct.layout().withName(member));
      return this;
    }

    /** Begins a member that is a struct, whose members are declared next. */
    public Builder begin(String member) {
      group = member;
      members = new ArrayList<>();
      return this;
    }

    /** Ends what {@link #begin} began. */
    public Builder end() {
      outer.add(MemoryLayout.structLayout(members.toArray(MemoryLayout[]::new)).withName(group));
      members = outer;
      return this;
    }

    /** The struct. */
    public Struct build() {
      var layout = MemoryLayout.structLayout(outer.toArray(MemoryLayout[]::new)).withName(name);
      return new Struct(layout, start, fields, sized);
    }
  }
}
