// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.Ioctl;
import java.util.List;

/** Commands and constants of {@code linux/iommufd.h}, under the header's own names. */
public final class Iommufd {
  private static final int TYPE = ';';

  /** {@link IommuDestroy}. */
  public static final Ioctl IOMMU_DESTROY = command("IOMMU_DESTROY", 0x80);

  /** {@link IommuIoasAlloc}. */
  public static final Ioctl IOMMU_IOAS_ALLOC = command("IOMMU_IOAS_ALLOC", 0x81);

  /** {@link IommuIoasAllowIovas}. */
  public static final Ioctl IOMMU_IOAS_ALLOW_IOVAS = command("IOMMU_IOAS_ALLOW_IOVAS", 0x82);

  /** {@link IommuIoasCopy}. */
  public static final Ioctl IOMMU_IOAS_COPY = command("IOMMU_IOAS_COPY", 0x83);

  /** {@link IommuIoasIovaRanges}. */
  public static final Ioctl IOMMU_IOAS_IOVA_RANGES = command("IOMMU_IOAS_IOVA_RANGES", 0x84);

  /** {@link IommuIoasMap}. */
  public static final Ioctl IOMMU_IOAS_MAP = command("IOMMU_IOAS_MAP", 0x85);

  /** {@link IommuIoasUnmap}. */
  public static final Ioctl IOMMU_IOAS_UNMAP = command("IOMMU_IOAS_UNMAP", 0x86);

  /** {@link IommuOption}. */
  public static final Ioctl IOMMU_OPTION = command("IOMMU_OPTION", 0x87);

  /** {@link IommuVfioIoas}. */
  public static final Ioctl IOMMU_VFIO_IOAS = command("IOMMU_VFIO_IOAS", 0x88);

  /** {@link IommuHwptAlloc}. */
  public static final Ioctl IOMMU_HWPT_ALLOC = command("IOMMU_HWPT_ALLOC", 0x89);

  /** {@link IommuHwInfo}. */
  public static final Ioctl IOMMU_GET_HW_INFO = command("IOMMU_GET_HW_INFO", 0x8a);

  /** {@link IommuHwptSetDirtyTracking}. */
  public static final Ioctl IOMMU_HWPT_SET_DIRTY_TRACKING =
      command("IOMMU_HWPT_SET_DIRTY_TRACKING", 0x8b);

  /** {@link IommuHwptGetDirtyBitmap}. */
  public static final Ioctl IOMMU_HWPT_GET_DIRTY_BITMAP =
      command("IOMMU_HWPT_GET_DIRTY_BITMAP", 0x8c);

  /** {@link IommuIoasMapFile}. */
  public static final Ioctl IOMMU_IOAS_MAP_FILE = command("IOMMU_IOAS_MAP_FILE", 0x8f);

  /** Every command above, for tests that compare them with the C header. */
  public static final List<Ioctl> COMMANDS =
      List.of(
          IOMMU_DESTROY,
          IOMMU_IOAS_ALLOC,
          IOMMU_IOAS_ALLOW_IOVAS,
          IOMMU_IOAS_COPY,
          IOMMU_IOAS_IOVA_RANGES,
          IOMMU_IOAS_MAP,
          IOMMU_IOAS_UNMAP,
          IOMMU_OPTION,
          IOMMU_VFIO_IOAS,
          IOMMU_HWPT_ALLOC,
          IOMMU_GET_HW_INFO,
          IOMMU_HWPT_SET_DIRTY_TRACKING,
          IOMMU_HWPT_GET_DIRTY_BITMAP,
          IOMMU_IOAS_MAP_FILE);

  /** {@link IommuIoasMap#FLAGS}: at the address that the caller gives. */
  public static final int IOMMU_IOAS_MAP_FIXED_IOVA = 1;

  /** {@link IommuIoasMap#FLAGS}: the device may write. */
  public static final int IOMMU_IOAS_MAP_WRITEABLE = 2;

  /** {@link IommuIoasMap#FLAGS}: the device may read. */
  public static final int IOMMU_IOAS_MAP_READABLE = 4;

  /**
   * {@link IommuOption#OPTION_ID}: whether locked memory is counted by process (1) or by user (0).
   */
  public static final int IOMMU_OPTION_RLIMIT_MODE = 0;

  /** {@link IommuOption#OPTION_ID}: whether pages may be combined into larger ones. */
  public static final int IOMMU_OPTION_HUGE_PAGES = 1;

  /** {@link IommuOption#OP}: sets. */
  public static final int IOMMU_OPTION_OP_SET = 0;

  /** {@link IommuOption#OP}: reads. */
  public static final int IOMMU_OPTION_OP_GET = 1;

  /** {@link IommuVfioIoas#OP}: which IOAS it is. */
  public static final int IOMMU_VFIO_IOAS_GET = 0;

  /** {@link IommuVfioIoas#OP}: takes this IOAS. */
  public static final int IOMMU_VFIO_IOAS_SET = 1;

  /** {@link IommuVfioIoas#OP}: takes none. */
  public static final int IOMMU_VFIO_IOAS_CLEAR = 2;

  /** {@link IommuHwptAlloc#FLAGS}: to be the second stage of a nested one. */
  public static final int IOMMU_HWPT_ALLOC_NEST_PARENT = 1;

  /** {@link IommuHwptAlloc#FLAGS}: that can track dirty pages. */
  public static final int IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 2;

  /** {@link IommuHwptAlloc#DATA_TYPE}: no data for the driver. */
  public static final int IOMMU_HWPT_DATA_NONE = 0;

  /** {@link IommuHwInfo#OUT_DATA_TYPE}: no data of the driver. */
  public static final int IOMMU_HW_INFO_TYPE_NONE = 0;

  /** {@link IommuHwInfo#OUT_DATA_TYPE}: Intel's VT-d. */
  public static final int IOMMU_HW_INFO_TYPE_INTEL_VTD = 1;

  /** {@link IommuHwInfo#OUT_CAPABILITIES}: dirty pages can be tracked. */
  public static final int IOMMU_HW_CAP_DIRTY_TRACKING = 1;

  /** {@link IommuHwptSetDirtyTracking#FLAGS}: on. */
  public static final int IOMMU_HWPT_DIRTY_TRACKING_ENABLE = 1;

  /** {@link IommuHwptGetDirtyBitmap#FLAGS}: leaves the pages dirty. */
  public static final int IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1;

  private Iommufd() {}

  private static Ioctl command(String name, int number) {
    return new Ioctl(name, TYPE, number);
  }
}
