// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.PciAddress;
import io.jvfio.user.VfioUser;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A device on the command line. */
sealed interface DeviceName {
  /** What goes into the help of commands that take one. */
  String DESCRIPTION = "A PCI address, or unix:PATH for the device behind a vfio-user socket.";

  /**
   * A device of the host.
   *
   * @param address where it is
   */
  record OnHost(PciAddress address) implements DeviceName {}

  /**
   * A device behind a vfio-user socket.
   *
   * @param path of the socket
   */
  record BehindSocket(Path path) implements DeviceName {}

  /** Reads one. */
  final class Converter implements ITypeConverter<DeviceName> {
    @Override
    public DeviceName convert(String text) {
      if (text.startsWith(VfioUser.SCHEME)) {
        var path = text.substring(VfioUser.SCHEME.length());
        if (path.isEmpty()) {
          throw new TypeConversionException(
              "'" + text + "' has no path, such as unix:/run/nvme.sock");
        }
        return new BehindSocket(Path.of(path));
      }
      try {
        return new OnHost(PciAddress.parse(text));
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(
            e.getMessage() + "; a device behind a vfio-user socket is called unix:PATH");
      }
    }
  }
}
