// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioInfoCapHeader;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.linux.uapi.VfioRegionInfoCapSparseMmap;
import io.jvfio.linux.uapi.VfioRegionSparseMmapArea;
import java.lang.foreign.MemorySegment;

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

  private static final U16 ID = VfioInfoCapHeader.ID.behind(BYTES);
  private static final U16 VERSION = VfioInfoCapHeader.VERSION.behind(BYTES);
  private static final U32 NR_AREAS = VfioRegionInfoCapSparseMmap.NR_AREAS.behind(BYTES);
  private static final int AREA = BYTES + (int) VfioRegionInfoCapSparseMmap.BYTES;
  private static final U64 AREA_OFFSET = VfioRegionSparseMmapArea.OFFSET.behind(AREA);
  private static final U64 AREA_SIZE = VfioRegionSparseMmapArea.SIZE.behind(AREA);

  /** Size in bytes of the capability that {@link #writeArea} writes. */
  public static final int AREA_BYTES = AREA + (int) VfioRegionSparseMmapArea.BYTES - BYTES;

  private RegionInfoMessage() {}

  /** Adds the capability that one part of the region can be mapped, as the first one. */
  public static void writeArea(MemorySegment message, long offset, long byteSize) {
    CAP_OFFSET.set(message, BYTES - Header.SIZE);
    message.asSlice(BYTES, AREA_BYTES).fill((byte) 0);
    ID.set(message, (short) Vfio.VFIO_REGION_INFO_CAP_SPARSE_MMAP);
    VERSION.set(message, (short) 1);
    NR_AREAS.set(message, 1);
    AREA_OFFSET.set(message, offset);
    AREA_SIZE.set(message, byteSize);
  }
}
