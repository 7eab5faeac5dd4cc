package io.jvfio.sim;

import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;

/** An open directory, which cannot be read as a file. */
final class DirectoryFile extends OpenFile {
  private final String path;

  DirectoryFile(String path) {
    this.path = path;
  }

  @Override
  String path() {
    return path;
  }

  @Override
  long pread(MemorySegment target, long offset) {
    return Errno.EISDIR.result();
  }
}
