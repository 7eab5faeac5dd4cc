// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.Output;
import io.jvfio.user.tools.MessageDecoder;
import io.jvfio.user.tools.TapMessage;
import io.jvfio.user.tools.TapObserver;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Prints messages as they go past: a line of text for each, or a JSON object. */
final class MessagePrinter implements TapObserver {
  /** Of a message; more of its data than fit in are left out. */
  static final int MOST_BYTES = (1 << 20) + (64 << 10);

  /** Those of which nothing was heard for longest are forgotten: a recording may end none. */
  private static final int MOST_CONNECTIONS = 1024;

  private final Output output;
  private final ByteOrder order;
  private final boolean isWhole;
  private final Set<String> only;
  private final Map<Integer, Decoders> decoders = new LinkedHashMap<>(16, 0.75f, true);

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
    if (decoders.size() > MOST_CONNECTIONS) {
      decoders.remove(decoders.keySet().iterator().next());
    }
    var decoded = (message.isTwin() ? both.twin : both.main).decode(message);
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
