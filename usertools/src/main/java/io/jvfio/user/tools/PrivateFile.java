// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/** Files that are their owner's only, whoever may write to their directories. */
final class PrivateFile {
  private static final FileAttribute<?> ONLY_OWNER =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private static final String UID = "unix:uid";
  private static final Integer ROOT = 0;
  private static final Path SELF = Path.of("/proc/self");

  private PrivateFile() {}

  /**
   * Opens a new file of mode 0600. One that is there loses its name to it, and keeps its content
   * for those who have it open; what is no regular file is opened as it is.
   *
   * @throws IOException if that cannot be done, or there is a symbolic link
   */
  static FileChannel open(Path file) throws IOException {
    var present = attributes(file);
    if (present.isEmpty()) {
      try {
        return create(file);
      } catch (FileAlreadyExistsException e) {
        throw new IOException(file + " was made by somebody else at the same moment", e);
      }
    }
    var kind = present.get();
    if (kind.isSymbolicLink()) {
      throw new IOException(
          "%s is a symbolic link, which may lead anywhere, and the file will hold what a guest has in memory; name the file itself, or - for standard output"
              .formatted(file));
    }
    if (kind.isDirectory()) {
      throw new IOException(file + " is a directory");
    }
    return kind.isRegularFile() ? replace(file) : openOther(file);
  }

  /** A pipe of somebody else's would hand it all to them. */
  private static FileChannel openOther(Path file) throws IOException {
    var owner = Files.getAttribute(file, UID, LinkOption.NOFOLLOW_LINKS);
    if (!owner.equals(ROOT) && !owner.equals(Files.getAttribute(SELF, UID))) {
      throw new IOException(file + " is no regular file, and somebody else's");
    }
    return FileChannel.open(file, Set.of(StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS));
  }

  private static Optional<BasicFileAttributes> attributes(Path file) throws IOException {
    try {
      return Optional.of(
          Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  /** Neither follows a link nor opens what is there. */
  private static FileChannel create(Path file) throws IOException {
    return FileChannel.open(
        file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), ONLY_OWNER);
  }

  /** A rename replaces the name, whatever it stands for by then. */
  private static FileChannel replace(Path file) throws IOException {
    var beside =
        file.resolveSibling(".jvfio-%016x".formatted(ThreadLocalRandom.current().nextLong()));
    FileChannel channel;
    try {
      channel = create(beside);
    } catch (AccessDeniedException e) {
      throw new IOException(
          "%s cannot be replaced, for no file may be made beside it; choose another name"
              .formatted(file),
          e);
    }
    try {
      Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
      return channel;
    } catch (IOException e) {
      try (channel) {
        Files.deleteIfExists(beside);
      }
      throw e;
    }
  }
}
