// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

/**
 * Memory of the host's that a device has others read or write, such as a kernel by a system call.
 * It stays at its addresses until {@link #end}, even if the host takes it away before: then a
 * system call that wants it answers EFAULT. The device itself never reads or writes it, since
 * nothing protects a plain access from that.
 *
 * <p>One object stands for all leases of a piece of memory at a time, so that none is made for
 * each. Safe for use by several threads.
 */
public interface DmaLease {
  /**
   * The address at which this process has the memory.
   *
   * @param iova an IO virtual address of the range that was leased
   */
  long address(long iova);

  /**
   * Gives a range back that was leased; once for each lease.
   *
   * @param wasWritten whether the device may have written to it
   */
  void end(long iova, long byteSize, boolean wasWritten);
}
