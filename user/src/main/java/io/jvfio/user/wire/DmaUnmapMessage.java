// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;

/**
 * {@code VFIO_USER_DMA_UNMAP}, command and reply. With {@link #GET_DIRTY_BITMAP} a bitmap follows,
 * described by {@link DirtyBitmap}.
 */
public final class DmaUnmapMessage {
  /** Flag: which pages were written is wanted in the reply. */
  public static final int GET_DIRTY_BITMAP = 1;

  /** Flag: everything, whatever address and size say, which are 0. */
  public static final int ALL = 2;

  private static final Struct.Builder FIELDS = Struct.named("vfio_user_dma_unmap", Header.SIZE);

  /**
   * The most bytes of payload that the sender takes as a reply; in a reply, those that it needs.
   */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /**
   * {@link #GET_DIRTY_BITMAP} and {@link #ALL}, which older versions of the protocol have, or 0.
   */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The IO virtual address of the first byte. */
  public static final U64 ADDRESS = FIELDS.u64("address");

  /** In bytes. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** The payload without what follows. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private DmaUnmapMessage() {}
}
