package io.jvfio.model.nvme;

import io.jvfio.linux.Kernel;
import java.lang.foreign.Arena;
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

  private static final long VECTOR_SIZE = 2L * Long.BYTES;
  private static final int FIRST_VECTORS = 16;

  private final Arena arena;

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

  FileCall(Arena arena, int index) {
    this.arena = arena;
    this.index = index;
    vectors = arena.allocate(FIRST_VECTORS * VECTOR_SIZE, Long.BYTES);
  }

  void clearVectors() {
    vectorCount = 0;
    byteSize = 0;
  }

  /** Adds memory to read into, or to write. */
  void addVector(long address, long length) {
    long at = vectorCount * VECTOR_SIZE;
    if (at == vectors.byteSize()) {
      var larger = arena.allocate(2 * at, Long.BYTES);
      larger.copyFrom(vectors);
      vectors = larger;
    }
    vectors.set(ValueLayout.JAVA_LONG, at, address);
    vectors.set(ValueLayout.JAVA_LONG, at + Long.BYTES, length);
    vectorCount++;
    byteSize += length;
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
