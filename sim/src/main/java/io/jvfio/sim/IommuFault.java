// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

/**
 * An access of a device to memory that did not get there.
 *
 * @param device the device's address, such as {@code 0000:00:01.0}
 * @param iova the first address that could not be reached
 * @param write whether the device wrote
 * @param reason why, in words
 */
public record IommuFault(String device, long iova, boolean write, String reason) {
  @Override
  public String toString() {
    return "%s: %s at 0x%x: %s".formatted(device, write ? "write" : "read", iova, reason);
  }
}
