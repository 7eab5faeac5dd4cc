// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;

/** An open file of procfs or sysfs: what it had to say when it was opened. */
final class ContentFile extends OpenFile {
  private final MemorySegment content;

  ContentFile(String path, byte[] content) {
    super(path);
    this.content = MemorySegment.ofArray(content);
  }

  @Override
  public long pread(MemorySegment target, long offset) {
    if (offset >= content.byteSize()) {
      return 0;
    }
    long count = Math.min(target.byteSize(), content.byteSize() - offset);
    MemorySegment.copy(content, offset, target, 0, count);
    return count;
  }

  @Override
  public long pwrite(MemorySegment source, long offset) {
    return Errno.EBADF.result();
  }
}
