// SPDX-License-Identifier: Apache-2.0
package io.jvfio.jfr;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/**
 * The wait of a thread for an interrupt, once it has ended. Most waits are long because nothing is
 * to be done, so nobody gets these events without asking for them.
 */
@Name("jvfio.InterruptWait")
@Label("Interrupt Wait")
@Description("A thread has waited for an interrupt; a look that does not wait makes no event")
@Category({"jvfio", "Device"})
@Enabled(false)
@StackTrace(false)
public final class InterruptWaitEvent extends Event {
  private static final InterruptWaitEvent PROBE = new InterruptWaitEvent();

  @Label("Interrupt")
  @Nullable String interrupt;

  @Label("Signals")
  @Description("How many the wait ended with; 0 when its time was over")
  long signals;

  private InterruptWaitEvent() {}

  /** Begins the time of an event; null if it is not recorded. */
  public static @Nullable InterruptWaitEvent started() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new InterruptWaitEvent();
    event.begin();
    return event;
  }

  /** Ends it. */
  public void ended(String name, long count) {
    end();
    if (shouldCommit()) {
      interrupt = name;
      signals = count;
      commit();
    }
  }
}
