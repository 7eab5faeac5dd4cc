package io.jvfio;

import java.lang.foreign.MemorySegment;

/**
 * Memory that both this process and the device can read and write.
 *
 * <p>Memory and mapping live and die together: closing unmaps it from the IOMMU first and frees it
 * after that, and every later access through {@link #segment()} throws {@link
 * IllegalStateException}.
 */
public interface DmaBuffer extends AutoCloseable {
  /** The memory as this process sees it. */
  MemorySegment segment();

  /** The address of the first byte as the device sees it; the rest follows without a gap. */
  long iova();

  /** Length in bytes. */
  default long byteSize() {
    return segment().byteSize();
  }

  /** Unmaps and frees. Idempotent. */
  @Override
  void close();
}
