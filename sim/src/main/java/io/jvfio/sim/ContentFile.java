package io.jvfio.sim;

import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** An open file of procfs or sysfs: what it had to say when it was opened. */
final class ContentFile extends OpenFile {
  private final String path;
  private final FileNode.Content node;
  private final MemorySegment content;
  private final boolean writable;

  ContentFile(String path, FileNode.Content node, boolean writable) {
    this.path = path;
    this.node = node;
    this.content = MemorySegment.ofArray(node.content());
    this.writable = writable;
  }

  @Override
  String path() {
    return path;
  }

  @Override
  long pread(MemorySegment target, long offset) {
    if (offset >= content.byteSize()) {
      return 0;
    }
    long count = Math.min(target.byteSize(), content.byteSize() - offset);
    MemorySegment.copy(content, offset, target, 0, count);
    return count;
  }

  @Override
  long pwrite(MemorySegment source, long offset) {
    return writable ? node.write(source.toArray(ValueLayout.JAVA_BYTE)) : Errno.EBADF.result();
  }
}
