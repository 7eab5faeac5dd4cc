package io.jvfio;

import java.util.List;

/**
 * The IO virtual addresses of a device, and the memory mapped at them, whatever the IOMMU.
 *
 * <p>Safe for use by several threads. Everything but {@link #close()} throws {@link
 * IllegalStateException} once closed.
 */
public interface DmaSpace extends AutoCloseable {
  /** The IOMMU type that translates the addresses. */
  IommuType type();

  /** The valid address ranges, in ascending order; on sPAPR these are the DMA windows. */
  List<DmaWindow> windows();

  /**
   * Allocates zeroed memory that the device can read and write.
   *
   * @param byteSize at least 1; rounded up to whole pages
   * @throws VfioException if there is no room in the valid ranges, the locked-memory limit is too
   *     low, or the kernel refuses; nothing stays mapped then
   */
  DmaBuffer allocate(long byteSize);

  /** Unmaps and frees every buffer that is still open. Idempotent. */
  @Override
  void close();
}
