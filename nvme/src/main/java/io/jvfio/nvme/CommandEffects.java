// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.TreeMap;

/**
 * The commands that a controller supports, and what they do to it. Source: NVM Express Base
 * Specification, "Commands Supported and Effects".
 *
 * @param admin for each admin opcode that is supported, its entry: bit 1 changes data, 2 changes
 *     capabilities of a namespace, 3 the namespaces, 4 the controller, 18:16 what may run beside it
 * @param io the same for each I/O opcode
 */
public record CommandEffects(Map<Integer, Integer> admin, Map<Integer, Integer> io) {
  static final int BYTES = 2048;

  private static final int OPCODES = 256;
  private static final int SUPPORTED = 1;

  /** Keeps copies. */
  public CommandEffects {
    admin = Map.copyOf(admin);
    io = Map.copyOf(io);
  }

  static CommandEffects decode(MemorySegment page) {
    return new CommandEffects(entries(page, 0), entries(page, OPCODES * Integer.BYTES));
  }

  private static Map<Integer, Integer> entries(MemorySegment page, long start) {
    Map<Integer, Integer> entries = new TreeMap<>();
    for (int opcode = 0; opcode < OPCODES; opcode++) {
      int entry = page.get(LE32, start + (long) opcode * Integer.BYTES);
      if ((entry & SUPPORTED) != 0) {
        entries.put(opcode, entry);
      }
    }
    return entries;
  }
}
