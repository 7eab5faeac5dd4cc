// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.spi.Explanation;
import java.io.Serial;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The kernel, or a rule of ours that spares it the question, refused one call of the backend. */
public final class Refusal extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final String call;
  private final int errnoNumber;
  private final boolean lacking;
  private final Explanation explanation;

  private Refusal(String call, int errnoNumber, boolean lacking, Explanation explanation) {
    super(call);
    this.lacking = lacking;
    this.call = call;
    this.errnoNumber = errnoNumber;
    this.explanation = explanation;
  }

  /** A call that the kernel answered with an error. */
  public static Refusal answered(Ioctl call, long result, Explanation explanation) {
    return new Refusal(
        call.name(), result < 0 ? Errno.ofResult(result).number() : 0, false, explanation);
  }

  /** A system call other than an ioctl that the kernel answered with an error. */
  public static Refusal answered(String call, long result, Explanation explanation) {
    return new Refusal(call, Errno.ofResult(result).number(), false, explanation);
  }

  /** A call that was not made, since what is known already rules it out. */
  public static Refusal notAsked(String call, Explanation explanation) {
    return new Refusal(call, 0, false, explanation);
  }

  /** A call that was not made for want of something that the user can give. */
  public static Refusal lacking(String call, Explanation explanation) {
    return new Refusal(call, 0, true, explanation);
  }

  /** The first of two, which knows of the other. */
  public static Refusal firstOf(@Nullable Refusal earlier, Refusal next) {
    if (earlier == null) {
      return next;
    }
    earlier.addSuppressed(next);
    return earlier;
  }

  public String call() {
    return call;
  }

  public Optional<Errno> errno() {
    return errnoNumber == 0 ? Optional.empty() : Optional.of(Errno.of(errnoNumber));
  }

  /** The call and the errno, where there is one, without what they mean. */
  public String inShort() {
    return errnoNumber == 0 ? call : call + ": " + Errno.of(errnoNumber).symbol();
  }

  public Explanation explanation() {
    return explanation;
  }

  /**
   * Whether the cause is something for the user to mend, so that another IOMMU type is no answer to
   * it.
   */
  public boolean isForUserToMend() {
    return lacking || errno().filter(Explanations::isForUserToMend).isPresent();
  }

  /** This refusal as a failure of {@code subject}. */
  public VfioException of(String subject) {
    var failure = explanation.failure(call, subject, errno().orElse(null));
    failure.initCause(this);
    return failure;
  }
}
