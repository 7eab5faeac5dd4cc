package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * A part of a region that can be written through a descriptor: what follows {@link RegionIoFds} in
 * a reply. Source: "Sub-Region IO FD info format".
 *
 * <p>The specification has entries of {@link #SIZE} bytes. libvfio-user has {@link #SHADOW_SIZE},
 * with a place for the shadow of an ioeventfd and the value that signals behind it. The reply tells
 * which by its length, so every method takes the size of an entry.
 */
public final class SubRegion {
  /** Size of an entry as specified, in bytes. */
  public static final int SIZE = 40;

  /** Size of an entry that has room for a shadow, in bytes. */
  public static final int SHADOW_SIZE = 48;

  /** Type: an eventfd, signalled for each write. */
  public static final int IOEVENTFD = 0;

  /** Type: a descriptor that takes each access as a struct. */
  public static final int IOREGIONFD = 1;

  /** Type: an eventfd, and memory that has the value written last. */
  public static final int IOEVENTFD_SHADOW = 2;

  /** Flag: only a write of the value given signals. Source: {@code KVM_IOEVENTFD}. */
  public static final int DATAMATCH = 1;

  private static final long BYTE_SIZE_OFFSET = 8;
  private static final long FD_INDEX_OFFSET = 16;
  private static final long TYPE_OFFSET = 20;
  private static final long FLAGS_OFFSET = 24;
  private static final long SHADOW_FD_INDEX_OFFSET = 28;
  private static final long SHADOW_OFFSET_OFFSET = 32;

  private SubRegion() {}

  private static long entry(int index, int size) {
    return RegionIoFds.SIZE + (long) index * size;
  }

  /** The last field of an entry, whatever is before it. */
  private static long datamatchOffset(int index, int size) {
    return entry(index, size) + size - Long.BYTES;
  }

  /** Where in the region part {@code index} begins, in bytes. */
  public static long offset(MemorySegment message, int index, int size) {
    return message.get(Layouts.U64, entry(index, size));
  }

  /** Its size in bytes; 0 where the width of a write does not matter. */
  public static long byteSize(MemorySegment message, int index, int size) {
    return message.get(Layouts.U64, entry(index, size) + BYTE_SIZE_OFFSET);
  }

  /** Which of the descriptors of the message it is. */
  public static int fdIndex(MemorySegment message, int index, int size) {
    return message.get(Layouts.U32, entry(index, size) + FD_INDEX_OFFSET);
  }

  /** {@link #IOEVENTFD}, {@link #IOREGIONFD} or {@link #IOEVENTFD_SHADOW}. */
  public static int type(MemorySegment message, int index, int size) {
    return message.get(Layouts.U32, entry(index, size) + TYPE_OFFSET);
  }

  /** {@link #DATAMATCH}, or 0. */
  public static int flags(MemorySegment message, int index, int size) {
    return message.get(Layouts.U32, entry(index, size) + FLAGS_OFFSET);
  }

  /** The value that signals. */
  public static long datamatch(MemorySegment message, int index, int size) {
    return message.get(Layouts.U64, datamatchOffset(index, size));
  }

  /** Which of the descriptors of the message has the shadow, of {@link #SHADOW_SIZE} only. */
  public static int shadowFdIndex(MemorySegment message, int index) {
    return message.get(Layouts.U32, entry(index, SHADOW_SIZE) + SHADOW_FD_INDEX_OFFSET);
  }

  /** Where in that file the shadow is, of {@link #SHADOW_SIZE} only. */
  public static long shadowOffset(MemorySegment message, int index) {
    return message.get(Layouts.U64, entry(index, SHADOW_SIZE) + SHADOW_OFFSET_OFFSET);
  }

  /** Writes an entry, with no shadow. */
  public static void write(
      MemorySegment message,
      int index,
      int size,
      long offset,
      long byteSize,
      int fdIndex,
      int type,
      int flags,
      long datamatch) {
    long at = entry(index, size);
    message.asSlice(at, size).fill((byte) 0);
    message.set(Layouts.U64, at, offset);
    message.set(Layouts.U64, at + BYTE_SIZE_OFFSET, byteSize);
    message.set(Layouts.U32, at + FD_INDEX_OFFSET, fdIndex);
    message.set(Layouts.U32, at + TYPE_OFFSET, type);
    message.set(Layouts.U32, at + FLAGS_OFFSET, flags);
    message.set(Layouts.U64, datamatchOffset(index, size), datamatch);
  }

  /** Adds a shadow to an entry of {@link #SHADOW_SIZE}. */
  public static void writeShadow(
      MemorySegment message, int index, int shadowFdIndex, long shadowOffset) {
    long at = entry(index, SHADOW_SIZE);
    message.set(Layouts.U32, at + SHADOW_FD_INDEX_OFFSET, shadowFdIndex);
    message.set(Layouts.U64, at + SHADOW_OFFSET_OFFSET, shadowOffset);
  }
}
