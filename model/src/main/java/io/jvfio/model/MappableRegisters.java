// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

/**
 * Registers that software may be given as memory: what it stores there is in the device's reach,
 * and nobody is told of it.
 *
 * @param bar the BAR's index
 * @param offset from the start of the BAR, a multiple of 4096
 * @param byteSize a multiple of 4096, at least that
 */
public record MappableRegisters(int bar, long offset, long byteSize) {
  private static final int PAGE_SIZE = 4096;

  /** Checks what can be known without the device. */
  public MappableRegisters {
    if (bar < 0 || bar > 5) {
      throw new IllegalArgumentException("BARs are 0 to 5, there is none of index " + bar);
    }
    if (offset < 0 || byteSize <= 0 || (offset | byteSize) % PAGE_SIZE != 0) {
      throw new IllegalArgumentException(
          "pages can be mapped, not 0x%x bytes at 0x%x".formatted(byteSize, offset));
    }
  }

  @Override
  public String toString() {
    return "BAR %d, 0x%x..0x%x".formatted(bar, offset, offset + byteSize - 1);
  }
}
