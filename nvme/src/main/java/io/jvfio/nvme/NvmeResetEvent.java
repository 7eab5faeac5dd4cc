// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import org.jspecify.annotations.Nullable;

/** The reset of a controller that did not do what it should. */
@Name("jvfio.NvmeReset")
@Label("NVMe Controller Reset")
@Description("A controller was stopped after a failure, and begun anew if it can be")
@Category({"jvfio", "NVMe"})
final class NvmeResetEvent extends Event {
  @Label("Device")
  @Nullable String device;

  @Label("Works Again")
  @Description("false: it was stopped for good")
  boolean worksAgain;

  @Label("Cause")
  @Nullable String cause;

  private NvmeResetEvent() {}

  /** Begins the time of an event. */
  static NvmeResetEvent started() {
    var event = new NvmeResetEvent();
    event.begin();
    return event;
  }

  /** Ends it. */
  void ended(String ofDevice, boolean works, Throwable because) {
    device = ofDevice;
    worksAgain = works;
    cause = because.getMessage();
    commit();
  }
}
