// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;
import java.lang.foreign.MemorySegment;

/**
 * A part of a region that can be written through a descriptor: what follows {@link RegionIoFds} in
 * a reply. Source: "Sub-Region IO FD info format".
 *
 * <p>The specification has entries of {@link #BYTES}. libvfio-user has {@link #SHADOW_BYTES}, with
 * a place for the shadow of an ioeventfd, and the value that signals behind it. The reply tells
 * which by its length. Fields are read at {@link #at} of the message.
 */
public final class SubRegion {
  /** Type: an eventfd, signalled for each write. */
  public static final int IOEVENTFD = 0;

  /** Type: a descriptor that takes each access as a struct. */
  public static final int IOREGIONFD = 1;

  /** Type: an eventfd, and memory that has the value written last. */
  public static final int IOEVENTFD_SHADOW = 2;

  /** Flag: only a write of the value given signals. Source: {@code KVM_IOEVENTFD}. */
  public static final int IS_MATCHED = 1;

  private static final Struct.Builder FIELDS = Struct.named("vfio_user_sub_region_ioeventfd");

  /** Where in the region the part begins, in bytes. */
  public static final U64 OFFSET = FIELDS.u64("offset");

  /** Its size in bytes; 0 where the width of a write does not matter. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** Which of the descriptors of the message it is. */
  public static final U32 FD_INDEX = FIELDS.u32("fd_index");

  /** {@link #IOEVENTFD}, {@link #IOREGIONFD} or {@link #IOEVENTFD_SHADOW}. */
  public static final U32 TYPE = FIELDS.u32("type");

  /** {@link #IS_MATCHED}, or 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /**
   * Which of the descriptors of the message has the shadow, in an entry of {@link #SHADOW_BYTES};
   * padding in others.
   */
  public static final U32 SHADOW_FD_INDEX = FIELDS.u32("shadow_mem_fd_index");

  /** Where in that file the shadow is. */
  public static final U64 SHADOW_OFFSET = FIELDS.u64("shadow_offset");

  /** The value that signals, of an entry of {@link #SHADOW_BYTES}; see {@link #datamatch}. */
  private static final U64 SHADOW_DATAMATCH = FIELDS.u64("datamatch");

  /** An entry that has room for a shadow. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of an entry that has room for a shadow, in bytes. */
  public static final int SHADOW_BYTES = (int) STRUCT.byteSize();

  /** Size of an entry as specified, in bytes: without {@link #SHADOW_OFFSET}. */
  public static final int BYTES = SHADOW_BYTES - Long.BYTES;

  private static final U64 DATAMATCH = SHADOW_DATAMATCH.behind(-Long.BYTES);

  private SubRegion() {}

  /** Where in the message the entry of this index is, if each has {@code bytes}. */
  public static long at(int index, int bytes) {
    return RegionIoFds.BYTES + (long) index * bytes;
  }

  /** The value that signals, which is the last field of entries of {@code bytes}. */
  public static U64 datamatch(int bytes) {
    return bytes == SHADOW_BYTES ? SHADOW_DATAMATCH : DATAMATCH;
  }

  /** Writes an entry, with no shadow. */
  public static void write(
      MemorySegment message,
      int index,
      int bytes,
      long offset,
      long byteSize,
      int fdIndex,
      int type,
      int flags,
      long datamatch) {
    long at = at(index, bytes);
    message.asSlice(at, bytes).fill((byte) 0);
    OFFSET.set(message, at, offset);
    SIZE.set(message, at, byteSize);
    FD_INDEX.set(message, at, fdIndex);
    TYPE.set(message, at, type);
    FLAGS.set(message, at, flags);
    datamatch(bytes).set(message, at, datamatch);
  }

  /** Adds a shadow to an entry of {@link #SHADOW_BYTES}. */
  public static void writeShadow(
      MemorySegment message, int index, int shadowFdIndex, long shadowOffset) {
    long at = at(index, SHADOW_BYTES);
    SHADOW_FD_INDEX.set(message, at, shadowFdIndex);
    SHADOW_OFFSET.set(message, at, shadowOffset);
  }
}
