// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.sim.files.VfioCommand;

/**
 * The commands of iommufd by their number above VFIO's first, as {@link VfioCommand#numberOf} gives
 * it. Source: {@code include/uapi/linux/iommufd.h} of Linux 6.12.
 */
final class IommufdCommand {
  private static final int FIRST = 0x80 - 100;

  static final int DESTROY = FIRST;
  static final int IOAS_ALLOC = FIRST + 1;
  static final int IOAS_ALLOW_IOVAS = FIRST + 2;
  static final int IOAS_COPY = FIRST + 3;
  static final int IOAS_IOVA_RANGES = FIRST + 4;
  static final int IOAS_MAP = FIRST + 5;
  static final int IOAS_UNMAP = FIRST + 6;
  static final int OPTION = FIRST + 7;
  static final int VFIO_IOAS = FIRST + 8;
  static final int HWPT_ALLOC = FIRST + 9;
  static final int GET_HW_INFO = FIRST + 10;
  static final int HWPT_SET_DIRTY_TRACKING = FIRST + 11;
  static final int HWPT_GET_DIRTY_BITMAP = FIRST + 12;

  private IommufdCommand() {}
}
