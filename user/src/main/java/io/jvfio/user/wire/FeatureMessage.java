// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Struct;
import io.jvfio.linux.uapi.VfioDeviceFeature;

/**
 * {@code VFIO_USER_DEVICE_FEATURE}, command and reply: the data of the feature follow. They are the
 * structs of the kernel, but for pointers: what these point to is in the message.
 */
public final class FeatureMessage {
  /** See {@link VfioDeviceFeature#ARGSZ}. */
  public static final U32 ARGSZ = VfioDeviceFeature.ARGSZ.behind(Header.SIZE);

  /** See {@link VfioDeviceFeature#FLAGS}. */
  public static final U32 FLAGS = VfioDeviceFeature.FLAGS.behind(Header.SIZE);

  /** The payload without what follows. */
  public static final Struct STRUCT = VfioDeviceFeature.STRUCT.behind(Header.SIZE);

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private FeatureMessage() {}
}
