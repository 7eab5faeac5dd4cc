// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

/**
 * A register whose writes may come by an eventfd. Several writes before the host looks are one.
 *
 * @param bar the BAR's index
 * @param offset from the start of the BAR, a multiple of {@code width}
 * @param width of the writes that signal: 1, 2, 4 or 8 bytes
 * @param kind what becomes of the value that software writes
 * @param value the value that signals, with {@link Kind#ONE_VALUE}; else 0
 */
public record IoEventRegister(int bar, long offset, int width, Kind kind, long value) {
  /** The ways to make a write of a signal. */
  public enum Kind {
    /** Every write signals, and the value is lost: the device is told that it was 0. */
    ANY_VALUE,
    /** Writes of one value signal; others come as they do without an eventfd. */
    ONE_VALUE,
    /**
     * Every write signals, and the value is kept in memory that the client and its host share: the
     * device is told of the last one. Only for a client that knows such shadows; others write the
     * register as they do without an eventfd.
     */
    SHADOWED
  }

  /** Checks what can be known without the device. */
  public IoEventRegister {
    if (bar < 0 || bar > 5) {
      throw new IllegalArgumentException("BARs are 0 to 5, there is none of index " + bar);
    }
    if (Integer.bitCount(width) != 1 || width > Long.BYTES) {
      throw new IllegalArgumentException("a register has 1, 2, 4 or 8 bytes, not " + width);
    }
    if (offset < 0 || offset % width != 0) {
      throw new IllegalArgumentException(
          "offset 0x%x is no multiple of the width, %d".formatted(offset, width));
    }
    if (kind != Kind.ONE_VALUE && value != 0) {
      throw new IllegalArgumentException("only a register of one value has a value to match");
    }
    if (width < Long.BYTES && value >>> (Byte.SIZE * width) != 0) {
      throw new IllegalArgumentException(
          "value 0x%x does not fit into %d bytes".formatted(value, width));
    }
  }

  /** A register of which only matters that it was written. */
  public static IoEventRegister of(int bar, long offset, int width) {
    return new IoEventRegister(bar, offset, width, Kind.ANY_VALUE, 0);
  }

  /** A register where writes of {@code value} matter most. */
  public static IoEventRegister matching(int bar, long offset, int width, long value) {
    return new IoEventRegister(bar, offset, width, Kind.ONE_VALUE, value);
  }

  /** A register of which only the last value matters, such as a doorbell. */
  public static IoEventRegister shadowed(int bar, long offset, int width) {
    return new IoEventRegister(bar, offset, width, Kind.SHADOWED, 0);
  }

  @Override
  public String toString() {
    return "BAR %d, %d bytes at 0x%x, %s%s"
        .formatted(
            bar,
            width,
            offset,
            kind,
            kind == Kind.ONE_VALUE ? " 0x" + Long.toHexString(value) : "");
  }
}
