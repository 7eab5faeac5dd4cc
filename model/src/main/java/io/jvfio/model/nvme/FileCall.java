// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.Kernel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * One system call on a file, with its result: what a {@link FileIo} needs to know of a piece of
 * work. One object serves one call after the other.
 */
class FileCall {
  /** The system calls that there are. */
  enum Kind {
    READ,
    WRITE,
    /** {@code fdatasync}. */
    SYNC,
    /** {@code fallocate}. */
    ALLOCATE,
  }

  /** What {@code readv(2)} and the like take at most. */
  static final int MOST_VECTORS = 1024;

  private final FileVectors memory;

  /** Its own memory for vectors: enough for most. */
  private final MemorySegment firstVectors;

  /** By which a ring knows it. */
  final int index;

  Kind kind = Kind.SYNC;
  int fd;
  long offset;

  /** The length of SYNC and ALLOCATE; of others, what the vectors have. */
  long byteSize;

  /** The mode of ALLOCATE. */
  int mode;

  /** The result, or a negated errno. */
  long result;

  /** The next call in a list of whoever has this one. */
  @Nullable FileCall following;

  private MemorySegment vectors;
  private int vectorCount;

  FileCall(FileVectors memory, int index) {
    this.memory = memory;
    this.index = index;
    firstVectors = memory.first();
    vectors = firstVectors;
  }

  void clearVectors() {
    vectorCount = 0;
    byteSize = 0;
  }

  /** Adds memory to read into, or to write. */
  void addVector(long address, long length) {
    long at = vectorCount * FileVectors.VECTOR_SIZE;
    if (at == vectors.byteSize()) {
      vectors = memory.larger(vectors);
    }
    vectors.set(ValueLayout.JAVA_LONG, at, address);
    vectors.set(ValueLayout.JAVA_LONG, at + Long.BYTES, length);
    vectorCount++;
    byteSize += length;
  }

  /** It has ended: what it has borrowed for its vectors goes to others. */
  void giveVectorsBack() {
    memory.giveBack(vectors);
    vectors = firstVectors;
    clearVectors();
  }

  MemorySegment vectors() {
    return vectors;
  }

  int vectorCount() {
    return vectorCount;
  }

  /** Where the first piece of memory is. */
  long address() {
    return vectors.get(ValueLayout.JAVA_LONG, 0);
  }

  /** Makes the call, and waits for it. */
  final void make(Kernel kernel) {
    result =
        switch (kind) {
          case READ -> kernel.preadv(fd, vectors, vectorCount, offset);
          case WRITE -> kernel.pwritev(fd, vectors, vectorCount, offset);
          case SYNC -> kernel.synchronizeData(fd);
          case ALLOCATE -> kernel.allocate(fd, mode, offset, byteSize);
        };
  }
}
