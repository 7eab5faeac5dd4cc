// SPDX-License-Identifier: Apache-2.0
package io.jvfio.spi;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import java.io.Serializable;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The meaning of an error, and what to do about it.
 *
 * @param meaning a sentence: what it means on this machine
 * @param nextStep a sentence: what the user can do; empty where there is nothing
 */
public record Explanation(String meaning, String nextStep) implements Serializable {
  /** Returns both sentences. */
  public String text() {
    return nextStep.isEmpty() ? meaning : meaning + " " + nextStep;
  }

  /**
   * The exception for a failure that means this.
   *
   * @param operation the system call or step
   * @param subject the group, device, window or file
   * @param errno the answer, or null where nobody was asked
   */
  public VfioException failure(String operation, String subject, @Nullable Errno errno) {
    return new VfioException(operation, subject, errno, meaning, nextStep);
  }

  /**
   * Explains, whatever was called, that this process or machine has no more of something; empty for
   * any other error.
   */
  public static Optional<Explanation> shortage(Errno errno) {
    if (errno.equals(Errno.EMFILE)) {
      return Optional.of(
          new Explanation(
              "This process has too many open files.", "Close some, or raise 'ulimit -n'."));
    }
    if (errno.equals(Errno.ENFILE)) {
      return Optional.of(
          new Explanation(
              "This machine has too many open files.",
              "Close some, or raise fs.file-max with sysctl."));
    }
    return errno.equals(Errno.ENOMEM)
        ? Optional.of(
            new Explanation("The kernel has no memory for it.", "Free memory on this machine."))
        : Optional.empty();
  }
}
