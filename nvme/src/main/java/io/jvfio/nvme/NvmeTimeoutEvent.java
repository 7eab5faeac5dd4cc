// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;
import org.jspecify.annotations.Nullable;

/** A command that did not come back in time, and what is done about it. */
@Name("jvfio.NvmeTimeout")
@Label("NVMe Time-out")
@Description("A command did not come back in time")
@Category({"jvfio", "NVMe"})
@StackTrace(false)
final class NvmeTimeoutEvent extends Event {
  @Label("Device")
  @Nullable String device;

  @Label("Queue")
  @Description("0 is the admin queue")
  int queue;

  @Label("Command Identifier")
  int identifier;

  @Label("Limit")
  @Description("The time that it had; of an I/O command from when it was first noticed")
  @Timespan(Timespan.NANOSECONDS)
  long limit;

  @Label("Action")
  @Description("abort: the controller is asked to abort it; reset: the controller is reset")
  @Nullable String action;

  private NvmeTimeoutEvent() {}

  /** Tells of a command whose time is over. */
  static void told(String device, int queue, int identifier, long limitNanos, String action) {
    var event = new NvmeTimeoutEvent();
    event.device = device;
    event.queue = queue;
    event.identifier = identifier;
    event.limit = limitNanos;
    event.action = action;
    event.commit();
  }
}
