package io.jvfio.cli;

import io.jvfio.user.MessageDecoder;
import io.jvfio.user.TapMessage;
import io.jvfio.user.TapObserver;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** Prints messages as they go past: a line of text for each, or a JSON object. */
final class MessagePrinter implements TapObserver {
  private final Output output;
  private final ByteOrder order;
  private final boolean isWhole;
  private final Set<String> only;
  private final Map<Integer, Decoders> decoders = new HashMap<>();

  /**
   * A printer.
   *
   * @param order of the bytes of messages
   * @param isWhole whether long data are printed whole
   * @param only which commands are printed; all where there is none
   */
  MessagePrinter(Output output, ByteOrder order, boolean isWhole, Set<String> only) {
    this.output = output;
    this.order = order;
    this.isWhole = isWhole;
    this.only = only;
  }

  /** Each socket has its own commands and replies. */
  private record Decoders(MessageDecoder main, MessageDecoder twin) {}

  @Override
  public void connected(int connection, long nanos) {
    if (!output.isJson()) {
      output.line("%s connected".formatted(place(nanos, connection, false)));
    }
  }

  @Override
  public void message(TapMessage message) {
    var both =
        decoders.computeIfAbsent(
            message.connection(),
            _ -> new Decoders(new MessageDecoder(order), new MessageDecoder(order)));
    var decoded =
        (message.isTwin() ? both.twin : both.main)
            .decode(message.direction(), message.bytes(), message.descriptors(), message.nanos());
    if (!only.isEmpty() && !only.contains(decoded.command())) {
      return;
    }
    if (output.isJson()) {
      output.line(decoded.toJson(message));
    } else {
      output.line(
          place(message.nanos(), message.connection(), message.isTwin())
              + " "
              + decoded.toText(isWhole));
    }
  }

  @Override
  public void disconnected(int connection, long nanos, String reason) {
    decoders.remove(connection);
    if (!output.isJson()) {
      output.line("%s disconnected: %s".formatted(place(nanos, connection, false), reason));
    }
  }

  @Override
  public void caughtUp() {
    output.out().flush();
  }

  private static String place(long nanos, int connection, boolean isTwin) {
    return "%10d \u00b5s %d%s".formatted(nanos / 1000, connection, isTwin ? "+" : " ");
  }
}
