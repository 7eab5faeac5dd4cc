// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

/**
 * One subject of generated sequences: the calls that belong together, such as those on a device. A
 * new one is a class of its own and a line in {@link Generator}.
 */
interface Subject {
  /** Adds to {@code menu} what makes sense, or interesting nonsense, as things stand. */
  void offer(Draft draft, Menu menu);
}
