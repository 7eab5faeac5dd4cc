// SPDX-License-Identifier: Apache-2.0
package io.jvfio.jfr;

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

/** The end of a mapping, or of all mappings of a space at once. */
@Name("jvfio.DmaUnmap")
@Label("DMA Unmap")
@Description("Memory was taken from devices, in every domain of the DMA space")
@Category({"jvfio", "DMA"})
@Threshold("1 ms")
@StackTrace(false)
public final class DmaUnmapEvent extends Event {
  private static final DmaUnmapEvent PROBE = new DmaUnmapEvent();

  @Label("DMA Space")
  @Nullable String space;

  @Label("IOVA")
  @Description("Of the mapping; 0 if all were unmapped by one call")
  @MemoryAddress
  long iova;

  @Label("Size")
  @DataAmount
  long size;

  @Label("Mappings")
  @Description("How many were unmapped by one call: more than 1 only when a DMA space is closed")
  int mappings;

  @Label("Failure")
  @Description("The call that was refused, and its errno; none if the device lost the memory")
  @Nullable String failure;

  private DmaUnmapEvent() {}

  /** Begins the time of an event; null if it is not recorded. */
  public static @Nullable DmaUnmapEvent started() {
    if (!PROBE.isEnabled()) {
      return null;
    }
    var event = new DmaUnmapEvent();
    event.begin();
    return event;
  }

  /**
   * Ends it.
   *
   * @param why the device still reaches the memory; null if it does not
   */
  public void ended(String inSpace, long at, long byteSize, int count, @Nullable String why) {
    end();
    if (shouldCommit()) {
      space = inSpace;
      iova = at;
      size = byteSize;
      mappings = count;
      failure = why;
      commit();
    }
  }
}
