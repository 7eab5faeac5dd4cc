// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What is known to be wrong with kernels: answers that the simulator does not share on purpose, and
 * warnings in their logs. {@code docs/kernel-defects.md} has each with its shortest sequence.
 */
final class KernelDefects {
  /** What a kernel says when something is wrong with it. */
  private static final Pattern ALARM =
      Pattern.compile("WARNING:|BUG[: ]|Oops|Kernel panic|refcount_t:|use-after-free");

  /** A line in the log that some sequence provokes in some lanes. */
  record Warning(String lanes, Pattern message, String provokedBy) {}

  private static final List<Warning> WARNINGS =
      List.of(
          // The registration can never be released and is found when the process has gone.
          new Warning(
              "pseries-6\\.12",
              Pattern.compile("mmu_context\\.c:\\d+ destroy_context"),
              "spapr-v2-unregister-while-mapped"));

  private KernelDefects() {}

  /** Whether a line of a kernel's log is a warning, bug or oops. */
  static boolean isAlarm(String line) {
    return !line.contains(KernelLog.PREFIX) && ALARM.matcher(line).find();
  }

  /** The known warning that a line of the lane's log is. */
  static Optional<Warning> warning(String lane, String line) {
    return WARNINGS.stream()
        .filter(warning -> lane.matches(warning.lanes()) && warning.message().matcher(line).find())
        .findFirst();
  }
}
