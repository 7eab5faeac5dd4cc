package io.jvfio.cli;

import java.io.Serial;

/** A command could not do what it was asked to, for a reason that its message tells. */
final class CommandFailure extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  CommandFailure(String message) {
    super(message);
  }
}
