// SPDX-License-Identifier: Apache-2.0
package io.jvfio.jfr;

import jdk.jfr.FlightRecorder;

/**
 * Whether there is anything to make events for. The classes of events are not touched before, so
 * that a runtime without {@code jdk.jfr} does without them, and a short command does not load them.
 */
public final class Jfr {
  /** Whether this Java runtime has the module {@code jdk.jfr}; a small one may lack it. */
  public static final boolean EXISTS = ModuleLayer.boot().findModule("jdk.jfr").isPresent();

  private Jfr() {}

  /** Whether a recording was ever begun in this process. It may have ended since. */
  public static boolean isInUse() {
    return EXISTS && FlightRecorder.isInitialized();
  }
}
