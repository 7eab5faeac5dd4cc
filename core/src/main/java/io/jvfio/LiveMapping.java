// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.Locale;

/**
 * A mapping as {@link DmaLayout} tells of it.
 *
 * @param iova the first address
 * @param byteSize length in bytes
 * @param access what the device may do
 * @param mapped whether the device reaches the memory, or only the address is taken
 * @param place the code that made it
 */
public record LiveMapping(
    long iova, long byteSize, DmaAccess access, boolean mapped, String place) {
  /** The last address. */
  public long last() {
    return iova + byteSize - 1;
  }

  @Override
  public String toString() {
    return "%s, device may %s%s, made at %s"
        .formatted(
            new DmaRange(iova, byteSize),
            access.name().toLowerCase(Locale.ROOT).replace("_", " and "),
            mapped ? "" : ", not mapped now",
            place);
  }
}
