// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Struct;
import io.jvfio.linux.uapi.VfioIrqInfo;

/** {@code VFIO_USER_DEVICE_GET_IRQ_INFO}, command and reply. */
public final class IrqInfoMessage {
  /** See {@link VfioIrqInfo#ARGSZ}. */
  public static final U32 ARGSZ = VfioIrqInfo.ARGSZ.behind(Header.SIZE);

  /** See {@link VfioIrqInfo#FLAGS}. */
  public static final U32 FLAGS = VfioIrqInfo.FLAGS.behind(Header.SIZE);

  /** See {@link VfioIrqInfo#INDEX}. */
  public static final U32 INDEX = VfioIrqInfo.INDEX.behind(Header.SIZE);

  /** See {@link VfioIrqInfo#COUNT}. */
  public static final U32 COUNT = VfioIrqInfo.COUNT.behind(Header.SIZE);

  /** The payload without what follows. */
  public static final Struct STRUCT = VfioIrqInfo.STRUCT.behind(Header.SIZE);

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private IrqInfoMessage() {}
}
