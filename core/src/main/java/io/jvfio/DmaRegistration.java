// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/** Memory that is locked ahead of mapping its parts. Safe for use by several threads. */
public interface DmaRegistration extends AutoCloseable {
  /**
   * Unlocks the memory. Idempotent.
   *
   * @throws IllegalStateException while a part of it is mapped: the kernel would unlock nothing and
   *     keep the memory for good
   */
  @Override
  void close();
}
