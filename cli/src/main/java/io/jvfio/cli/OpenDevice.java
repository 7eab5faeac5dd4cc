// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.HostDevice;
import io.jvfio.VfioDevice;
import java.util.Optional;

/**
 * A device, until the command is done with it.
 *
 * @param host where it is: a host, or {@link HostOpener#LOCAL} for one behind a socket
 * @param device the device
 * @param known what sysfs says of it; empty behind a socket
 * @param release what to do after the device is closed
 */
record OpenDevice(String host, VfioDevice device, Optional<HostDevice> known, Runnable release)
    implements AutoCloseable {
  @Override
  public void close() {
    try {
      device.close();
    } finally {
      release.run();
    }
  }
}
