// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Something that a path names. */
public abstract sealed class FileNode {
  /** Whether only root can open, list or read it. */
  private boolean rootOnly;

  final boolean isRootOnly() {
    return rootOnly;
  }

  public final void setRootOnly() {
    rootOnly = true;
  }

  /** Opens it. */
  public abstract OpenFile open(String path, boolean writes) throws PathError;

  /** A directory. */
  public static non-sealed class Directory extends FileNode {
    private final TreeMap<String, FileNode> entries = new TreeMap<>();

    @Override
    public OpenFile open(String path, boolean writes) throws PathError {
      if (writes) {
        throw new PathError(Errno.EISDIR);
      }
      return new DirectoryFile(path);
    }

    /** The names in it. */
    public Collection<String> names() {
      return List.copyOf(entries.keySet());
    }

    /** The node called {@code name} in it, or null. */
    public @Nullable FileNode get(String name) {
      return entries.get(name);
    }

    public <N extends FileNode> N put(String name, N node) {
      entries.put(name, node);
      return node;
    }

    void remove(String name) {
      entries.remove(name);
    }

    /** The directory at {@code path} below this one, made where it is missing. */
    public Directory directory(String path) {
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
    public void text(String name, String line) {
      bytes(name, (line + "\n").getBytes(StandardCharsets.UTF_8));
    }

    /** Puts a file of bytes. */
    public void bytes(String name, byte[] bytes) {
      put(name, new Content(() -> bytes));
    }

    public void link(String name, String target) {
      put(name, new Link(target));
    }
  }

  /** A symbolic link. */
  public static final class Link extends FileNode {
    private final String target;

    public Link(String target) {
      this.target = target;
    }

    String target() {
      return target;
    }

    @Override
    public OpenFile open(String path, boolean writes) {
      throw new AssertionError("a link is not where a path ends");
    }
  }

  /** A file whose content is made when it is opened. */
  public static final class Content extends FileNode {
    private final Supplier<byte[]> content;

    public Content(Supplier<byte[]> content) {
      this.content = content;
    }

    @Override
    public OpenFile open(String path, boolean writes) throws PathError {
      if (writes) {
        throw new PathError(Errno.EACCES);
      }
      return new ContentFile(path, content.get());
    }
  }

  /** A node whose files are no bytes: a device, or a file of procfs with a mind of its own. */
  public static final class Special extends FileNode {
    private final Opener opener;

    /** The action that opens it. */
    public interface Opener {
      /** A new file of the node, which the process knows by {@code path}. */
      OpenFile open(String path) throws PathError;
    }

    public Special(Opener opener) {
      this.opener = opener;
    }

    @Override
    public OpenFile open(String path, boolean writes) throws PathError {
      return opener.open(path);
    }
  }
}
