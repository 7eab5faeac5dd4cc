// SPDX-License-Identifier: Apache-2.0
package io.jvfio.jfr;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;
import org.jspecify.annotations.Nullable;

/** The run of an interrupt's handler: the other interrupts of the device wait for its end. */
@Name("jvfio.InterruptHandler")
@Label("Interrupt Handler")
@Description("The handler of an interrupt has run; other interrupts of the device waited for it")
@Category({"jvfio", "Device"})
@Threshold("10 ms")
@StackTrace(false)
public final class InterruptHandlerEvent extends Event {
  private static final InterruptHandlerEvent PROBE = new InterruptHandlerEvent();

  @Label("Interrupt")
  @Nullable String interrupt;

  @Label("Signals")
  @Description("How many the handler was told of")
  long signals;

  private InterruptHandlerEvent() {}

  /** Begins the time of an event; null if it is not recorded. */
  public static @Nullable InterruptHandlerEvent started() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new InterruptHandlerEvent();
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
