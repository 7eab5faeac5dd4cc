// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

/** A number in a step, known only when the step runs. */
sealed interface Operand {
  /** This one. */
  record Literal(long value) implements Operand {
    @Override
    public String toString() {
      return value >= 0 && value < 10 ? Long.toString(value) : "0x" + Long.toHexString(value);
    }
  }

  /** An address in a piece of memory. */
  record Address(String memory, long offset) implements Operand {
    @Override
    public String toString() {
      return withOffset(memory, offset);
    }
  }

  /** What an earlier call returned in a struct, such as a window's start. */
  record Value(String name, long offset) implements Operand {
    @Override
    public String toString() {
      return withOffset("$" + name, offset);
    }
  }

  /** The number of an open file. */
  record Descriptor(String file) implements Operand {
    @Override
    public String toString() {
      return "fd:" + file;
    }
  }

  static Operand number(long value) {
    return new Literal(value);
  }

  /** The number of an open file. */
  static Operand descriptor(String file) {
    return new Descriptor(file);
  }

  static Operand memory(String memory) {
    return new Address(memory, 0);
  }

  static Operand memory(String memory, long offset) {
    return new Address(memory, offset);
  }

  static Operand value(String name) {
    return new Value(name, 0);
  }

  static Operand value(String name, long offset) {
    return new Value(name, offset);
  }

  private static String withOffset(String base, long offset) {
    if (offset == 0) {
      return base;
    }
    return base + (offset < 0 ? "-0x" : "+0x") + Long.toHexString(Math.abs(offset));
  }
}
