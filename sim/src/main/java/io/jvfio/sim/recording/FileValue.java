// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.recording;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A value of a recording, which knows where it stands: whoever reads it says what is expected, and
 * the error tells file, line, path and both.
 */
final class FileValue {
  private static final Pattern HEXADECIMAL = Pattern.compile("0x[0-9a-f]{1,16}");
  private static final int DEEPEST = 16;

  private final String file;
  private final int line;
  private final String path;
  private final @Nullable Object value;

  private FileValue(String file, int line, String path, @Nullable Object value) {
    this.file = file;
    this.line = line;
    this.path = path;
    this.value = value;
  }

  /**
   * Reads a document.
   *
   * @param file its name, for errors
   * @throws IllegalArgumentException if it is no JSON
   */
  static FileValue parse(String file, String text) {
    try (var parser =
        JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build()
            .createParser(text)) {
      parser.nextToken();
      var document = read(file, "", 0, parser);
      if (parser.nextToken() != null) {
        throw new IllegalArgumentException(
            "%s:%d: nothing is expected after the end of the document"
                .formatted(file, parser.currentLocation().getLineNr()));
      }
      return document;
    } catch (JsonProcessingException e) {
      var where = e.getLocation();
      throw new IllegalArgumentException(
          "%s:%d: this is no JSON: %s"
              .formatted(file, where == null ? 1 : where.getLineNr(), e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
    }
  }

  private static FileValue read(String file, String path, int depth, JsonParser parser)
      throws IOException {
    int line = parser.currentTokenLocation().getLineNr();
    if (depth > DEEPEST) {
      throw new IllegalArgumentException(
          "%s:%d: values are nested too deeply".formatted(file, line));
    }
    var token = parser.currentToken();
    if (token == null) {
      throw new IllegalArgumentException(file + ":1: the file is empty");
    }
    Object value =
        switch (token) {
          case START_OBJECT -> {
            var members = new LinkedHashMap<String, FileValue>();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
              var name = parser.currentName();
              parser.nextToken();
              var inner = path.isEmpty() ? name : path + "." + name;
              members.put(name, read(file, inner, depth + 1, parser));
            }
            yield members;
          }
          case START_ARRAY -> {
            var elements = new ArrayList<FileValue>();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
              elements.add(read(file, path + "[" + elements.size() + "]", depth + 1, parser));
            }
            yield elements;
          }
          case VALUE_STRING -> parser.getText();
          case VALUE_NUMBER_INT ->
              parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER
                  ? parser.getBigIntegerValue()
                  : parser.getLongValue();
          case VALUE_TRUE -> true;
          case VALUE_FALSE -> false;
          case VALUE_NULL -> null;
          default -> parser.getText();
        };
    return new FileValue(file, line, path, value);
  }

  /** An error about this value. */
  IllegalArgumentException wrong(String expected) {
    return new IllegalArgumentException(
        "%s:%d: %s: expected %s, found %s"
            .formatted(file, line, path.isEmpty() ? "the document" : path, expected, shown()));
  }

  private String shown() {
    return switch (value) {
      case null -> "null";
      case String text ->
          text.length() > 40 ? "'" + text.substring(0, 40) + "…'" : "'" + text + "'";
      case Map<?, ?> _ -> "an object";
      case List<?> _ -> "an array";
      default -> value.toString();
    };
  }

  /**
   * The members of an object that must have all of these, and no others.
   *
   * @throws IllegalArgumentException if it has not
   */
  Members members(String... names) {
    if (!(value instanceof Map<?, ?> map)) {
      throw wrong("an object");
    }
    for (var member : map.values()) {
      var known = (FileValue) member;
      if (!List.of(names).contains(known.name())) {
        throw new IllegalArgumentException(
            "%s:%d: %s: there is no such field; here are %s"
                .formatted(file, known.line, known.path, String.join(", ", names)));
      }
    }
    for (var name : names) {
      if (!map.containsKey(name)) {
        throw wrong("an object with the field '" + name + "', which is missing");
      }
    }
    return name -> (FileValue) Objects.requireNonNull(map.get(name));
  }

  /** The member {@code name} of an object of which the rest is not looked at yet. */
  FileValue peek(String name) {
    if (value instanceof Map<?, ?> map && map.get(name) instanceof FileValue member) {
      return member;
    }
    throw wrong("an object with the field '" + name + "'");
  }

  private String name() {
    return path.substring(path.lastIndexOf('.') + 1);
  }

  /** The members of an object, which are all there. */
  @FunctionalInterface
  interface Members {
    FileValue of(String name);
  }

  List<FileValue> elements() {
    if (!(value instanceof List<?> list)) {
      throw wrong("an array");
    }
    return list.stream().map(FileValue.class::cast).toList();
  }

  boolean isNull() {
    return value == null;
  }

  boolean truth() {
    if (!(value instanceof Boolean truth)) {
      throw wrong("true or false");
    }
    return truth;
  }

  /** Text of one line without control characters. */
  String text() {
    if (!(value instanceof String text) || text.chars().anyMatch(Character::isISOControl)) {
      throw wrong("a string of one line");
    }
    return text;
  }

  @Nullable String textOrNull() {
    return isNull() ? null : text();
  }

  /** Text of a form that {@code expected} tells. */
  String text(Pattern form, String expected) {
    if (!(value instanceof String text) || !form.matcher(text).matches()) {
      throw wrong(expected);
    }
    return text;
  }

  long number(long least, long most) {
    if (!(value instanceof Long number) || number < least || number > most) {
      throw wrong("a number from " + least + " to " + most);
    }
    return number;
  }

  int integer(int least, int most) {
    return (int) number(least, most);
  }

  /** A number of up to 64 bits in hexadecimal digits, as in {@code "0xfee00000"}. */
  long hexadecimal() {
    var text = text(HEXADECIMAL, "a string such as \"0xfee00000\"");
    return Long.parseUnsignedLong(text.substring(2), 16);
  }
}
