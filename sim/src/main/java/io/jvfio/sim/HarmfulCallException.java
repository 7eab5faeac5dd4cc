// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

/**
 * A system call that would do harm to the kernel that the host imitates: it would crash, or write
 * where it must not. Nothing of it is simulated; a program that meets this has a mistake that no
 * test on a real machine should find.
 */
public final class HarmfulCallException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  /** With what was asked for and what would come of it. */
  HarmfulCallException(String message, Throwable cause) {
    super(message, cause);
  }
}
