// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

/** The ends that a {@link StorageRequest} can have. */
enum StorageResult {
  DONE,

  /** The client's memory could not be reached. */
  MEMORY_FAULT,

  /** There is no room, or the quota is used up. */
  FULL,

  /** What keeps the data cannot be written. */
  READ_ONLY,

  /** What keeps the data has failed. */
  FAILED,

  /** It was taken back, or its client was gone: what was done of it by then, if any, stays done. */
  CANCELLED,
}
