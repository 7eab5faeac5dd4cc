// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** The search for a new connection: all calls of the device have waited for its end. */
@Name("jvfio.UserReconnect")
@Label("vfio-user Reconnect")
@Description("A connection to a server was lost, and a new one was tried for")
@Category({"jvfio", "vfio-user"})
@StackTrace(false)
final class ReconnectEvent extends Event {
  @Label("Server")
  @Nullable String server;

  @Label("Connected")
  @Description("Whether there is a new connection; the device is as after a reset then")
  boolean connected;

  @Label("Attempts")
  int attempts;

  @Label("Lost")
  @Description("Why the connection was lost")
  @Nullable String lost;

  @Label("Failure")
  @Description("Why there is no new connection; none if there is one")
  @Nullable String failure;

  private ReconnectEvent() {}

  /** Begins the time of an event. */
  static ReconnectEvent started() {
    var event = new ReconnectEvent();
    event.begin();
    return event;
  }

  /**
   * Ends it.
   *
   * @param why there is no new connection; null if there is one
   */
  void ended(String name, LinkFailure loss, int count, @Nullable LinkFailure why) {
    server = name;
    connected = why == null;
    attempts = count;
    lost = loss.meaning();
    failure = why == null ? null : why.meaning();
    commit();
  }
}
