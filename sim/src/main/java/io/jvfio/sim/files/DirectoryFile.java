// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;

/** An open directory, which cannot be read as a file. */
final class DirectoryFile extends OpenFile {

  DirectoryFile(String path) {
    super(path);
  }

  @Override
  public long pread(MemorySegment target, long offset) {
    return Errno.EISDIR.result();
  }
}
