// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.util.Optional;

/**
 * The interrupts that a controller is driven with.
 *
 * @param kind which kind; {@link Kind#NONE} where completions are polled
 * @param vectors how many vectors the host gave
 * @param fallback why it is not MSI-X, where interrupts were asked for; empty otherwise
 */
public record NvmeInterrupts(Kind kind, int vectors, Optional<String> fallback) {
  /** A kind of interrupts. */
  public enum Kind {
    /** Completions are polled. */
    NONE,
    /** Message-signalled interrupts. */
    MSI,
    /** Message-signalled interrupts, extended. */
    MSIX
  }
}
