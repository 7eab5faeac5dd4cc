// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeMap;

/**
 * The memory of this JVM at one moment: what a system call may be given besides the memory that the
 * simulated kernel mapped, since a real kernel takes any memory of the process. Only {@code
 * /proc/self/maps} knows what is there; where there is no such file, nothing is. Source: {@code
 * proc_pid_maps(5)}.
 */
final class OwnMemory {
  private static final Path MAPS = Path.of("/proc/self/maps");

  /** Below this no process has memory: {@code vm.mmap_min_addr}. */
  private static final long LOWEST = 1 << 16;

  private final TreeMap<Long, Piece> pieces = new TreeMap<>();

  private record Piece(long end, boolean writable) {}

  private OwnMemory() {}

  /** Reads what there is at this moment. */
  static OwnMemory snapshot() {
    var memory = new OwnMemory();
    try {
      for (var line : Files.readAllLines(MAPS, StandardCharsets.ISO_8859_1)) {
        memory.add(line);
      }
    } catch (IOException e) {
      memory.pieces.clear();
    }
    return memory;
  }

  /** What {@link #reach} answers now. */
  static long reachNow(long address, long byteSize, boolean write) {
    return address < LOWEST ? 0 : snapshot().reach(address, byteSize, write);
  }

  /** Adds a line such as {@code 7f0000000000-7f0000001000 rw-p 00000000 00:00 0 [heap]}. */
  private void add(String line) {
    int dash = line.indexOf('-');
    int space = line.indexOf(' ', dash);
    if (dash < 0 || space < 0 || line.charAt(space + 1) != 'r') {
      return;
    }
    // The kernel's own pages in user space can be read and not pinned; they are above its half.
    if (line.endsWith("[vvar]") || line.endsWith("[vvar_vclock]") || line.endsWith("[vsyscall]")) {
      return;
    }
    long start = Long.parseUnsignedLong(line, 0, dash, 16);
    long end = Long.parseUnsignedLong(line, dash + 1, space, 16);
    boolean writable = line.charAt(space + 2) == 'w' && !isSharedFile(line, space);
    pieces.put(start, new Piece(end, writable));
  }

  /** A device may not write into the page cache of a file on a disk. */
  private static boolean isSharedFile(String line, int space) {
    int path = line.indexOf('/', space);
    return line.charAt(space + 4) == 's'
        && path >= 0
        && !line.startsWith("/memfd:", path)
        && !line.startsWith("/dev/", path);
  }

  /** How many bytes from {@code address} on, at most {@code byteSize}, can be read or written. */
  long reach(long address, long byteSize, boolean write) {
    if (address < LOWEST) {
      return 0;
    }
    long reached = 0;
    while (reached < byteSize) {
      var entry = pieces.floorEntry(address + reached);
      if (entry == null
          || entry.getValue().end() <= address + reached
          || (write && !entry.getValue().writable())) {
        break;
      }
      reached = entry.getValue().end() - address;
    }
    return Math.min(reached, byteSize);
  }
}
