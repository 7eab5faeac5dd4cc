// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

/**
 * A field of a message.
 *
 * @param name its name in the specification
 * @param value its value
 */
public record MessageField(String name, MessageValue value) {
  /** The name and the value. */
  String text(boolean isWhole) {
    return name + " " + value.text(isWhole);
  }
}
