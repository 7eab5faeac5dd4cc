// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.VfioException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.spi.DeviceOpener;
import io.jvfio.user.client.ClientConnection;
import io.jvfio.user.client.ConnectedUserDevice;
import io.jvfio.user.client.Handshake;
import io.jvfio.user.client.LinkException;
import java.nio.file.Path;

/**
 * Devices behind vfio-user sockets: programs that answer what the kernel's device file answers.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="client"}
 *
 * <p>Such a device is a {@link io.jvfio.VfioDevice} as any other, with a DMA space for itself:
 * buffers are memory files, which the server maps; other memory it reads and writes by asking.
 */
public final class VfioUser {
  /** What comes before the path in a device's name. */
  public static final String SCHEME = "unix:";

  private VfioUser() {}

  /** Opens a device with the default options; see {@link #open(Path, VfioUserOptions)}. */
  public static VfioUserDevice open(Path socket) {
    return open(socket, VfioUserOptions.defaults());
  }

  /**
   * Connects to a server and opens its device, which is reset.
   *
   * @param socket the path of the server's socket
   * @return the device, called {@code unix:} and the path
   * @throws VfioException naming the step that failed; nothing stays open then
   */
  public static VfioUserDevice open(Path socket, VfioUserOptions options) {
    return open(LinuxKernel.instance(), socket, options);
  }

  /** Opens a device through a kernel; see {@link #open(Path, VfioUserOptions)}. */
  static VfioUserDevice open(Kernel kernel, Path socket, VfioUserOptions options) {
    var path = socket.toString();
    return open(kernel, SCHEME + path, limit -> Handshake.connect(kernel, path, limit), options);
  }

  private static VfioUserDevice open(
      Kernel kernel, String name, ClientConnection.Connector connector, VfioUserOptions options) {
    ClientConnection connection;
    try {
      connection = ClientConnection.open(kernel, name, connector, options);
    } catch (LinkException e) {
      throw e.of(name);
    }
    return new ConnectedUserDevice(DeviceOpener.instance().open(connection), connection);
  }
}
