// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.recording;

import io.jvfio.linux.uapi.LittleEndian;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * Takes out of configuration space what may tell one device from others of its kind, such as its
 * serial number: what stays is the header and, of capabilities that the specifications define, as
 * many bytes as those give them. Of other capabilities the header stays. What is in none is a
 * vendor's own and becomes zero. Source: PCI Local Bus Specification 3.0, appendix H; PCI Express
 * Base Specification, chapter 7.
 */
final class ConfigMask {
  private static final int HEADER = 64;
  private static final int POINTER = 0x34;
  private static final int EXTENDED = 256;
  private static final int MOST = 48;

  /**
   * Sizes in bytes of what is no one's own; power management, slots, messages, Express and such.
   */
  private static final Map<Integer, Integer> SIZES =
      Map.of(0x01, 8, 0x02, 12, 0x04, 4, 0x05, 24, 0x0d, 8, 0x10, 60, 0x11, 12, 0x13, 6);

  /**
   * Errors, virtual channels, power, access control, routing, translation, functions, pages; what
   * is a vendor's own by its name.
   */
  private static final Map<Integer, Integer> EXTENDED_SIZES =
      Map.ofEntries(
          Map.entry(0x01, 72),
          Map.entry(0x02, 28),
          Map.entry(0x04, 16),
          Map.entry(0x0b, 8),
          Map.entry(0x0d, 8),
          Map.entry(0x0e, 8),
          Map.entry(0x0f, 8),
          Map.entry(0x10, 64),
          Map.entry(0x13, 16),
          Map.entry(0x15, 12),
          Map.entry(0x17, 12),
          Map.entry(0x18, 8),
          Map.entry(0x19, 28),
          Map.entry(0x1b, 8),
          Map.entry(0x1e, 16),
          Map.entry(0x1f, 12),
          Map.entry(0x23, 12));

  private ConfigMask() {}

  /** A copy without what is private. */
  static byte[] of(byte[] config) {
    var kept = new byte[config.length];
    copy(config, kept, 0, HEADER);
    if (config.length < EXTENDED) {
      return kept;
    }
    int at = config[POINTER] & 0xfc;
    for (int hops = 0; at >= HEADER && at < EXTENDED && hops < MOST; hops++) {
      int id = config[at] & 0xff;
      copy(config, kept, at, SIZES.getOrDefault(id, 4));
      at = config[at + 1] & 0xfc;
    }
    at = EXTENDED;
    var all = MemorySegment.ofArray(config);
    for (int hops = 0; at >= EXTENDED && at + 4 <= config.length && hops < config.length; hops++) {
      int header = (int) LittleEndian.load(all, at, 4);
      copy(config, kept, at, EXTENDED_SIZES.getOrDefault(header & 0xffff, 4));
      at = header >>> 20 & 0xffc;
    }
    return kept;
  }

  private static void copy(byte[] from, byte[] to, int at, int size) {
    int end = Math.min(at + size, from.length);
    System.arraycopy(from, at, to, at, end - at);
  }
}
