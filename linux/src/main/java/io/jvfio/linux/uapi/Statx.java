package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct statx} of {@code linux/stat.h}: what the kernel tells of a file. */
public final class Statx {
  /** {@code STATX_TYPE}: the type within {@code stx_mode}. */
  public static final int STATX_TYPE = 1;

  /** {@code STATX_NLINK}: {@code stx_nlink}. */
  public static final int STATX_NLINK = 4;

  /** {@code STATX_SIZE}: {@code stx_size}. */
  public static final int STATX_SIZE = 0x200;

  /** {@code STATX_BLOCKS}: {@code stx_blocks}. */
  public static final int STATX_BLOCKS = 0x400;

  /** {@code STATX_DIOALIGN}: both alignments of direct transfers; since Linux 6.1. */
  public static final int STATX_DIOALIGN = 0x2000;

  /** The struct as the C compiler lays it out; what jvfio does not ask for is padding. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("stx_mask"),
              Layouts.U32.withName("stx_blksize"),
              MemoryLayout.paddingLayout(8),
              Layouts.U32.withName("stx_nlink"),
              MemoryLayout.paddingLayout(8),
              Layouts.U16.withName("stx_mode"),
              MemoryLayout.paddingLayout(10),
              Layouts.U64.withName("stx_size"),
              Layouts.U64.withName("stx_blocks"),
              MemoryLayout.paddingLayout(96),
              Layouts.U32.withName("stx_dio_mem_align"),
              Layouts.U32.withName("stx_dio_offset_align"),
              MemoryLayout.paddingLayout(96))
          .withName("statx");

  private static final long MASK_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("stx_mask"));
  private static final long BLKSIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("stx_blksize"));
  private static final long NLINK_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("stx_nlink"));
  private static final long MODE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("stx_mode"));
  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("stx_size"));
  private static final long BLOCKS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("stx_blocks"));
  private static final long DIO_MEM_ALIGN_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("stx_dio_mem_align"));
  private static final long DIO_OFFSET_ALIGN_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("stx_dio_offset_align"));

  private Statx() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code stx_mask}: what the kernel has told of. */
  public static int mask(MemorySegment struct) {
    return struct.get(Layouts.U32, MASK_OFFSET);
  }

  /** Reads {@code stx_blksize}: the preferred unit of transfers. */
  public static int blksize(MemorySegment struct) {
    return struct.get(Layouts.U32, BLKSIZE_OFFSET);
  }

  /** Reads {@code stx_nlink}: how many names the file has. */
  public static int nlink(MemorySegment struct) {
    return struct.get(Layouts.U32, NLINK_OFFSET);
  }

  /** Reads {@code stx_mode}: its type and permissions. */
  public static short mode(MemorySegment struct) {
    return struct.get(Layouts.U16, MODE_OFFSET);
  }

  /** Reads {@code stx_size}: the size of its content. */
  public static long size(MemorySegment struct) {
    return struct.get(Layouts.U64, SIZE_OFFSET);
  }

  /** Reads {@code stx_blocks}: the space that it takes, in units of 512 bytes. */
  public static long blocks(MemorySegment struct) {
    return struct.get(Layouts.U64, BLOCKS_OFFSET);
  }

  /** Reads {@code stx_dio_mem_align}: the alignment of memory for direct transfers. */
  public static int dioMemAlign(MemorySegment struct) {
    return struct.get(Layouts.U32, DIO_MEM_ALIGN_OFFSET);
  }

  /** Reads {@code stx_dio_offset_align}: the alignment of offsets for direct transfers. */
  public static int dioOffsetAlign(MemorySegment struct) {
    return struct.get(Layouts.U32, DIO_OFFSET_ALIGN_OFFSET);
  }
}
