// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;

/**
 * {@code VFIO_USER_DMA_READ} and {@code VFIO_USER_DMA_WRITE}, commands and replies: the data follow
 * in the reply to a read and in the command to write.
 */
public final class DmaAccessMessage {
  private static final Struct.Builder FIELDS =
      Struct.named("vfio_user_dma_region_access", Header.SIZE);

  /** The IO virtual address of the first byte. */
  public static final U64 ADDRESS = FIELDS.u64("address");

  /** How many bytes. */
  public static final U64 COUNT = FIELDS.u64("count");

  /** The payload without what follows. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private DmaAccessMessage() {}
}
