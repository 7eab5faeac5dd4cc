// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import java.io.Serial;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;

/** A command could not do what it was asked to, for a reason that its message tells. */
public final class CommandFailure extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  public CommandFailure(String message) {
    super(message);
  }

  /**
   * What a file has done to a command.
   *
   * @param what could not be done, as the beginning of a sentence
   */
  public CommandFailure(String what, Exception cause) {
    super(what + ": " + reason(cause), cause);
  }

  /** What a failure says; the JDK's message is no more than the path where the path is to blame. */
  public static String reason(Throwable thrown) {
    var inner = thrown.getCause();
    var cause = thrown instanceof UncheckedIOException && inner != null ? inner : thrown;
    var message = cause.getMessage();
    return switch (cause) {
      case NoSuchFileException _ -> message + " does not exist";
      case AccessDeniedException _ -> message + " may not be accessed";
      default -> message == null ? cause.toString() : message;
    };
  }
}
