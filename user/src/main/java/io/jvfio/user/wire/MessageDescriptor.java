// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * A descriptor that came with a message, as the kernel describes it.
 *
 * @param kind what it is
 * @param name what the kernel calls it; of memory the name that its maker gave it
 * @param byteSize how long memory or a file is; empty for what has no length
 */
public record MessageDescriptor(Kind kind, String name, OptionalLong byteSize) {
  /** What a descriptor can be. */
  public enum Kind {
    /** A file in memory, such as one of {@code memfd_create(2)}. */
    MEMORY("memfd"),
    /** A counter that signals. */
    EVENTFD("eventfd"),
    /** A socket. */
    SOCKET("socket"),
    /** A file that has a path. */
    FILE("file"),
    /** Anything else. */
    OTHER("other");

    private final String id;

    Kind(String id) {
      this.id = id;
    }

    /** Its name in text and JSON. */
    public String id() {
      return id;
    }
  }

  /** What an open descriptor of this process is. */
  public static MessageDescriptor ofOpen(int fd) {
    var link = Path.of("/proc/self/fd/" + fd);
    try {
      var target = Files.readSymbolicLink(link).toString();
      var kind = kind(target);
      boolean hasLength = kind == Kind.MEMORY || kind == Kind.FILE;
      return new MessageDescriptor(
          kind,
          name(kind, target),
          hasLength ? OptionalLong.of(Files.size(link)) : OptionalLong.empty());
    } catch (IOException | UnsupportedOperationException e) {
      // No procfs, or a file that cannot be asked: it is passed on all the same.
      return new MessageDescriptor(Kind.OTHER, "unknown", OptionalLong.empty());
    }
  }

  private static Kind kind(String target) {
    if (target.startsWith(MEMORY_PREFIX)) {
      return Kind.MEMORY;
    }
    if (target.contains("[eventfd]")) {
      return Kind.EVENTFD;
    }
    if (target.startsWith("socket:")) {
      return Kind.SOCKET;
    }
    return target.startsWith("/") ? Kind.FILE : Kind.OTHER;
  }

  private static final String MEMORY_PREFIX = "/memfd:";
  private static final String DELETED = " (deleted)";

  private static String name(Kind kind, String target) {
    if (kind != Kind.MEMORY) {
      return target;
    }
    var name = target.substring(MEMORY_PREFIX.length());
    return name.endsWith(DELETED) ? name.substring(0, name.length() - DELETED.length()) : name;
  }

  /** One word or a few, such as {@code memfd:guest-ram 1048576 bytes}. */
  public String text() {
    return switch (kind) {
      case MEMORY, FILE ->
          kind.id()
              + ":"
              + MessageText.printable(name)
              + (byteSize.isPresent() ? " of " + MessageText.bytes(byteSize.getAsLong()) : "");
      case EVENTFD, SOCKET -> kind.id();
      case OTHER -> MessageText.printable(name);
    };
  }
}
