// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A namespace that an {@link NvmeModel} is to have: its size, its logical blocks, and what keeps
 * its data. Immutable; each {@code with} method returns a changed copy.
 */
public final class NvmeNamespaceOptions {
  private final Settings settings;

  /** The one place that knows all settings, so that a copy can change any of them. */
  private static final class Settings implements Cloneable {
    long byteSize;
    int blockSize = 512;
    boolean isReadOnly;
    boolean isDirect;
    boolean waitsForRoom;
    boolean isNothing;
    @Nullable Path file;
    @Nullable Storage storage;
    long requestsPerSecond = Long.MAX_VALUE;
    long bytesPerSecond = Long.MAX_VALUE;

    @Override
    public Settings clone() {
      try {
        return (Settings) super.clone();
      } catch (CloneNotSupportedException e) {
        throw new AssertionError(e);
      }
    }
  }

  private NvmeNamespaceOptions(Settings settings) {
    int blockSize = settings.blockSize;
    require(
        Integer.bitCount(blockSize) == 1 && blockSize >= 512 && blockSize <= 4096,
        "blocks of %d bytes: not a power of two from 512 to 4096".formatted(blockSize));
    long byteSize = settings.byteSize;
    require(
        byteSize > 0 && byteSize % blockSize == 0 && byteSize <= SparseMemory.MAX_BYTES,
        "a namespace of %d bytes: not a positive multiple of %d up to 16 TiB"
            .formatted(byteSize, blockSize));
    this.settings = settings;
  }

  private static void require(boolean holds, String complaint) {
    if (!holds) {
      throw new IllegalArgumentException(complaint);
    }
  }

  private static NvmeNamespaceOptions of(long byteSize, Consumer<Settings> change) {
    var settings = new Settings();
    settings.byteSize = byteSize;
    change.accept(settings);
    return new NvmeNamespaceOptions(settings);
  }

  private NvmeNamespaceOptions with(Consumer<Settings> change) {
    var changed = settings.clone();
    change.accept(changed);
    return new NvmeNamespaceOptions(changed);
  }

  /**
   * A namespace of 512-byte blocks, zeroed, that takes memory as it is written and gives it back as
   * it is deallocated.
   *
   * @param byteSize a positive multiple of 512, at most 16 TiB
   */
  public static NvmeNamespaceOptions inMemory(long byteSize) {
    return of(byteSize, _ -> {});
  }

  /**
   * A namespace of 512-byte blocks in a file or a block device. A file is made, or lengthened, when
   * a model is, and is sparse where the file system can do that. It is locked: a second model is
   * refused it. Nobody else should write or shorten it meanwhile.
   *
   * @param byteSize a positive multiple of 512, at most 16 TiB; what is in the file behind that is
   *     left alone
   */
  public static NvmeNamespaceOptions inFile(Path file, long byteSize) {
    return of(byteSize, made -> made.file = file);
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
   * A namespace of 512-byte blocks that keeps nothing, for measuring what is around it: a write is
   * forgotten, and a read leaves memory as it was.
   *
   * @param byteSize a positive multiple of 512, at most 16 TiB
   */
  public static NvmeNamespaceOptions nowhere(long byteSize) {
    return of(byteSize, made -> made.isNothing = true);
  }

  /** A namespace of 512-byte blocks in a storage of another kind. */
  static NvmeNamespaceOptions in(Storage storage) {
    return of(storage.byteSize(), made -> made.storage = storage);
  }

  /**
   * With logical blocks of another size.
   *
   * @param bytes a power of two, 512 to 4096, that divides the size of the namespace
   */
  public NvmeNamespaceOptions withBlockSize(int bytes) {
    return with(changed -> changed.blockSize = bytes);
  }

  /**
   * With every command that would change data refused as Namespace is Write Protected. A file is
   * opened for reading only, and must be there.
   */
  public NvmeNamespaceOptions withWriteProtection() {
    return with(changed -> changed.isReadOnly = true);
  }

  /**
   * With a file whose page cache is left out ({@code O_DIRECT}). A model cannot be made where the
   * file system has no such thing, or the disk takes no pieces of 4096 bytes or less ({@link
   * java.io.UncheckedIOException}).
   *
   * <p>A command at an offset, or of a length, that is no multiple of what the disk takes goes by
   * the cache all the same; data that lies elsewhere in memory is copied.
   */
  public NvmeNamespaceOptions withDirectIo() {
    return with(changed -> changed.isDirect = true);
  }

  /**
   * With commands that wait while the file system has no room for their data, until it has, as
   * QEMU's {@code werror=enospc} has a guest wait; by default they fail with Capacity Exceeded.
   */
  public NvmeNamespaceOptions withWaitingForRoom() {
    return with(changed -> changed.waitsForRoom = true);
  }

  /**
   * With limits to how fast it is used. What is too early waits.
   *
   * @param requestsPerSecond how many commands, at least 1; {@link Long#MAX_VALUE} for no limit
   * @param bytesPerSecond how many bytes are read and written, at least 1; {@link Long#MAX_VALUE}
   *     for no limit
   * @throws IllegalArgumentException if one is less
   */
  public NvmeNamespaceOptions withLimits(long requestsPerSecond, long bytesPerSecond) {
    require(
        requestsPerSecond >= 1 && bytesPerSecond >= 1,
        "at most %,d commands and %,d bytes a second: nothing would ever be done"
            .formatted(requestsPerSecond, bytesPerSecond));
    return with(
        changed -> {
          changed.requestsPerSecond = requestsPerSecond;
          changed.bytesPerSecond = bytesPerSecond;
        });
  }

  /** The size in bytes. */
  public long byteSize() {
    return settings.byteSize;
  }

  /** The size of a logical block in bytes. */
  public int blockSize() {
    return settings.blockSize;
  }

  NvmeNamespace open(NvmeModelOptions.Settings options, int id, StorageWake wake)
      throws IOException {
    var storage = storage(options, wake);
    if (settings.requestsPerSecond != Long.MAX_VALUE || settings.bytesPerSecond != Long.MAX_VALUE) {
      storage =
          new LimitedStorage(storage, settings.requestsPerSecond, settings.bytesPerSecond, wake);
    }
    return new NvmeNamespace(
        id,
        options.losesPower ? new VolatileCache(storage) : storage,
        Integer.numberOfTrailingZeros(settings.blockSize),
        settings.isReadOnly,
        NvmeNamespace.uuid(options.serial, id));
  }

  private Storage storage(NvmeModelOptions.Settings options, StorageWake wake) throws IOException {
    if (settings.storage != null) {
      return settings.storage;
    }
    if (settings.isNothing) {
      return new NullStorage(settings.byteSize);
    }
    if (settings.file == null) {
      return new SparseMemory(settings.byteSize);
    }
    return FileStorage.open(
        options.kernel,
        settings.file,
        settings.byteSize,
        new FileStorage.FileOptions(
            settings.blockSize,
            settings.isReadOnly,
            settings.isDirect,
            settings.waitsForRoom,
            options.mayUseRing),
        wake);
  }

  @Override
  public String toString() {
    var text = new StringBuilder("%,d bytes in blocks of %d, ".formatted(byteSize(), blockSize()));
    if (settings.file != null) {
      text.append("in ").append(settings.file);
    } else {
      text.append(settings.isNothing ? "kept nowhere" : "in memory");
    }
    text.append(settings.isReadOnly ? ", read-only" : "");
    text.append(settings.isDirect ? ", direct" : "");
    text.append(settings.waitsForRoom ? ", waits for room" : "");
    if (settings.requestsPerSecond != Long.MAX_VALUE) {
      text.append(", at most %,d commands a second".formatted(settings.requestsPerSecond));
    }
    if (settings.bytesPerSecond != Long.MAX_VALUE) {
      text.append(", at most %,d bytes a second".formatted(settings.bytesPerSecond));
    }
    return text.toString();
  }
}
