// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_USER_REGION_WRITE_MULTI}, command and reply: in the command {@link Entry entries}
 * follow, each a write of at most 8 bytes.
 */
public final class WriteMulti {
  /** The most bytes that an entry writes. */
  public static final int MAX_COUNT = 8;

  private static final Struct.Builder FIELDS =
      Struct.named("vfio_user_region_write_multi", Header.SIZE);

  /** How many entries follow, or were carried out. */
  public static final U64 COUNT = FIELDS.u64("wr_cnt");

  /** The payload without entries. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message without entries, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private WriteMulti() {}

  /** A write; its fields are read at {@link #at} of the message. */
  public static final class Entry {
    private static final Struct.Builder FIELDS = Struct.named("vfio_user_region_write_multi_entry");

    /** Where in the region, in bytes. */
    public static final U64 OFFSET = FIELDS.u64("offset");

    /** The index of the region. */
    public static final U32 REGION = FIELDS.u32("region");

    /** How many bytes of {@link #DATA} are written, as an unsigned number. */
    public static final U32 COUNT = FIELDS.u32("count");

    /** The bytes, from the first of the field on. */
    public static final U64 DATA = FIELDS.u64("data");

    /** The struct. */
    public static final Struct STRUCT = FIELDS.build();

    /** Size of an entry, in bytes. */
    public static final int BYTES = (int) STRUCT.byteSize();

    private Entry() {}

    /** Where in the message the entry of this index is. */
    public static long at(int index) {
      return WriteMulti.BYTES + (long) index * BYTES;
    }

    /** Where in the message the bytes of the entry of this index are. */
    public static long data(int index) {
      return at(index) + DATA.offset();
    }

    /** Writes the entry of this index, without its bytes. */
    public static void write(
        MemorySegment message, int index, long offset, int region, int byteCount) {
      OFFSET.set(message, at(index), offset);
      REGION.set(message, at(index), region);
      COUNT.set(message, at(index), byteCount);
    }
  }
}
