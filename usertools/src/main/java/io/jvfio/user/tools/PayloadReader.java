// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.linux.uapi.Field;
import io.jvfio.user.wire.MessageText;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongFunction;

/**
 * Reads a payload field by field. Where it ends too early that is a problem, told once, and what
 * would come after is left out: nothing is thrown, whatever the bytes are. Of a payload whose bytes
 * are not all there, what is missing is left out, too, and no problem.
 */
final class PayloadReader {
  /** How many entries of an array are kept; a message can have millions. */
  private static final int MAX_ENTRIES = 1024;

  private final byte[] bytes;
  private final ByteBuffer view;
  private final int end;
  private final List<String> problems;
  private final List<MessageField> fields = new ArrayList<>();
  private int at;
  private boolean isCut;

  /**
   * Reads the bytes from one place to another, which may be behind the last that is there; what is
   * wrong is added to {@code problems}.
   */
  PayloadReader(byte[] bytes, int from, int to, ByteOrder order, List<String> problems) {
    this.bytes = bytes;
    this.view = ByteBuffer.wrap(bytes).order(order);
    this.at = from;
    this.end = to;
    this.problems = problems;
  }

  private PayloadReader part(int from, int to) {
    return new PayloadReader(bytes, from, to, view.order(), problems);
  }

  /** What was read. */
  List<MessageField> fields() {
    return fields;
  }

  /** How many bytes are left. */
  int left() {
    return end - at;
  }

  /** Whether it ended in the middle of what it should have. */
  boolean isCut() {
    return isCut;
  }

  void problem(String what) {
    problems.add(what);
  }

  private long number(Field field) {
    var name = field.name();
    int width = field.byteSize();
    if (isCut) {
      return 0;
    }
    if (left() < width) {
      isCut = true;
      problem((left() == 0 ? "ends before " : "ends within ") + name);
      return 0;
    }
    if (at > bytes.length - width) {
      isCut = true;
      return 0;
    }
    long value = field.get(view, at - (int) field.offset());
    at += width;
    return value;
  }

  private void add(String name, MessageValue value) {
    if (!isCut) {
      fields.add(new MessageField(name, value));
    }
  }

  /** A number. */
  long count(Field field) {
    long value = number(field);
    add(field.name(), new MessageValue.Count(value));
    return value;
  }

  /** A number of bytes. */
  long byteCount(Field field) {
    long value = number(field);
    add(field.name(), new MessageValue.ByteCount(value));
    return value;
  }

  /** An address or offset. */
  long address(Field field) {
    return address(field, field.name());
  }

  /** The same of a field that goes by another name here. */
  long address(Field field, String name) {
    long value = number(field);
    add(name, new MessageValue.Address(value));
    return value;
  }

  /** A number that stands for something. */
  long named(Field field, LongFunction<String> names) {
    long value = number(field);
    add(field.name(), new MessageValue.Named(value, names.apply(value)));
    return value;
  }

  /** Bits, of which the lowest have names. */
  long bits(Field field, List<String> names) {
    return bits(field, field.name(), names);
  }

  /** The same of a field that goes by another name here. */
  long bits(Field field, String name, List<String> names) {
    long value = number(field);
    add(name, MessageValue.Bits.of(value, names));
    return value;
  }

  /** A field that must be zero and is told only where it is not. */
  void reserved(Field field) {
    reserved(field, field.name());
  }

  /** The same of a field that goes by another name here. */
  void reserved(Field field, String name) {
    long value = number(field);
    if (value != 0) {
      add(name, new MessageValue.Address(value));
      problem("%s is %s and not 0".formatted(name, MessageText.hex(value)));
    }
  }

  /** Adds what was found out without reading. */
  void add(MessageField field) {
    fields.add(field);
  }

  /** Up to {@code byteSize} bytes; fewer are a problem. */
  void data(String name, long byteSize) {
    if (isCut) {
      return;
    }
    int size = (int) Math.clamp(byteSize, 0L, left());
    if (byteSize < 0 || byteSize > size) {
      problem(
          "has %s of %s where it tells of %s"
              .formatted(MessageText.bytes(size), name, MessageText.bytes(byteSize)));
    }
    if (size > 0) {
      add(name, new MessageValue.Data(bytes, at, at + size));
    }
    at += size;
  }

  /** All that is left. */
  void data(String name) {
    data(name, left());
  }

  /** An array of {@code count} structs of so many bytes. */
  void entries(String name, long count, long structSize, Consumer<PayloadReader> read) {
    if (isCut) {
      return;
    }
    int byteSize = (int) structSize;
    long there = left() / byteSize;
    if (Long.compareUnsigned(count, there) > 0) {
      problem(
          "has room for %,d %s where it tells of %s"
              .formatted(there, name, Long.toUnsignedString(count)));
    } else {
      there = count;
    }
    var entries = new ArrayList<MessageValue.Group>();
    for (int i = 0; i < Math.min(there, MAX_ENTRIES); i++) {
      var entry = part(at + i * byteSize, at + (i + 1) * byteSize);
      read.accept(entry);
      entries.add(new MessageValue.Group(entry.fields));
    }
    add(name, new MessageValue.Entries(entries, there - entries.size()));
    at += (int) (there * byteSize);
  }

  /**
   * The bytes from {@code offset} on, counted from the beginning of another payload, for structs
   * that are told of by offsets.
   */
  PayloadReader from(int begin, int offset) {
    return part(begin + offset, end);
  }

  /** Nothing should be left; what is left is told. */
  void end() {
    if (!isCut && left() > 0) {
      problem("%s more than it should have".formatted(MessageText.bytes(left())));
      data("rest");
    }
  }

  /** What is left is known, though no field. */
  void skipRest() {
    at = end;
  }

  /** The text that is left, without the NUL at its end. */
  String text() {
    int to = Math.min(end, bytes.length);
    if (to == end && to > at && bytes[to - 1] == 0) {
      to--;
    } else if (to == end && to > at) {
      problem("the text has no NUL at its end");
    }
    var text = new String(bytes, at, to - at, java.nio.charset.StandardCharsets.UTF_8);
    at = end;
    return text;
  }
}
