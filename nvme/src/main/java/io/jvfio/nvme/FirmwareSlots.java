// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The firmware that a controller has. Source: NVM Express Base Specification, "Firmware Slot
 * Information".
 *
 * @param active the slot that it runs from, 1 to 7
 * @param next the slot that it will run from after the next reset; 0 if that was not changed
 * @param revisions what is in slots 1 to 7; empty for a slot that is empty or not there
 */
public record FirmwareSlots(int active, int next, List<String> revisions) {
  static final int BYTES = 512;

  private static final int SLOTS = 7;
  private static final int REVISION_BYTES = 8;

  /** Keeps a copy of the revisions. */
  public FirmwareSlots {
    revisions = List.copyOf(revisions);
  }

  static FirmwareSlots decode(MemorySegment page) {
    int info = page.get(LE8, 0);
    return new FirmwareSlots(
        info & 7,
        (info >> 4) & 7,
        IntStream.rangeClosed(1, SLOTS).mapToObj(slot -> revision(page, slot)).toList());
  }

  private static String revision(MemorySegment page, int slot) {
    byte[] bytes =
        page.asSlice((long) slot * REVISION_BYTES, REVISION_BYTES).toArray(ValueLayout.JAVA_BYTE);
    String text = new String(bytes, StandardCharsets.US_ASCII);
    int end = text.indexOf('\0');
    return (end < 0 ? text : text.substring(0, end)).strip();
  }
}
