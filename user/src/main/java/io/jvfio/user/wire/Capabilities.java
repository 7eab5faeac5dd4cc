// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.OptionalInt;

/**
 * What a side says of itself in {@code VFIO_USER_VERSION}. Source: "VFIO_USER_VERSION".
 *
 * @param maxMessageFds how many descriptors it can receive with one message
 * @param maxDataTransfer how many bytes of data one message may carry to it
 * @param maxDmaMaps how many DMA maps it keeps at a time
 * @param pageSizes the page sizes of DMA maps, or'ed together, in bytes
 * @param twinSocket whether commands of the server may go over a socket of their own
 * @param twinSocketFd which descriptor of the message that socket is; in a reply only
 * @param writeMultiple whether it knows {@code VFIO_USER_REGION_WRITE_MULTI}
 */
public record Capabilities(
    int maxMessageFds,
    long maxDataTransfer,
    long maxDmaMaps,
    long pageSizes,
    boolean twinSocket,
    OptionalInt twinSocketFd,
    boolean writeMultiple) {
  /** What holds for a side that says nothing. */
  public static final Capabilities DEFAULTS =
      new Capabilities(1, 1 << 20, 65_535, 4096, false, OptionalInt.empty(), false);

  /** The longest text that is read. */
  public static final int MAX_BYTES = 16 << 10;

  private static final JsonFactory JSON = new JsonFactory();

  /**
   * Reads the JSON of a message; what is not in it has its default, what is unknown is skipped.
   *
   * @throws MalformedMessageException if it is no JSON object, or a value is no such value
   */
  public static Capabilities parse(byte[] json) throws MalformedMessageException {
    if (json.length > MAX_BYTES) {
      throw new MalformedMessageException("capabilities of %,d bytes".formatted(json.length));
    }
    try (var parser = JSON.createParser(json)) {
      require(parser.nextToken() == JsonToken.START_OBJECT, "capabilities that are no JSON object");
      var result = DEFAULTS;
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        boolean isCapabilities = parser.currentName().equals("capabilities");
        parser.nextToken();
        if (isCapabilities) {
          require(parser.currentToken() == JsonToken.START_OBJECT, "capabilities of no object");
          result = read(parser);
        } else {
          parser.skipChildren();
        }
      }
      require(
          parser.currentToken() == JsonToken.END_OBJECT && parser.nextToken() == null,
          "capabilities with something behind them");
      return result;
    } catch (IOException e) {
      throw new MalformedMessageException("capabilities that are no JSON");
    }
  }

  private static Capabilities read(JsonParser parser)
      throws IOException, MalformedMessageException {
    int fds = DEFAULTS.maxMessageFds;
    long transfer = DEFAULTS.maxDataTransfer;
    long maps = DEFAULTS.maxDmaMaps;
    long pages = DEFAULTS.pageSizes;
    boolean twin = DEFAULTS.twinSocket;
    var twinFd = DEFAULTS.twinSocketFd;
    boolean multiple = DEFAULTS.writeMultiple;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      var name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "max_msg_fds" -> fds = (int) number(parser, name, 0, Integer.MAX_VALUE);
        case "max_data_xfer_size" -> transfer = number(parser, name, 0, Long.MAX_VALUE);
        case "max_dma_maps" -> maps = number(parser, name, 0, Long.MAX_VALUE);
        case "pgsizes" -> pages = number(parser, name, 1, Long.MAX_VALUE);
        case "write_multiple" -> multiple = bool(parser, name);
        case "twin_socket" -> {
          require(parser.currentToken() == JsonToken.START_OBJECT, "a twin_socket of no object");
          while (parser.nextToken() == JsonToken.FIELD_NAME) {
            var part = parser.currentName();
            parser.nextToken();
            switch (part) {
              case "supported" -> twin = bool(parser, part);
              case "fd_index" ->
                  twinFd = OptionalInt.of((int) number(parser, part, 0, Integer.MAX_VALUE));
              default -> parser.skipChildren();
            }
          }
        }
        default -> parser.skipChildren();
      }
    }
    return new Capabilities(fds, transfer, maps, pages, twin, twinFd, multiple);
  }

  private static long number(JsonParser parser, String name, long least, long most)
      throws IOException, MalformedMessageException {
    require(parser.currentToken() == JsonToken.VALUE_NUMBER_INT, "a " + name + " of no number");
    long value = parser.getLongValue(); // fails where it does not fit
    require(value >= least && value <= most, "a %s of %d".formatted(name, value));
    return value;
  }

  private static boolean bool(JsonParser parser, String name)
      throws IOException, MalformedMessageException {
    require(parser.currentToken().isBoolean(), "a " + name + " of neither true nor false");
    return parser.getBooleanValue();
  }

  private static void require(boolean holds, String what) throws MalformedMessageException {
    if (!holds) {
      throw new MalformedMessageException(what);
    }
  }

  /** The JSON of a message, without the final NUL. */
  public String toJson() {
    var text = new StringWriter();
    try (var json = JSON.createGenerator(text)) {
      json.writeStartObject();
      json.writeObjectFieldStart("capabilities");
      json.writeNumberField("max_msg_fds", maxMessageFds);
      json.writeNumberField("max_data_xfer_size", maxDataTransfer);
      json.writeNumberField("max_dma_maps", maxDmaMaps);
      json.writeNumberField("pgsizes", pageSizes);
      if (twinSocket) {
        json.writeObjectFieldStart("twin_socket");
        json.writeBooleanField("supported", true);
        if (twinSocketFd.isPresent()) {
          json.writeNumberField("fd_index", twinSocketFd.getAsInt());
        }
        json.writeEndObject();
      }
      if (writeMultiple) {
        json.writeBooleanField("write_multiple", true);
      }
      json.writeEndObject();
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException("no I/O is done", e);
    }
    return text.toString();
  }
}
