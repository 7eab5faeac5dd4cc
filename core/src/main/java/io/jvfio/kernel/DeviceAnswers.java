package io.jvfio.kernel;

import io.jvfio.DeviceFeature;
import io.jvfio.IrqInfo;
import io.jvfio.linux.Errno;

/**
 * What the errors of a device's file mean, which depends on who answers: the kernel, or a server
 * behind a connection.
 */
public interface DeviceAnswers {
  /** Of any call that has no method of its own here. */
  Explanation device(Errno errno);

  /** Of SET_IRQS. */
  Explanation interrupts(IrqInfo index, Errno errno);

  /** Of SET_IRQS, answered with a number of vectors that cannot be. */
  Explanation tooManyVectors(int count);

  /** Of a feature. */
  Explanation feature(DeviceFeature feature, Errno errno, HostFacts facts);

  /** Of reading or writing migration data. */
  Explanation migrationData(Errno errno);

  /** Of mapping a region. */
  Explanation mapRegion(Errno errno);

  /** Of an ioeventfd. */
  Explanation ioEventFd(Errno errno);

  /**
   * Of an access that was not answered, by a device whose configuration space does not tell why.
   */
  Explanation noAnswer();

  /** Of a device whose configuration space does not answer either. */
  Explanation gone();

  /** A description that makes no sense. */
  Explanation senseless(String what);
}
