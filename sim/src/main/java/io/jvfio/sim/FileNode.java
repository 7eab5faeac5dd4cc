package io.jvfio.sim;

import io.jvfio.linux.Errno;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Something that a path names. */
abstract sealed class FileNode {
  /** Whether only root can open, list or read it. */
  private boolean rootOnly;

  final boolean isRootOnly() {
    return rootOnly;
  }

  final void setRootOnly() {
    rootOnly = true;
  }

  /** Opens it. */
  abstract OpenFile open(String path, boolean writes) throws PathError;

  /** A directory. */
  static non-sealed class Directory extends FileNode {
    private final TreeMap<String, FileNode> entries = new TreeMap<>();

    @Override
    OpenFile open(String path, boolean writes) throws PathError {
      if (writes) {
        throw new PathError(Errno.EISDIR);
      }
      return new DirectoryFile(path);
    }

    /** The names in it. */
    Collection<String> names() {
      return List.copyOf(entries.keySet());
    }

    /** What is called {@code name} in it, or null. */
    @Nullable FileNode get(String name) {
      return entries.get(name);
    }

    <N extends FileNode> N put(String name, N node) {
      entries.put(name, node);
      return node;
    }

    void remove(String name) {
      entries.remove(name);
    }

    /** The directory at {@code path} below this one, made where it is missing. */
    Directory directory(String path) {
      var directory = this;
      for (int start = 0; start <= path.length(); ) {
        int slash = path.indexOf('/', start);
        int end = slash < 0 ? path.length() : slash;
        if (end > start) {
          var name = path.substring(start, end);
          directory =
              directory.get(name) instanceof Directory existing
                  ? existing
                  : directory.put(name, new Directory());
        }
        start = end + 1;
      }
      return directory;
    }

    /** Puts a file of one line. */
    void text(String name, String line) {
      put(name, new Constant((line + "\n").getBytes(StandardCharsets.UTF_8)));
    }

    /** Puts a file of bytes. */
    void bytes(String name, byte[] bytes) {
      put(name, new Constant(bytes));
    }

    void link(String name, String target) {
      put(name, new Link(target));
    }
  }

  /** A symbolic link. */
  static final class Link extends FileNode {
    final String target;

    Link(String target) {
      this.target = target;
    }

    @Override
    OpenFile open(String path, boolean writes) {
      throw new AssertionError("a link is not where a path ends");
    }
  }

  /** A file whose content is made when it is opened. */
  abstract static non-sealed class Content extends FileNode {
    abstract byte[] content();

    @Override
    final OpenFile open(String path, boolean writes) throws PathError {
      if (writes) {
        throw new PathError(Errno.EACCES);
      }
      return new ContentFile(path, content());
    }
  }

  private static final class Constant extends Content {
    private final byte[] bytes;

    Constant(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    byte[] content() {
      return bytes;
    }
  }

  /** A node whose files are no bytes: a device, or a file of procfs with a mind of its own. */
  abstract static non-sealed class Special extends FileNode {}
}
