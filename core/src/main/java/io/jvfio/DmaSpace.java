// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * The IO virtual addresses of one or several devices, and the memory mapped at them, whatever the
 * IOMMU.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="space"}
 *
 * <p>What is known to be wrong is refused before the kernel is asked, with what to change; a map
 * that fails leaves nothing mapped, locked or taken.
 *
 * <p>Safe for use by several threads. Everything but {@link #close()} throws {@link
 * IllegalStateException} once closed: no IOMMU is set any more then.
 */
public interface DmaSpace extends AutoCloseable {
  /** The IOMMU type that translates the addresses. */
  IommuType type();

  /** The valid address ranges, in ascending order; on sPAPR these are the DMA windows. */
  List<DmaWindow> windows();

  /** Describes the space as it is at this moment. */
  DmaLayout layout();

  /** Whether {@code byteSize} bytes could be mapped at {@code iova}, why not, and where else. */
  AddressVerdict explain(long iova, long byteSize);

  /** Whether a map of {@code byteSize} bytes would fit, and what it would take. Changes nothing. */
  DmaEstimate estimate(long byteSize, MapOptions options);

  /** Maps memory at a free address, for reading and writing. */
  default DmaMapping map(MemorySegment segment) {
    return map(segment, MapOptions.anywhere());
  }

  /**
   * Maps memory of the caller's.
   *
   * @param segment native memory; address and length are multiples of a page of the window that it
   *     is mapped in (4096 with every IOMMU but those of larger system pages). It must stay
   *     allocated until the mapping is closed
   * @throws IllegalArgumentException if it is not native, or is empty
   * @throws VfioException if it is misaligned, outside of the valid ranges, overlaps another
   *     mapping, needs more locked memory or mapping entries than there are, or the kernel refuses
   */
  DmaMapping map(MemorySegment segment, MapOptions options);

  /** Allocates memory that the device can read and write at a free address. */
  default DmaBuffer allocate(long byteSize) {
    return allocate(byteSize, BufferOptions.anonymous());
  }

  /**
   * Allocates zeroed memory and maps it. Behind a vfio-user socket ({@link IommuType#VFIO_USER}) it
   * is always a memory file, which the server can map; other memory it reaches by messages.
   *
   * @param byteSize at least 1; rounded up to whole pages
   * @throws VfioException as {@link #map(MemorySegment, MapOptions)}, or if there is no memory
   */
  DmaBuffer allocate(long byteSize, BufferOptions options);

  /**
   * Locks memory ahead of mapping its parts, which is then cheap on sPAPR version 2; elsewhere it
   * does nothing. Registrations are shared and counted: mapping registers by itself what is not
   * registered yet.
   *
   * @throws VfioException if it overlaps another registration in part, or cannot be locked
   */
  DmaRegistration register(MemorySegment segment);

  /**
   * The windows of an IOMMU that lets its user create and remove them: sPAPR version 2. Empty
   * elsewhere.
   */
  Optional<DynamicWindows> dynamicWindows();

  /** The operations that only an IOAS of iommufd has; empty elsewhere. */
  Optional<Ioas> ioas();

  /**
   * Starts to record which pages the devices write.
   *
   * @throws VfioException if this IOMMU cannot
   */
  DirtyTracking trackDirtyPages();

  /** Unmaps everything, and frees every buffer that is still open. Idempotent. */
  @Override
  void close();
}
