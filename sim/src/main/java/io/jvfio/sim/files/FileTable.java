// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The descriptors of the process. The lowest free one is given out, as POSIX asks. */
public final class FileTable {
  /** Standard input, output and error, which a simulated process has and does not use. */
  static final int STANDARD_FILES = 3;

  private final List<@Nullable OpenFile> files = new ArrayList<>();
  private final int limit;

  FileTable(int limit) {
    this.limit = limit;
    for (int fd = 0; fd < STANDARD_FILES; fd++) {
      files.add(new DirectoryFile("/dev/null"));
    }
  }

  /** The lowest free descriptor, or a negated errno; it is taken by {@link #install}. */
  public int lowestFree() {
    int fd = files.indexOf(null);
    if (fd < 0) {
      fd = files.size();
    }
    return fd < limit ? fd : Errno.EMFILE.result();
  }

  /** Makes {@code fd}, which is free, refer to {@code file}. */
  public int install(int fd, OpenFile file) {
    if (fd == files.size()) {
      files.add(file);
    } else {
      files.set(fd, file);
    }
    return fd;
  }

  /** The file of {@code fd}, or null. */
  public @Nullable OpenFile get(int fd) {
    return fd >= 0 && fd < files.size() ? files.get(fd) : null;
  }

  /** Frees {@code fd} and drops its reference to the file. */
  public int close(int fd) {
    var file = get(fd);
    if (file == null) {
      return Errno.EBADF.result();
    }
    files.set(fd, null);
    file.drop();
    return 0;
  }

  /** Closes everything, as the end of a process does. */
  void closeAll() {
    for (int fd = 0; fd < files.size(); fd++) {
      close(fd);
    }
  }

  /** How many descriptors are open besides the standard ones. */
  public int openCount() {
    int count = 0;
    for (int fd = STANDARD_FILES; fd < files.size(); fd++) {
      if (files.get(fd) != null) {
        count++;
      }
    }
    return count;
  }

  /** The open descriptors, in ascending order. */
  public List<Integer> descriptors() {
    var open = new ArrayList<Integer>();
    for (int fd = 0; fd < files.size(); fd++) {
      if (files.get(fd) != null) {
        open.add(fd);
      }
    }
    return open;
  }
}
