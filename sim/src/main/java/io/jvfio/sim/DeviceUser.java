package io.jvfio.sim;

import org.jspecify.annotations.Nullable;

/** How a device was opened, and so what is in use while any file of it is open. */
interface DeviceUser {
  /** The device gets its first file. */
  void use(HostDevice device);

  /** The iommufd that it was bound to by a node of its own; null if it came from its group. */
  @Nullable Iommufd ownIommufd();

  /** The device's last file is gone. */
  void unuse(HostDevice device);
}
