// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import io.jvfio.kernel.DeviceAnswers;
import io.jvfio.linux.Errno;

/**
 * The call that tells a device where to send its interrupts: all that differs between the ways to a
 * device.
 */
interface InterruptControl {
  /** What messages call the device. */
  String subject();

  /** What its errors mean. */
  DeviceAnswers answers();

  /**
   * {@code VFIO_DEVICE_SET_IRQS} or what stands for it.
   *
   * @param flags one {@code VFIO_IRQ_SET_ACTION_} bit, and {@code VFIO_IRQ_SET_DATA_NONE} or {@code
   *     VFIO_IRQ_SET_DATA_EVENTFD}
   * @param index the interrupt index
   * @param start the first interrupt of it
   * @param count how many
   * @param eventFds a descriptor for each, -1 for none; not looked at without {@code DATA_EVENTFD}
   * @return 0, a positive number of vectors that can be had instead, or a negated {@link Errno}
   */
  int set(int flags, int index, int start, int count, int... eventFds);

  /**
   * A wait for a message of the device ended in vain: says why in the log, where that is known.
   *
   * @param interrupt what messages call it
   */
  void waitedInVain(String interrupt);
}
