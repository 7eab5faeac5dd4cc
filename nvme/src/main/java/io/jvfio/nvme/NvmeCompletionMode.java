// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/** The ways to notice completions. */
public enum NvmeCompletionMode {
  /** By looking at memory: the fastest, at the price of a processor that is busy while it waits. */
  POLLED,

  /**
   * By interrupt: MSI-X, or MSI where there is no MSI-X, or polling where there is neither; {@link
   * NvmeController#interrupts()} tells which it is. Vector 0 is for the admin queue and its events.
   * Each further vector goes to one I/O queue pair at a time, in the order that pairs are created;
   * a pair that finds no vector left is polled. Where the host gives a single vector, it goes to
   * the first pair, and events are told by {@link NvmeController#pollEvents()} only.
   */
  INTERRUPTS
}
