// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.util.logging.LogManager;

/**
 * {@code java.util.logging} as the command uses it: it keeps its handlers while the JVM ends. What
 * a disk has to say when it is closed at SIGTERM, such as that the last flush failed, is for the
 * operator, and the handlers would be gone by then.
 */
public final class OperatorLog extends LogManager {
  /** Made by {@code java.util.logging}, which is told so by a property. */
  public OperatorLog() {}

  /** Called when the JVM begins to end; and before a configuration is read, with nothing to do. */
  @Override
  public void reset() {}
}
