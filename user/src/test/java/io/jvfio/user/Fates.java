// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.linux.Errno;
import io.jvfio.user.wire.Command;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** What became of messages, and of connections: counts, and a table of them. */
final class Fates {
  private static final int COMMANDS = 20;

  private final long[] sent = new long[COMMANDS];
  private final long[] succeeded = new long[COMMANDS];
  private final long[] refused = new long[COMMANDS];
  private final Map<String, Long> errors = new TreeMap<>();
  private final Map<String, Long> connections = new TreeMap<>();
  private long total;

  private static int row(int command) {
    return command > 0 && command < COMMANDS - 1 ? command : 0;
  }

  synchronized void sent(int command) {
    sent[row(command)]++;
    total++;
  }

  synchronized void answered(int command) {
    succeeded[row(command)]++;
  }

  synchronized void refused(int command, int errno) {
    refused[row(command)]++;
    errors.merge(Errno.of(errno).symbol(), 1L, Long::sum);
  }

  synchronized void connection(String fate) {
    connections.merge(fate, 1L, Long::sum);
  }

  synchronized long total() {
    return total;
  }

  private static String name(int row) {
    var command = Command.of(row);
    return command == null ? "no command (" + row + ")" : command.name();
  }

  synchronized String table() {
    var table = new StringBuilder();
    table.append(
        "%-28s %12s %12s %12s %12s%n".formatted("message", "sent", "done", "refused", "no answer"));
    for (int row = 0; row < COMMANDS; row++) {
      if (sent[row] + succeeded[row] + refused[row] > 0) {
        table.append(
            "%-28s %,12d %,12d %,12d%n"
                .formatted(
                    row == 0 ? "other numbers" : name(row),
                    sent[row],
                    succeeded[row],
                    refused[row]));
      }
    }
    table.append("refused with: ").append(counts(errors)).append('\n');
    table.append("connections: ").append(counts(connections)).append('\n');
    return table.toString();
  }

  private static String counts(Map<String, Long> counts) {
    return counts.entrySet().stream()
        .map(each -> "%s %,d".formatted(each.getKey(), each.getValue()))
        .collect(Collectors.joining(", "));
  }
}
