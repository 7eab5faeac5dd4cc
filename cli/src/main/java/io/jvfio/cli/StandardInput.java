// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What the user types. A process in the background of a shell must not read its terminal: the
 * kernel would stop it for that, with all that it serves.
 */
final class StandardInput {
  private static final Path DESCRIPTOR = Path.of("/proc/self/fd/0");
  private static final Path STATUS = Path.of("/proc/self/stat");

  // Behind the name of the command: state, parent, process group, session, terminal, and the
  // process group that the terminal belongs to.
  private static final int GROUP = 2;
  private static final int TERMINAL_GROUP = 5;

  private StandardInput() {}

  /** Standard input, or nothing where reading it would stop this process. */
  static InputStream open() {
    try {
      var terminal = Files.readSymbolicLink(DESCRIPTOR).toString();
      boolean isTerminal = terminal.startsWith("/dev/pts/") || terminal.startsWith("/dev/tty");
      // Not as text: the name of the command is whatever bytes it has.
      var status = new String(Files.readAllBytes(STATUS), StandardCharsets.ISO_8859_1);
      return isTerminal && isInBackground(status) ? InputStream.nullInputStream() : System.in;
    } catch (IOException e) {
      return System.in;
    }
  }

  /** Whether a line of {@code /proc/PID/stat} is of a process that its terminal is not with. */
  static boolean isInBackground(String status) {
    var fields = status.substring(status.lastIndexOf(')') + 1).strip().split(" ", -1);
    return fields.length > TERMINAL_GROUP && !fields[GROUP].equals(fields[TERMINAL_GROUP]);
  }
}
