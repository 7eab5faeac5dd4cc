// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * Memory of jvfio's own that both this process and the device can read and write.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="buffer"}
 *
 * <p>Memory and mapping live and die together: closing unmaps it from the IOMMU first and frees it
 * after that, and every later access through {@link #segment()} throws {@link
 * IllegalStateException}.
 */
public interface DmaBuffer extends DmaMapping {
  /** The size in bytes of the pages that the memory is made of. */
  long pageSize();

  /**
   * The reason why the pages are smaller than those asked for, and what to change; empty if they
   * are not.
   */
  Optional<String> fallback();

  /**
   * The descriptor of the memory file, for handing to other processes; empty for anonymous memory.
   * It is closed with the buffer.
   */
  OptionalInt fileDescriptor();

  /** Unmaps and frees. Idempotent. */
  @Override
  void close();
}
