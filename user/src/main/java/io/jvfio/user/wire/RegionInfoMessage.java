// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;
import io.jvfio.linux.uapi.VfioRegionInfo;

/**
 * {@code VFIO_USER_DEVICE_GET_REGION_INFO}, command and reply: in the reply capabilities may
 * follow.
 */
public final class RegionInfoMessage {
  /** See {@link VfioRegionInfo#ARGSZ}. */
  public static final U32 ARGSZ = VfioRegionInfo.ARGSZ.behind(Header.SIZE);

  /** See {@link VfioRegionInfo#FLAGS}. */
  public static final U32 FLAGS = VfioRegionInfo.FLAGS.behind(Header.SIZE);

  /** See {@link VfioRegionInfo#INDEX}. */
  public static final U32 INDEX = VfioRegionInfo.INDEX.behind(Header.SIZE);

  /** See {@link VfioRegionInfo#CAP_OFFSET}. */
  public static final U32 CAP_OFFSET = VfioRegionInfo.CAP_OFFSET.behind(Header.SIZE);

  /** See {@link VfioRegionInfo#SIZE}. */
  public static final U64 SIZE = VfioRegionInfo.SIZE.behind(Header.SIZE);

  /** See {@link VfioRegionInfo#OFFSET}. */
  public static final U64 OFFSET = VfioRegionInfo.OFFSET.behind(Header.SIZE);

  /** The payload without what follows. */
  public static final Struct STRUCT = VfioRegionInfo.STRUCT.behind(Header.SIZE);

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private RegionInfoMessage() {}
}
