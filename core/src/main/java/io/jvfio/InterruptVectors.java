// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * Message-signalled interrupts of a device that are in use: vectors 0 to {@link #count()} - 1. Safe
 * for use by several threads.
 */
public interface InterruptVectors extends AutoCloseable {
  /** The number of vectors in use, which may be fewer than were asked for. */
  int count();

  /**
   * A vector.
   *
   * @throws IndexOutOfBoundsException if {@code index} is not below {@link #count()}
   */
  Interrupt vector(int index);

  /**
   * Brings more vectors into use; those that are there keep their eventfds and handlers. Where the
   * kernel can add vectors (dynamic MSI-X) the others are not disturbed. Elsewhere all are turned
   * off and on again, and then each is signalled once by software, since an interrupt that came in
   * between is lost otherwise.
   *
   * @param count how many there shall be, at least as many as now
   * @return how many there are then: fewer than {@code count} when the host has no more
   * @throws IllegalArgumentException if the device has fewer than {@code count}, or {@code count}
   *     is less than there are
   * @throws VfioException if the kernel refuses; the vectors of before are in use still, unless the
   *     kernel does not take them back either: then they are off, and can only be closed
   * @throws IllegalStateException once closed
   */
  int grow(int count);

  /** Turns all vectors off. Idempotent. */
  @Override
  void close();
}
