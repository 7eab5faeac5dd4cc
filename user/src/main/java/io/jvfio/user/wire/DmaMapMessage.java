// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;

/**
 * The command {@code VFIO_USER_DMA_MAP}. A descriptor that comes with it lets the server map the
 * memory.
 */
public final class DmaMapMessage {
  /** Flag: the server may read the memory. */
  public static final int READABLE = 1;

  /** Flag: the server may write the memory. */
  public static final int WRITABLE = 2;

  /** Flag: the server is to map the descriptor, which must come with it. */
  public static final int MMAP = 4;

  /** Flag: the server is to read and write the descriptor, which must come with it. */
  public static final int FILE_IO = 8;

  private static final Struct.Builder FIELDS = Struct.named("vfio_user_dma_map", Header.SIZE);

  /** Size of the struct, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** {@link #READABLE} and {@link #WRITABLE}; {@link #MMAP} or {@link #FILE_IO}. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** Where in the file the memory begins, in bytes; 0 without a descriptor. */
  public static final U64 OFFSET = FIELDS.u64("offset");

  /** The IO virtual address of the first byte. */
  public static final U64 ADDRESS = FIELDS.u64("address");

  /** In bytes. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** The payload without what follows. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private DmaMapMessage() {}
}
