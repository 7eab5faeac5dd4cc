package io.jvfio.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The path of a socket, with or without {@code unix:} before it. */
final class SocketPath implements ITypeConverter<Path> {
  private static final String PREFIX = "unix:";

  @Override
  public Path convert(String text) {
    var path = text.startsWith(PREFIX) ? text.substring(PREFIX.length()) : text;
    if (path.isEmpty()) {
      throw new TypeConversionException("'" + text + "' is no path of a socket");
    }
    try {
      return Path.of(path);
    } catch (InvalidPathException e) {
      throw new TypeConversionException("'" + text + "' is no path of a socket: " + e.getReason());
    }
  }
}
