// SPDX-License-Identifier: Apache-2.0
package io.jvfio.jfr;

import io.jvfio.IommuType;
import io.jvfio.Negotiation;
import java.util.stream.Collectors;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import org.jspecify.annotations.Nullable;

/** The negotiation of a group's IOMMU type: its duration is that of all attempts. */
@Name("jvfio.Negotiation")
@Label("IOMMU Negotiation")
@Description("The search for the IOMMU type that works for one group")
@Category({"jvfio", "IOMMU"})
public final class NegotiationEvent extends Event {
  private static final NegotiationEvent PROBE = new NegotiationEvent();

  @Label("Group")
  @Nullable String group;

  @Label("Purpose")
  @Description("open: the first type that works is kept; probe: all are tried, none is kept")
  @Nullable String purpose;

  @Label("Chosen Type")
  @Description("The IOMMU type that works and comes first, none if there is no such type")
  @Nullable String chosen;

  @Label("Usable Types")
  @Nullable String usable;

  @Label("Attempts")
  @Description("How many types were candidates")
  int attempts;

  @Label("Failure")
  @Description("Why the group cannot be opened, none if that is not known or it can be")
  @Nullable String failure;

  private NegotiationEvent() {}

  /** Begins the time of an event; null if it is not recorded. */
  public static @Nullable NegotiationEvent started() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new NegotiationEvent();
    event.begin();
    return event;
  }

  /** Ends it with the result of the negotiation. */
  public void ended(String ofGroup, String forPurpose, Negotiation result) {
    chosen = result.chosen().map(IommuType::id).orElse(null);
    usable = result.usable().stream().map(IommuType::id).collect(Collectors.joining(", "));
    attempts = result.attempts().size();
    ended(ofGroup, forPurpose, result.failure().map(Throwable::getMessage).orElse(null));
  }

  /** Ends it where there was no result. */
  public void ended(String ofGroup, String forPurpose, @Nullable String why) {
    group = ofGroup;
    purpose = forPurpose;
    failure = why;
    commit();
  }
}
