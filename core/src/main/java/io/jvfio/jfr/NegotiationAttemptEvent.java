// SPDX-License-Identifier: Apache-2.0
package io.jvfio.jfr;

import io.jvfio.Attempt;
import io.jvfio.linux.Errno;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** The attempt to use one IOMMU type, with what {@link Attempt} tells of it. */
@Name("jvfio.NegotiationAttempt")
@Label("IOMMU Negotiation Attempt")
@Description("The attempt to use one IOMMU type for one group")
@Category({"jvfio", "IOMMU"})
@StackTrace(false)
public final class NegotiationAttemptEvent extends Event {
  private static final NegotiationAttemptEvent PROBE = new NegotiationAttemptEvent();

  @Label("Group")
  @Nullable String group;

  @Label("IOMMU Type")
  @Nullable String type;

  @Label("Reached")
  @Description("The step at which it ended: advertised, accepted, described or usable")
  @Nullable String reached;

  @Label("Outcome")
  @Description("usable, refused (it does not exist here) or unusable (it exists and does not work)")
  @Nullable String outcome;

  @Label("Call")
  @Description("The call that ended it")
  @Nullable String call;

  @Label("Errno")
  @Nullable String errno;

  @Label("Meaning")
  @Nullable String meaning;

  private NegotiationAttemptEvent() {}

  /** Begins the time of an event; null if it is not recorded. */
  public static @Nullable NegotiationAttemptEvent started() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new NegotiationAttemptEvent();
    event.begin();
    return event;
  }

  /** Ends it with what became of the attempt. */
  public void ended(String ofGroup, Attempt attempt) {
    group = ofGroup;
    type = attempt.type().id();
    reached = attempt.reached().id();
    outcome = attempt.outcome().id();
    call = attempt.call().orElse(null);
    errno = attempt.errno().map(Errno::symbol).orElse(null);
    meaning = attempt.meaning();
    commit();
  }
}
