// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

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

  private static final Struct.Builder FIELDS = Struct.named("statx");

  /** What the kernel has told of. */
  public static final U32 MASK = FIELDS.u32("stx_mask");

  /** The preferred unit of transfers. */
  public static final U32 BLKSIZE = FIELDS.u32("stx_blksize");

  /** How many names the file has. */
  public static final U32 NLINK = FIELDS.padding(8).u32("stx_nlink");

  /** Its type and permissions. */
  public static final U16 MODE = FIELDS.padding(8).u16("stx_mode");

  /** The size of its content. */
  public static final U64 SIZE = FIELDS.padding(10).u64("stx_size");

  /** The space that it takes, in units of 512 bytes. */
  public static final U64 BLOCKS = FIELDS.u64("stx_blocks");

  /** The alignment of memory for direct transfers. */
  public static final U32 DIO_MEM_ALIGN = FIELDS.padding(96).u32("stx_dio_mem_align");

  /** The alignment of offsets for direct transfers. */
  public static final U32 DIO_OFFSET_ALIGN = FIELDS.u32("stx_dio_offset_align");

  /** The struct as the C compiler lays it out; what jvfio does not ask for is padding. */
  public static final Struct STRUCT = FIELDS.padding(96).build();

  private Statx() {}
}
