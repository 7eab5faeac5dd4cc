// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import static java.util.Objects.requireNonNull;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.spi.Explanation;
import io.jvfio.user.wire.Command;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** A connection could not be made ready for use. */
public final class LinkException extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final String operation;
  private final int errnoNumber;
  private final String meaning;
  private final String nextStep;
  private final boolean isFinal;

  private LinkException(
      String operation, @Nullable Errno errno, String meaning, String nextStep, boolean isFinal) {
    super(meaning);
    this.operation = operation;
    this.errnoNumber = errno == null ? 0 : errno.number();
    this.meaning = meaning;
    this.nextStep = nextStep;
    this.isFinal = isFinal;
  }

  /** Nobody could be connected to. */
  static LinkException connect(Errno errno, String meaning, String nextStep) {
    return new LinkException("connect", errno, meaning, nextStep, false);
  }

  /** There is no number that stands for the device. */
  static LinkException noEventFd(Errno errno) {
    var meaning =
        Explanation.shortage(errno).orElse(new Explanation("The kernel gives no eventfd.", ""));
    return new LinkException("eventfd", errno, meaning.meaning(), meaning.nextStep(), true);
  }

  /** The link failed. */
  public static LinkException of(Link link) {
    var why = requireNonNull(link.failure(), "it failed");
    return new LinkException(
        "negotiate", why.errno(), why.meaning(), why.nextStep(), why.isFinal());
  }

  /** The server refused a command that every server must carry out. */
  static LinkException refused(Request request, Errno errno) {
    return refused("VFIO_USER_" + Command.of(request.command), errno);
  }

  /** The same, by its name. */
  static LinkException refused(String call, Errno errno) {
    return new LinkException(call, errno, "The server refused.", "Look into its log.", true);
  }

  /** The device is none that can be used, or not the one that it was. */
  static LinkException unusable(String meaning) {
    return new LinkException(
        "negotiate", null, meaning, "Check what is served at this path.", true);
  }

  /** Whether trying again is of no use. */
  boolean isFinal() {
    return isFinal;
  }

  /** The same as what a link fails with. */
  LinkFailure failure() {
    return new LinkFailure(
        errnoNumber == 0 ? Errno.ENODEV : Errno.of(errnoNumber), meaning, nextStep, isFinal);
  }

  /** The same for the user. */
  public VfioException of(String subject) {
    var failure =
        new VfioException(
            operation, subject, errnoNumber == 0 ? null : Errno.of(errnoNumber), meaning, nextStep);
    failure.initCause(this);
    return failure;
  }
}
