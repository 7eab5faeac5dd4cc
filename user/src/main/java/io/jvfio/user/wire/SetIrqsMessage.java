// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Struct;
import io.jvfio.linux.uapi.VfioIrqSet;

/**
 * The command {@code VFIO_USER_DEVICE_SET_IRQS}: booleans may follow; eventfds come as descriptors.
 */
public final class SetIrqsMessage {
  /** See {@link VfioIrqSet#ARGSZ}. */
  public static final U32 ARGSZ = VfioIrqSet.ARGSZ.behind(Header.SIZE);

  /** See {@link VfioIrqSet#FLAGS}. */
  public static final U32 FLAGS = VfioIrqSet.FLAGS.behind(Header.SIZE);

  /** See {@link VfioIrqSet#INDEX}. */
  public static final U32 INDEX = VfioIrqSet.INDEX.behind(Header.SIZE);

  /** See {@link VfioIrqSet#START}. */
  public static final U32 START = VfioIrqSet.START.behind(Header.SIZE);

  /** See {@link VfioIrqSet#COUNT}. */
  public static final U32 COUNT = VfioIrqSet.COUNT.behind(Header.SIZE);

  /** The payload without what follows. */
  public static final Struct STRUCT = VfioIrqSet.STRUCT.behind(Header.SIZE);

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private SetIrqsMessage() {}
}
