package io.jvfio;

/** Who has opened a device, and what the device needs of it. */
interface DeviceOwner {
  /** What is known of the machine. */
  HostFacts facts();

  /** Whether the device can be asked anything at all. */
  boolean isReachable();

  /**
   * The reset of the device's bus.
   *
   * @throws UnsupportedOperationException if it is on none
   */
  HotReset hotReset(OpenFile file);

  /**
   * Takes a device off the list of those to close; it closes itself.
   *
   * @return whether it was there
   */
  boolean forget(LinuxDevice device);

  /** Closes the device, and all that was opened for it alone. */
  void close();
}
