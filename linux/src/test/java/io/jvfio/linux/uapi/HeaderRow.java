// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

/**
 * One fact that a C header must confirm.
 *
 * @param name what a failing assertion is called by
 * @param condition the C expression that must be true
 * @param expected this project's value, for the message
 */
record HeaderRow(String name, String condition, String expected) {
  static HeaderRow equal(String expression, long value) {
    return equal(expression, expression, value);
  }

  static HeaderRow equal(String name, String expression, long value) {
    return new HeaderRow(
        name, "(unsigned long)(%s) == %dUL".formatted(expression, value), "0x%x".formatted(value));
  }

  String assertion() {
    return "_Static_assert(%s, \"%s\");".formatted(condition, name);
  }
}
