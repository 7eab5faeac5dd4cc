// SPDX-License-Identifier: Apache-2.0
package io.jvfio.spi;

import static java.util.Objects.requireNonNull;

import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import java.lang.invoke.MethodHandles;
import org.jspecify.annotations.Nullable;

/**
 * Makes a device of a connection: a way into package {@code io.jvfio} that its users do not see.
 */
@FunctionalInterface
public interface DeviceOpener {
  /**
   * Opens the device; the connection is its own from then on, and ended if this fails. Closing it
   * turns interrupts off, resets it, turns bus mastering off, ends every mapping, and then ends the
   * connection.
   *
   * @throws io.jvfio.VfioException if the device does not describe itself as a PCI device does
   */
  VfioDevice open(DeviceConnection connection);

  /** The one that there is. */
  static DeviceOpener instance() {
    try {
      MethodHandles.lookup().ensureInitialized(VfioHost.class);
    } catch (IllegalAccessException e) {
      throw new LinkageError("a public class of this module cannot be used", e);
    }
    return requireNonNull(Holder.opener, "set when VfioHost is initialized");
  }

  /** Called once, by package {@code io.jvfio}. */
  static void install(DeviceOpener opener) {
    Holder.opener = opener;
  }

  /** The place where it is kept. */
  final class Holder {
    private static volatile @Nullable DeviceOpener opener;

    private Holder() {}
  }
}
