// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.user.wire.Header;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.random.RandomGenerator;

/** Spoils messages: bits, bytes, fields of interesting values, lengths that are true and not. */
final class Mutator {
  private static final long[] VALUES = {
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    17,
    31,
    32,
    64,
    255,
    256,
    4095,
    4096,
    4097,
    0xffff,
    0x1_0000,
    0xf_ffff,
    0x10_0000,
    0x10_0001,
    0x7fff_ffffL,
    0x8000_0000L,
    0xffff_ffffL,
    0x1_0000_0000L,
    1L << 40,
    1L << 62,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    -4096,
    -8,
    -1
  };

  private static final int[] NO_REPLY_OR_ERROR = {
    Header.NO_REPLY, Header.ERROR, Header.NO_REPLY | Header.ERROR
  };

  private final RandomGenerator random;
  private boolean lostFraming;

  Mutator(RandomGenerator random) {
    this.random = random;
  }

  /** Whether a length has been told that is not the true one: the peer then sees other messages. */
  boolean lostFraming() {
    return lostFraming;
  }

  long value() {
    return VALUES[random.nextInt(VALUES.length)];
  }

  /**
   * Spoils a message in one to four ways.
   *
   * @param size of the message, which has room behind it
   * @return how many bytes are to be sent
   */
  int spoil(MemorySegment message, int size) {
    int left = size;
    for (int count = 1 + random.nextInt(4); count > 0; count--) {
      left = spoilOnce(message, left);
    }
    return left;
  }

  private int spoilOnce(MemorySegment message, int size) {
    switch (random.nextInt(16)) {
      case 0 -> flipBits(message, 0, size);
      case 1, 2, 3, 4 -> flipBits(message, Math.min(Header.SIZE, size - 1), size);
      case 5 -> message.set(ValueLayout.JAVA_BYTE, random.nextInt(size), (byte) random.nextInt());
      case 6, 7, 8 -> putField(message, size);
      case 9 -> message.set(ValueLayout.JAVA_SHORT, 2, (short) random.nextInt(22));
      case 10 ->
          // A reply that nobody asked for ends the connection, and nothing comes after it.
          message.set(
              ValueLayout.JAVA_INT,
              8,
              random.nextInt(10) == 0 ? random.nextInt(64) : NO_REPLY_OR_ERROR[random.nextInt(3)]);
      case 11 -> {
        return resize(message, Header.SIZE + random.nextInt(Math.max(1, size - Header.SIZE + 1)));
      }
      case 12 -> {
        int longer = size + random.nextInt(1, 64);
        for (int i = size; i < longer; i++) {
          message.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
        }
        return resize(message, longer);
      }
      case 13 -> {
        // Rarely, since whatever follows is no message any more.
        if (random.nextInt(8) == 0) {
          long told = random.nextBoolean() ? value() : size + random.nextInt(-20, 20);
          message.set(ValueLayout.JAVA_INT, 4, (int) told);
        }
      }
      case 14 -> {
        for (int i = Header.SIZE; i < size; i++) {
          message.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
        }
      }
      default -> {
        for (int i = Header.SIZE; i + 4 <= size; i += 4) {
          if (random.nextInt(4) == 0) {
            message.set(ValueLayout.JAVA_INT, i, (int) value());
          }
        }
      }
    }
    if (Header.size(message) != size) {
      lostFraming = true;
    }
    return size;
  }

  /** A length that is true. */
  private int resize(MemorySegment message, int size) {
    message.set(ValueLayout.JAVA_INT, 4, size);
    if (Header.size(message) != size) {
      lostFraming = true;
    }
    return size;
  }

  private void flipBits(MemorySegment message, int from, int to) {
    for (int count = 1 + random.nextInt(4); count > 0; count--) {
      int at = random.nextInt(from, to);
      // Length and type are spoiled elsewhere, and more rarely.
      if (at < 4 || at >= 9) {
        byte bits = message.get(ValueLayout.JAVA_BYTE, at);
        message.set(ValueLayout.JAVA_BYTE, at, (byte) (bits ^ 1 << random.nextInt(8)));
      }
    }
  }

  private void putField(MemorySegment message, int size) {
    if (size >= Header.SIZE + 8 && random.nextBoolean()) {
      int at = Header.SIZE + 8 * random.nextInt((size - Header.SIZE) / 8);
      message.set(ValueLayout.JAVA_LONG, at, value());
    } else if (size >= Header.SIZE + 4) {
      int at = Header.SIZE + 4 * random.nextInt((size - Header.SIZE) / 4);
      message.set(ValueLayout.JAVA_INT, at, (int) value());
    }
  }
}
