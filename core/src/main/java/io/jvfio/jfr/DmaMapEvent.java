// SPDX-License-Identifier: Apache-2.0
package io.jvfio.jfr;

import io.jvfio.DmaAccess;
import java.util.Locale;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;
import org.jspecify.annotations.Nullable;

/** The mapping of memory: its duration is that of the calls to map it, not of looking for room. */
@Name("jvfio.DmaMap")
@Label("DMA Map")
@Description("Memory was mapped for devices, in every domain of the DMA space")
@Category({"jvfio", "DMA"})
@Threshold("1 ms")
@StackTrace(false)
public final class DmaMapEvent extends Event {
  private static final DmaMapEvent PROBE = new DmaMapEvent();

  @Label("DMA Space")
  @Nullable String space;

  @Label("IOVA")
  @MemoryAddress
  long iova;

  @Label("Size")
  @DataAmount
  long size;

  @Label("Access")
  @Description("What the device may do: read, write or read-write")
  @Nullable String access;

  @Label("Made At")
  @Description("The code outside of the module io.jvfio that asked for the mapping")
  @Nullable String place;

  @Label("Failure")
  @Description("The call that was refused, and its errno; none if the memory is mapped")
  @Nullable String failure;

  private DmaMapEvent() {}

  /** Begins the time of an event; null if it is not recorded. */
  public static @Nullable DmaMapEvent started() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new DmaMapEvent();
    event.begin();
    return event;
  }

  /**
   * Ends it.
   *
   * @param why the memory is not mapped; null if it is
   */
  public void ended(
      String inSpace,
      long at,
      long byteSize,
      DmaAccess allowed,
      String madeAt,
      @Nullable String why) {
    end();
    if (shouldCommit()) {
      space = inSpace;
      iova = at;
      size = byteSize;
      access = allowed.name().toLowerCase(Locale.ROOT).replace("_", "-");
      place = madeAt;
      failure = why;
      commit();
    }
  }
}
