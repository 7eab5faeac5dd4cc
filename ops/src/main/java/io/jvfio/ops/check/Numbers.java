// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import java.util.Optional;

/** Numbers as files of the kernel have them. */
final class Numbers {
  private Numbers() {}

  /** A decimal number of 64 bits, unsigned; empty for anything else. */
  static Optional<Long> parse(String text) {
    try {
      return Optional.of(Long.parseUnsignedLong(text.strip()));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }
}
