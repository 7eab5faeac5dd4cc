// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import io.jvfio.user.wire.MessageText;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigInteger;

/** Messages as JSON: one object for each, in one line. */
final class MessageJson {
  private static final JsonFactory FACTORY = new JsonFactory();

  private MessageJson() {}

  /** Whether a text is one JSON value, and nothing behind it. */
  static boolean isWellFormed(String text) {
    try (var parser = FACTORY.createParser(text)) {
      if (parser.nextToken() == null) {
        return false;
      }
      parser.skipChildren();
      return parser.nextToken() == null;
    } catch (IOException e) {
      return false;
    }
  }

  static String of(TapMessage tapped, DecodedMessage message) {
    var text = new StringWriter();
    try (var json = FACTORY.createGenerator(text)) {
      json.writeStartObject();
      json.writeNumberField("micros", tapped.nanos() / 1000);
      json.writeNumberField("connection", tapped.connection());
      json.writeBooleanField("twin", tapped.isTwin());
      writeMembers(json, message);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException("no I/O is done", e);
    }
    return text.toString();
  }

  static String of(DecodedMessage message) {
    var text = new StringWriter();
    try (var json = FACTORY.createGenerator(text)) {
      json.writeStartObject();
      writeMembers(json, message);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException("no I/O is done", e);
    }
    return text.toString();
  }

  private static void writeMembers(JsonGenerator json, DecodedMessage message) throws IOException {
    json.writeStringField("direction", message.direction().id());
    json.writeStringField("type", message.type().id());
    json.writeNumberField("id", message.id());
    json.writeStringField("command", message.command());
    json.writeNumberField("commandNumber", message.commandNumber());
    json.writeNumberField("byteSize", message.byteSize());
    json.writeArrayFieldStart("flags");
    for (var flag : message.flags()) {
      json.writeString(flag);
    }
    json.writeEndArray();
    if (message.error().isPresent()) {
      var errno = message.error().get();
      json.writeObjectFieldStart("error");
      json.writeNumberField("number", errno.number());
      json.writeStringField("name", errno.symbol());
      json.writeStringField("text", errno.text());
      json.writeEndObject();
    }
    json.writeObjectFieldStart("fields");
    for (var field : message.fields()) {
      json.writeFieldName(field.name());
      write(json, field.value());
    }
    json.writeEndObject();
    json.writeArrayFieldStart("descriptors");
    for (var descriptor : message.descriptors()) {
      json.writeStartObject();
      json.writeStringField("kind", descriptor.kind().id());
      json.writeStringField("name", descriptor.name());
      if (descriptor.byteSize().isPresent()) {
        json.writeNumberField("byteSize", descriptor.byteSize().getAsLong());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("problems");
    for (var problem : message.problems()) {
      json.writeString(problem);
    }
    json.writeEndArray();
    long leftOut = message.fields().stream().mapToLong(field -> leftOut(field.value())).sum();
    if (leftOut > 0) {
      json.writeNumberField("bytesLeftOut", leftOut);
    }
    if (message.roundTripNanos().isPresent()) {
      json.writeNumberField("roundTripNanos", message.roundTripNanos().getAsLong());
    }
  }

  private static long leftOut(MessageValue value) {
    return switch (value) {
      case MessageValue.Data data -> data.leftOut();
      case MessageValue.Group(var fields) ->
          fields.stream().mapToLong(field -> leftOut(field.value())).sum();
      case MessageValue.Entries entries ->
          entries.entries().stream().mapToLong(MessageJson::leftOut).sum();
      case MessageValue.Count _,
          MessageValue.ByteCount _,
          MessageValue.Address _,
          MessageValue.Named _,
          MessageValue.Bits _,
          MessageValue.Words _,
          MessageValue.Json _ ->
          0;
    };
  }

  private static void write(JsonGenerator json, MessageValue value) throws IOException {
    switch (value) {
      case MessageValue.Count(long number) -> writeUnsigned(json, number);
      case MessageValue.ByteCount(long number) -> writeUnsigned(json, number);
      case MessageValue.Address(long address) -> json.writeString(MessageText.hex(address));
      case MessageValue.Named(long number, String name) -> {
        json.writeStartObject();
        json.writeFieldName("number");
        writeUnsigned(json, number);
        json.writeStringField("name", name);
        json.writeEndObject();
      }
      case MessageValue.Bits bits -> {
        json.writeStartObject();
        json.writeStringField("bits", MessageText.hex(bits.value()));
        json.writeArrayFieldStart("names");
        for (var name : bits.names()) {
          json.writeString(name);
        }
        json.writeEndArray();
        json.writeEndObject();
      }
      case MessageValue.Words(String words) -> json.writeString(words);
      case MessageValue.Json(String document) -> {
        try (JsonParser parser = FACTORY.createParser(document)) {
          parser.nextToken();
          json.copyCurrentStructure(parser);
        }
      }
      case MessageValue.Data data -> json.writeString(data.hex());
      case MessageValue.Group(var fields) -> {
        json.writeStartObject();
        for (var field : fields) {
          json.writeFieldName(field.name());
          write(json, field.value());
        }
        json.writeEndObject();
      }
      case MessageValue.Entries entries -> {
        json.writeStartArray();
        for (var entry : entries.entries()) {
          write(json, entry);
        }
        json.writeEndArray();
      }
    }
  }

  private static void writeUnsigned(JsonGenerator json, long value) throws IOException {
    if (value >= 0) {
      json.writeNumber(value);
    } else {
      json.writeNumber(new BigInteger(Long.toUnsignedString(value)));
    }
  }
}
