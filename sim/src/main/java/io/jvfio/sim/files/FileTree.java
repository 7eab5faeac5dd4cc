// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import java.util.ArrayDeque;
import java.util.Collection;

/** The files of the host, by path. */
public final class FileTree {
  private static final Errno ELOOP = new Errno(40, "ELOOP", "Too many levels of symbolic links");
  private static final int MAX_LINKS = 40;

  private final FileNode.Directory root = new FileNode.Directory();
  private final boolean isRoot;

  /**
   * An empty tree.
   *
   * @param isRoot whether the process may do what only root may
   */
  public FileTree(boolean isRoot) {
    this.isRoot = isRoot;
  }

  public FileNode.Directory root() {
    return root;
  }

  /** The node at an absolute path, behind all links. */
  public FileNode find(String path) throws PathError {
    return find(path, true);
  }

  /** The names in a directory. */
  public Collection<String> list(String path) throws PathError {
    if (!(readable(find(path, true)) instanceof FileNode.Directory directory)) {
      throw new PathError(Errno.ENOTDIR);
    }
    return directory.names();
  }

  /** The target of a link. */
  public String readLink(String path) throws PathError {
    if (!(find(path, false) instanceof FileNode.Link link)) {
      throw new PathError(Errno.EINVAL);
    }
    return link.target();
  }

  /** {@code node}, if the process may open it. */
  public FileNode readable(FileNode node) throws PathError {
    if (node.isRootOnly() && !isRoot) {
      throw new PathError(Errno.EACCES);
    }
    return node;
  }

  private FileNode find(String path, boolean followLast) throws PathError {
    var above = new ArrayDeque<FileNode.Directory>();
    var pending = new ArrayDeque<String>();
    FileNode at = root;
    int links = 0;
    push(pending, path);
    while (!pending.isEmpty()) {
      if (!(at instanceof FileNode.Directory directory)) {
        throw new PathError(Errno.ENOTDIR);
      }
      var name = pending.pop();
      if (name.equals("..")) {
        at = above.isEmpty() ? root : above.pop();
        continue;
      }
      var next = readable(directory) instanceof FileNode.Directory open ? open.get(name) : null;
      if (next == null) {
        throw new PathError(Errno.ENOENT);
      }
      if (next instanceof FileNode.Link link && (followLast || !pending.isEmpty())) {
        if (++links > MAX_LINKS) {
          throw new PathError(ELOOP);
        }
        if (link.target().startsWith("/")) {
          above.clear();
          at = root;
        }
        push(pending, link.target());
        continue;
      }
      above.push(directory);
      at = next;
    }
    return at;
  }

  /** Puts the names of a path before those that are still to be walked. */
  private static void push(ArrayDeque<String> pending, String path) {
    int end = path.length();
    while (end > 0) {
      int slash = path.lastIndexOf('/', end - 1);
      var name = path.substring(slash + 1, end);
      if (!name.isEmpty() && !name.equals(".")) {
        pending.push(name);
      }
      end = Math.max(slash, 0);
    }
  }
}
