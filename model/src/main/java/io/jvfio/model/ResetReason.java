// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

/** The reasons for which a device is reset. */
public enum ResetReason {
  /** Software has written the reset bit of the PCI Express or Advanced Features capability. */
  FUNCTION_LEVEL_RESET,
  /**
   * The client has asked its host for a reset: the ioctl or message of that name, or a hot reset.
   */
  DEVICE_RESET,
  /** The client has closed the device or is gone; the next one finds it as after power-on. */
  CLIENT_LOST
}
