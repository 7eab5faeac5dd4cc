// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.Errno;
import java.io.Serial;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An operation on VFIO failed. The message names the operation and its object, the error, what the
 * error means here, and what the user can do next; each part is also available on its own.
 */
public final class VfioException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  private final String operation;
  private final String subject;
  private final int errnoNumber;
  private final String meaning;
  private final String nextStep;

  /**
   * A failure.
   *
   * @param operation the system call or step, such as {@code VFIO_SET_IOMMU(spapr-tce-v2)}
   * @param subject the group, device, window or file
   * @param errno the kernel's answer, or null where the kernel was not asked
   * @param meaning a sentence: what it means on this machine
   * @param nextStep a sentence: what the user can do; empty where there is nothing
   */
  public VfioException(
      String operation, String subject, @Nullable Errno errno, String meaning, String nextStep) {
    super(message(operation, subject, errno, meaning, nextStep));
    this.operation = operation;
    this.subject = subject;
    this.errnoNumber = errno == null ? 0 : errno.number();
    this.meaning = meaning;
    this.nextStep = nextStep;
  }

  private static String message(
      String operation, String subject, @Nullable Errno errno, String meaning, String nextStep) {
    var text = new StringBuilder(operation).append(" on ").append(subject).append(" failed: ");
    if (errno != null) {
      text.append(errno.symbol()).append(" (").append(errno.text()).append("). ");
    }
    text.append(meaning);
    if (!nextStep.isEmpty()) {
      text.append(' ').append(nextStep);
    }
    return text.toString();
  }

  @Override
  public String getMessage() {
    return Objects.requireNonNull(super.getMessage(), "always given");
  }

  /** The system call or step that failed. */
  public String operation() {
    return operation;
  }

  /** The group, device, window or file. */
  public String subject() {
    return subject;
  }

  /** The kernel's answer; empty where the kernel was not asked. */
  public Optional<Errno> errno() {
    return errnoNumber == 0 ? Optional.empty() : Optional.of(Errno.of(errnoNumber));
  }

  /** The meaning of the failure on this machine, a sentence. */
  public String meaning() {
    return meaning;
  }

  /** The next step for the user, a sentence; empty where there is nothing to do. */
  public String nextStep() {
    return nextStep;
  }
}
