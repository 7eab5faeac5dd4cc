// SPDX-License-Identifier: Apache-2.0
package io.jvfio.jfr;

import io.jvfio.linux.Errno;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import org.jspecify.annotations.Nullable;

/** A reset of a device, as it was asked for. */
@Name("jvfio.DeviceReset")
@Label("Device Reset")
@Description("A device was reset, or could not be")
@Category({"jvfio", "Device"})
public final class DeviceResetEvent extends Event {
  private static final DeviceResetEvent PROBE = new DeviceResetEvent();

  @Label("Device")
  @Nullable String device;

  @Label("Kind")
  @Description(
      "function: this function alone; close: the same, as the first step of closing; bus: all"
          + " functions of its bus or slot; eeh-hot, eeh-fundamental: the endpoint of a POWER machine")
  @Nullable String kind;

  @Label("Failure")
  @Description("The errno of the call; none if the device was reset")
  @Nullable String failure;

  private DeviceResetEvent() {}

  /** Begins the time of an event; null if it is not recorded. */
  public static @Nullable DeviceResetEvent started() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new DeviceResetEvent();
    event.begin();
    return event;
  }

  /**
   * Ends it.
   *
   * @param result the answer to the call, of which all but 0 is a failure
   */
  public void ended(String ofDevice, String ofKind, int result) {
    device = ofDevice;
    kind = ofKind;
    failure =
        result == 0 ? null : result < 0 ? Errno.ofResult(result).symbol() : "answer " + result;
    commit();
  }
}
