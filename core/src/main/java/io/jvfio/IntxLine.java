// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * The legacy interrupt line of a device that is in use. Each signal masks the line until {@link
 * #unmask()}: the handler makes the device lower it, and unmasks then. Safe for use by several
 * threads.
 */
public interface IntxLine extends Interrupt, AutoCloseable {
  /** Masks the line: signals wait. */
  void mask();

  /** Lets signals through; one that waits comes at once. */
  void unmask();

  /**
   * An eventfd whose signal unmasks the line in the kernel, without a system call of this process
   * if something else signals it, such as a virtual machine monitor (resample). It is for
   * signalling only: newer kernels take what it counts, Linux 5.10 leaves it there. The same at
   * each call.
   *
   * @throws VfioException if the kernel refuses
   */
  int resampleDescriptor();

  /** Turns the line off. Idempotent. */
  @Override
  void close();
}
