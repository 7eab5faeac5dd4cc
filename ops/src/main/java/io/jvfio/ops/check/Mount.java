// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import java.util.List;
import java.util.Optional;

/**
 * A line of {@code mountinfo}. Source: {@code proc_pid_mountinfo(5)}.
 *
 * @param number major and minor number of the device, as in {@code 8:1}
 * @param at where it is mounted
 * @param type the file system's type
 * @param source what is mounted, such as {@code /dev/sda1}
 */
record Mount(String number, String at, String type, String source) {
  private static final int NUMBER = 2;
  private static final int PLACE = 4;

  /** What a line says; empty if it is none. */
  static Optional<Mount> parse(String line) {
    int end = line.indexOf(" - ");
    if (end < 0) {
      return Optional.empty();
    }
    var before = List.of(line.substring(0, end).split(" ", -1));
    var after = List.of(line.substring(end + 3).split(" ", -1));
    return before.size() > PLACE && after.size() > 1
        ? Optional.of(new Mount(before.get(NUMBER), before.get(PLACE), after.get(0), after.get(1)))
        : Optional.empty();
  }
}
