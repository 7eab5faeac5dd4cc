package io.jvfio.model.nvme;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A namespace that an {@link NvmeModel} is to have: its size, its logical blocks, and what keeps
 * its data. Immutable; each {@code with} method returns a changed copy.
 */
public final class NvmeNamespaceOptions {
  private static final int DEFAULT_BLOCK_SIZE = 512;

  private final long byteSize;
  private final int blockSize;
  private final boolean isReadOnly;
  private final @Nullable Path file;

  private NvmeNamespaceOptions(
      long byteSize, int blockSize, boolean isReadOnly, @Nullable Path file) {
    if (Integer.bitCount(blockSize) != 1 || blockSize < 512 || blockSize > 4096) {
      throw new IllegalArgumentException(
          "blocks of %d bytes: not a power of two from 512 to 4096".formatted(blockSize));
    }
    if (byteSize <= 0 || byteSize % blockSize != 0 || byteSize > SparseMemory.MAX_BYTES) {
      throw new IllegalArgumentException(
          "a namespace of %d bytes: not a positive multiple of %d up to 16 TiB"
              .formatted(byteSize, blockSize));
    }
    this.byteSize = byteSize;
    this.blockSize = blockSize;
    this.isReadOnly = isReadOnly;
    this.file = file;
  }

  /**
   * A namespace of 512-byte blocks, zeroed, that takes memory as it is written and gives it back as
   * it is deallocated.
   *
   * @param byteSize a positive multiple of 512, at most 16 TiB
   */
  public static NvmeNamespaceOptions inMemory(long byteSize) {
    return new NvmeNamespaceOptions(byteSize, DEFAULT_BLOCK_SIZE, false, null);
  }

  /**
   * A namespace of 512-byte blocks in a file. The file is made, or lengthened, when a model is; it
   * is sparse where the file system can do that, and it is mapped, so that nobody else should
   * shorten it meanwhile. It is locked as well: a second model is refused it.
   *
   * @param byteSize a positive multiple of 512, at most 16 TiB; what is in the file behind that is
   *     left alone
   */
  public static NvmeNamespaceOptions inFile(Path file, long byteSize) {
    return new NvmeNamespaceOptions(byteSize, DEFAULT_BLOCK_SIZE, false, file);
  }

  /**
   * A namespace of 512-byte blocks that is all of a file; otherwise as {@link #inFile(Path, long)}.
   *
   * @param file a file of a positive multiple of 512 bytes
   * @throws IOException if its size cannot be read
   */
  public static NvmeNamespaceOptions inFile(Path file) throws IOException {
    return inFile(file, Files.size(file));
  }

  /**
   * With logical blocks of another size.
   *
   * @param bytes a power of two, 512 to 4096, that divides the size of the namespace
   */
  public NvmeNamespaceOptions withBlockSize(int bytes) {
    return new NvmeNamespaceOptions(byteSize, bytes, isReadOnly, file);
  }

  /** With every command that would change data refused as Namespace is Write Protected. */
  public NvmeNamespaceOptions withWriteProtection() {
    return new NvmeNamespaceOptions(byteSize, blockSize, true, file);
  }

  /** Size in bytes. */
  public long byteSize() {
    return byteSize;
  }

  /** Size of a logical block in bytes. */
  public int blockSize() {
    return blockSize;
  }

  NvmeNamespace open(String serial, int id, boolean losesPower) throws IOException {
    var storage = file == null ? new SparseMemory(byteSize) : FileStorage.open(file, byteSize);
    return new NvmeNamespace(
        id,
        losesPower ? new VolatileCache(storage) : storage,
        Integer.numberOfTrailingZeros(blockSize),
        isReadOnly,
        NvmeNamespace.uuid(serial, id));
  }
}
