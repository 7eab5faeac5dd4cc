// SPDX-License-Identifier: Apache-2.0
package io.jvfio.spi;

import io.jvfio.DmaAccess;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.lang.foreign.MemorySegment;

/**
 * A device behind a connection to its server, of which the other end answers what the kernel's VFIO
 * device file answers.
 *
 * <p>All methods may be called from any thread, and answer as a {@link Kernel} does: nothing is
 * thrown for a failed call.
 */
public interface DeviceConnection {
  /** What the device is called, such as {@code unix:/run/nvme.sock}. */
  String name();

  /**
   * Answers the calls of a VFIO device file on {@link #fd()}, and all others as this machine's
   * kernel does.
   *
   * <p>{@link Kernel#close} of {@link #fd()} ends the connection, and every call under way.
   */
  Kernel kernel();

  /** Stands for the device file. */
  int fd();

  /**
   * Whether there is anybody to ask at this moment. Where there is not, what turns something off
   * (interrupts, mappings) succeeds: a server keeps nothing of a connection that has ended.
   */
  boolean isConnected();

  /** The device is about to be closed: from now on no call waits for a connection that is lost. */
  void beginClose();

  /** How many mappings there may be at once. */
  long mostMappings();

  /** The smallest unit of mapping in bytes, a power of two. */
  long pageSize();

  /**
   * Lets the device reach memory. On failure it reaches nothing of it.
   *
   * @param fd a memory file that is this memory, or -1
   * @param memory the memory, which may be of one thread only, and whose owner should not, but may,
   *     free it before it is unmapped
   * @param iova where the device finds it
   * @return 0, or a negated errno
   */
  int mapDma(int fd, MemorySegment memory, long iova, DmaAccess access);

  /**
   * Ends what {@link #mapDma} began. When it returns 0 nobody uses the memory any more.
   *
   * @return 0, or a negated errno: the device may still reach the memory
   */
  int unmapDma(long iova, long byteSize);

  /**
   * Writes registers that lie behind each other, ascending and by accesses of one width, with as
   * few messages as it takes.
   *
   * @param offset of the first, as for {@link Kernel#pwrite} on {@link #fd()}
   * @param source native memory of whole registers
   * @param width of each, in bytes: 1, 2, 4 or 8
   * @return how many bytes were written, or a negated errno
   */
  long writeEach(long offset, MemorySegment source, int width);

  /** What an error means that a call on {@link #fd()}, or of DMA, has just answered with. */
  Explanation explain(Errno errno);
}
