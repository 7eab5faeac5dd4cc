// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import io.jvfio.linux.UnixSocket;
import io.jvfio.user.VfioUser;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The path of a socket, with or without {@code unix:} before it; the kernel wants it short. */
public final class SocketPath implements ITypeConverter<Path> {
  @Override
  public Path convert(String text) {
    var path = text.startsWith(VfioUser.SCHEME) ? text.substring(VfioUser.SCHEME.length()) : text;
    int length = path.getBytes(StandardCharsets.UTF_8).length;
    if (length == 0 || length > UnixSocket.MAX_PATH_BYTES) {
      throw new TypeConversionException(
          "the path of a socket has 1 to %d bytes, not %d"
              .formatted(UnixSocket.MAX_PATH_BYTES, length));
    }
    try {
      return Path.of(path);
    } catch (InvalidPathException e) {
      throw new TypeConversionException("no path of a socket: " + e.getMessage());
    }
  }
}
