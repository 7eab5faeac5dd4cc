// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * A namespace: a disk divided into logical blocks.
 *
 * @param id its NSID, from 1 on
 * @param blockShift size of a logical block as a power of two
 */
record NvmeNamespace(int id, Storage storage, int blockShift, boolean isReadOnly, UUID uuid) {
  /** A name that is the same whenever the same controller has the same namespace. */
  static UUID uuid(String serial, int id) {
    var name = id == 1 ? "jvfio:" + serial : "jvfio:%s:%d".formatted(serial, id);
    return UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.US_ASCII));
  }

  /** Size in logical blocks. */
  long blocks() {
    return storage.byteSize() >> blockShift;
  }

  /** Blocks that take room. */
  long blocksInUse() {
    return (storage.allocatedBytes() + (1L << blockShift) - 1) >> blockShift;
  }

  /** Whether {@code count} blocks from {@code first} on, unsigned, are all there. */
  boolean contains(long first, long count) {
    return first >= 0 && first <= blocks() - count;
  }
}
