// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import io.jvfio.sim.iommu.Iommufd;
import org.jspecify.annotations.Nullable;

/** The way in which a device was opened, and so what is in use while any file of it is open. */
interface DeviceUser {
  /** The device gets its first file; what is returned is run when its last one is gone. */
  Runnable use();

  /** The iommufd that it was bound to by a node of its own; null if it came from its group. */
  @Nullable Iommufd ownIommufd();
}
