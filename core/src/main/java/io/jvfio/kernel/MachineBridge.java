// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.HostDevice;
import java.util.Optional;

/**
 * A bridge that the machine itself consists of, and that no user can be given. Other bridges, such
 * as those between GPUs, are devices like any.
 */
public final class MachineBridge {
  private MachineBridge() {}

  /** What a device is, as {@code "an ISA bridge (class 0x060100)"}; empty if it is none of them. */
  public static Optional<String> of(HostDevice device) {
    return of(device.classCode());
  }

  /** What a device of a class is, as {@link #of(HostDevice)}. */
  static Optional<String> of(int classCode) {
    var kind =
        switch (classCode >>> 8) {
          case 0x0600 -> "a host bridge";
          case 0x0601 -> "an ISA bridge";
          case 0x0602 -> "an EISA bridge";
          case 0x0604, 0x0609 -> "a PCI bridge";
          case 0x0607 -> "a CardBus bridge";
          default -> null;
        };
    return Optional.ofNullable(kind).map(name -> "%s (class 0x%06x)".formatted(name, classCode));
  }
}
