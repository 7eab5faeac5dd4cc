// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.DeviceFeature;
import io.jvfio.IrqInfo;
import io.jvfio.linux.Errno;
import io.jvfio.spi.Explanation;

/**
 * The meanings of the errors of a device's file, which depend on who answers: the kernel, or a
 * server behind a connection.
 */
public interface DeviceAnswers {
  /** Explains an error of any call that has no method of its own here. */
  Explanation device(Errno errno);

  /** Explains an error of SET_IRQS. */
  default Explanation interrupts(IrqInfo index, Errno errno) {
    return device(errno);
  }

  /** Explains an answer to SET_IRQS that is a number of vectors, and cannot be true. */
  Explanation tooManyVectors(int count);

  /** Explains an error of a feature. */
  Explanation feature(DeviceFeature feature, Errno errno, HostFacts facts);

  /** Explains an error of reading or writing migration data. */
  default Explanation migrationData(Errno errno) {
    return device(errno);
  }

  /** Explains an error of mapping a region. */
  Explanation mapRegion(Errno errno);

  /** Explains an error of an ioeventfd. */
  Explanation ioEventFd(Errno errno);

  /**
   * Explains an access that was not answered, by a device whose configuration space does not tell
   * why.
   */
  Explanation noAnswer();

  /** Explains a device whose configuration space does not answer either. */
  Explanation gone();

  /** Explains a description that makes no sense. */
  Explanation senseless(String what);
}
