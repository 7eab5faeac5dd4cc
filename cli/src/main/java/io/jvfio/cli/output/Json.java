// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** JSON documents of maps, lists, strings, numbers, booleans, and empty optionals for null. */
public final class Json {
  private Json() {}

  /**
   * An object whose members come in the order given.
   *
   * @param namesAndValues a name, its value, the next name, and so on
   */
  public static Map<String, Object> object(Object... namesAndValues) {
    var object = new LinkedHashMap<String, Object>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      object.put((String) namesAndValues[i], namesAndValues[i + 1]);
    }
    return object;
  }

  static void write(PrintWriter out, Object document) {
    try {
      var generator =
          new JsonFactory()
              .disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET)
              .createGenerator(out)
              .setPrettyPrinter(new DefaultPrettyPrinter());
      write(generator, document);
      generator.flush();
      out.println();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void write(JsonGenerator to, @Nullable Object value) throws IOException {
    switch (value) {
      case null -> to.writeNull();
      case Optional<?> optional -> write(to, optional.orElse(null));
      case OptionalInt optional -> write(to, optional.isPresent() ? optional.getAsInt() : null);
      case OptionalLong optional -> write(to, optional.isPresent() ? optional.getAsLong() : null);
      case String text -> to.writeString(text);
      case Boolean truth -> to.writeBoolean(truth);
      case Integer number -> to.writeNumber(number);
      case Long number -> to.writeNumber(number);
      case BigInteger number -> to.writeNumber(number);
      case Double number -> to.writeNumber(number);
      case List<?> list -> {
        to.writeStartArray();
        for (var element : list) {
          write(to, element);
        }
        to.writeEndArray();
      }
      case Map<?, ?> object -> {
        to.writeStartObject();
        for (var member : object.entrySet()) {
          to.writeFieldName((String) member.getKey());
          write(to, member.getValue());
        }
        to.writeEndObject();
      }
      default -> throw new IllegalArgumentException("no JSON for " + value.getClass());
    }
  }
}
