// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.DeviceFeature;
import io.jvfio.IrqInfo;
import io.jvfio.linux.Errno;
import io.jvfio.spi.Explanation;

/** The meanings of the kernel's errors. */
public final class KernelAnswers implements DeviceAnswers {
  public static final KernelAnswers INSTANCE = new KernelAnswers();

  private KernelAnswers() {}

  @Override
  public Explanation device(Errno errno) {
    return new Explanation(
        errno.equals(Errno.ENODEV) || errno.equals(Errno.EIO)
            ? "The device does not answer: it is gone, asleep, or decodes no memory."
            : "The kernel refused; Linux does not document this answer here.",
        "Look for the reason in dmesg.");
  }

  @Override
  public Explanation interrupts(IrqInfo index, Errno errno) {
    return Explanations.interrupts(index, errno);
  }

  @Override
  public Explanation tooManyVectors(int count) {
    return Explanations.tooManyVectors(count);
  }

  @Override
  public Explanation feature(DeviceFeature feature, Errno errno, HostFacts facts) {
    return Explanations.feature(feature, errno, facts.kernelRelease());
  }

  @Override
  public Explanation migrationData(Errno errno) {
    return Explanations.migrationData(errno);
  }

  @Override
  public Explanation mapRegion(Errno errno) {
    return errno.equals(Errno.EBUSY)
        ? new Explanation(
            "Somebody else on this host has claimed the BAR.", "Look for its owner in /proc/iomem.")
        : new Explanation("The kernel refused to map the region.", "Look for the reason in dmesg.");
  }

  @Override
  public Explanation ioEventFd(Errno errno) {
    return Explanations.ioEventFd(errno);
  }

  @Override
  public Explanation noAnswer() {
    return new Explanation(
        "The device did not answer: it is asleep in low power, or something on the way to it failed.",
        "End low power if it is on; otherwise look for the reason in dmesg.");
  }

  @Override
  public Explanation gone() {
    return new Explanation(
        "The device did not answer: it is gone, and its configuration space reads as ones.",
        "Close it; if it should be there, look for the reason in dmesg.");
  }

  @Override
  public Explanation senseless(String what) {
    return new Explanation(
        "The kernel describes it with " + what + ".",
        "Report the output of 'jvfio --json show' together with dmesg.");
  }
}
