// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A part of a JSON document; one that is not there has no members, no elements and no text. */
record Document(@Nullable Object value) {
  /**
   * Reads one document.
   *
   * @throws IllegalArgumentException when the text is not one JSON document
   */
  static Document parse(String json) {
    try (var parser = new JsonFactory().createParser(json)) {
      parser.nextToken();
      var document = new Document(read(parser));
      if (parser.nextToken() != null) {
        throw new IllegalArgumentException("more than one JSON document");
      }
      return document;
    } catch (IOException e) {
      throw new IllegalArgumentException("not JSON: " + e.getMessage(), e);
    }
  }

  private static @Nullable Object read(JsonParser parser) throws IOException {
    var token = parser.currentToken();
    if (token == null) {
      throw new IllegalArgumentException("not JSON: it ends too early");
    }
    return switch (token) {
      case START_OBJECT -> {
        var members = new LinkedHashMap<String, @Nullable Object>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          var name = parser.currentName();
          parser.nextToken();
          members.put(name, read(parser));
        }
        yield members;
      }
      case START_ARRAY -> {
        var elements = new ArrayList<@Nullable Object>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          elements.add(read(parser));
        }
        yield elements;
      }
      case VALUE_NULL -> null;
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      case VALUE_NUMBER_INT -> parser.getLongValue();
      case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
      default -> parser.getText();
    };
  }

  /** The member of that name. */
  Document at(String name) {
    return new Document(value instanceof Map<?, ?> members ? members.get(name) : null);
  }

  /** The elements. */
  List<Document> elements() {
    return value instanceof List<?> elements
        ? elements.stream().map(Document::new).toList()
        : List.of();
  }

  /** The text of a string, number or truth value; {@code null} for null and for what is absent. */
  String text() {
    return Objects.toString(value);
  }
}
