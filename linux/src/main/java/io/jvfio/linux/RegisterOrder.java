// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

/**
 * The order in which accesses to device registers are made. What is promised is about the program;
 * a device sees accesses to one region in the order in which the processor makes them, where the
 * mapping is uncached, as mappings of BARs are.
 */
public enum RegisterOrder {
  /**
   * As ordinary memory: the compiler may merge, widen, reorder or leave out accesses, those of a
   * bulk copy too. For memory that a device offers as storage, such as a controller memory buffer,
   * and never for registers where an access does something.
   */
  PLAIN,
  /**
   * Every access is one access of exactly its width, in program order with the others to the same
   * registers; not ordered with accesses to other memory. For registers, and the default.
   */
  OPAQUE,
  /**
   * As {@link #OPAQUE}, and every access is ordered with all other memory accesses of its thread
   * that come before or after it. On most processors this costs a fence.
   */
  ORDERED
}
