// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.wire.MessageText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The value of a field of a message. */
public sealed interface MessageValue {
  /**
   * The value as text.
   *
   * @param isWhole whether long values are given whole
   */
  String text(boolean isWhole);

  /**
   * A number.
   *
   * @param value unsigned
   */
  record Count(long value) implements MessageValue {
    @Override
    public String text(boolean isWhole) {
      return Long.toUnsignedString(value);
    }
  }

  /**
   * A number of bytes.
   *
   * @param value unsigned
   */
  record ByteCount(long value) implements MessageValue {
    @Override
    public String text(boolean isWhole) {
      return MessageText.bytes(value);
    }
  }

  /**
   * An address, an offset, or a register's value.
   *
   * @param value unsigned
   */
  record Address(long value) implements MessageValue {
    @Override
    public String text(boolean isWhole) {
      return MessageText.hex(value);
    }
  }

  /**
   * A number that stands for something.
   *
   * @param value unsigned
   * @param name of what it stands for; the number where it stands for nothing known
   */
  record Named(long value, String name) implements MessageValue {
    @Override
    public String text(boolean isWhole) {
      return name;
    }
  }

  /**
   * Bits.
   *
   * @param value all of them
   * @param names of those that are set; in hexadecimal what has no name
   */
  record Bits(long value, List<String> names) implements MessageValue {
    /** Takes a number apart: the names of bits 0, 1, ... that are known. */
    public static Bits of(long value, List<String> names) {
      var set = new ArrayList<String>();
      long rest = value;
      for (int i = 0; i < names.size(); i++) {
        if ((value & 1L << i) != 0) {
          set.add(names.get(i));
          rest &= ~(1L << i);
        }
      }
      if (rest != 0) {
        set.add(MessageText.hex(rest));
      }
      return new Bits(value, set);
    }

    /** Copies the names. */
    public Bits {
      names = List.copyOf(names);
    }

    @Override
    public String text(boolean isWhole) {
      return names.isEmpty() ? "0" : String.join("|", names);
    }
  }

  /**
   * Words.
   *
   * @param words as the peer sent them
   */
  record Words(String words) implements MessageValue {
    @Override
    public String text(boolean isWhole) {
      return MessageText.printable(words);
    }
  }

  /**
   * JSON.
   *
   * @param document well-formed, as the peer sent it
   */
  record Json(String document) implements MessageValue {
    @Override
    public String text(boolean isWhole) {
      return MessageText.printable(document);
    }
  }

  /** Bytes that the protocol only carries. */
  final class Data implements MessageValue {
    private static final int SHORT = 16;

    /** As many are given as text at most. */
    private static final int MOST = 1 << 20;

    private final byte[] bytes;
    private final int from;
    private final int to;

    /**
     * The bytes of a message from one place to another, which may be behind those that are there;
     * the message must not change.
     */
    Data(byte[] message, int from, int to) {
      this.bytes = message;
      this.from = from;
      this.to = to;
    }

    /** How many they are. */
    public int byteSize() {
      return to - from;
    }

    /** Where those begin that are there. */
    private int begin() {
      return Math.min(from, bytes.length);
    }

    private int end() {
      return Math.min(to, bytes.length);
    }

    /** A copy of them; of a message that is not whole, of those that are there. */
    public byte[] toBytes() {
      return Arrays.copyOfRange(bytes, begin(), end());
    }

    private int endOfText(int most) {
      return Math.min(end(), begin() + most);
    }

    /** How many of them are not given as text even where they are given whole. */
    int leftOut() {
      return byteSize() - (endOfText(MOST) - begin());
    }

    @Override
    public String text(boolean isWhole) {
      int end = endOfText(isWhole ? MOST : SHORT);
      var dump = "[" + MessageText.dump(bytes, begin(), end);
      if (end - begin() == byteSize()) {
        return dump + "]";
      }
      return isWhole
          ? "%s \u2026 %s left out] %s"
              .formatted(dump, MessageText.bytes(leftOut()), MessageText.bytes(byteSize()))
          : dump + " \u2026] " + MessageText.bytes(byteSize());
    }

    /** Two digits for each byte, with nothing between them. */
    String hex() {
      return HexFormat.of().formatHex(bytes, begin(), endOfText(MOST));
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Data data
          && byteSize() == data.byteSize()
          && Arrays.equals(bytes, begin(), end(), data.bytes, data.begin(), data.end());
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(toBytes());
    }

    @Override
    public String toString() {
      return text(false);
    }
  }

  /**
   * Several fields.
   *
   * @param fields in the order of the message
   */
  record Group(List<MessageField> fields) implements MessageValue {
    /** Copies the fields. */
    public Group {
      fields = List.copyOf(fields);
    }

    @Override
    public String text(boolean isWhole) {
      return fields.stream()
          .map(field -> field.text(isWhole))
          .collect(Collectors.joining(" ", "{", "}"));
    }
  }

  /**
   * Entries of an array.
   *
   * @param entries the first of them
   * @param left how many more the message has
   */
  record Entries(List<Group> entries, long left) implements MessageValue {
    private static final int SHORT = 8;

    /** Copies the entries. */
    public Entries {
      entries = List.copyOf(entries);
    }

    @Override
    public String text(boolean isWhole) {
      int shown = isWhole ? entries.size() : Math.min(SHORT, entries.size());
      long more = left + entries.size() - shown;
      return entries.stream()
          .limit(shown)
          .map(entry -> entry.text(isWhole))
          .collect(
              Collectors.joining(" ", "[", more > 0 ? " \u2026 %,d more]".formatted(more) : "]"));
    }
  }
}
