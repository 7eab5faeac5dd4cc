// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.tree;

/** Hexadecimal numbers, without the start-up cost of a formatter. */
final class Hex {
  private static final String DIGITS = "0123456789abcdef";

  private Hex() {}

  /** {@code value} in just {@code digits} digits. */
  static String digits(long value, int digits) {
    var text = new char[digits];
    for (int i = 0; i < digits; i++) {
      text[i] = DIGITS.charAt((int) (value >>> (4 * (digits - 1 - i))) & 0xf);
    }
    return new String(text);
  }

  /** {@code value} as {@code 0x} and just {@code digits} digits. */
  static String prefixed(long value, int digits) {
    return "0x" + digits(value, digits);
  }
}
