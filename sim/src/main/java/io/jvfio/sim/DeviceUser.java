package io.jvfio.sim;

/** How a device was opened, and so what is in use while any file of it is open. */
interface DeviceUser {
  /** The device gets its first file. */
  void use(HostDevice device);

  /** The device's last file is gone. */
  void unuse(HostDevice device);
}
