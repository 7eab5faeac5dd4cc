// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import java.io.PrintWriter;

/**
 * Where the result of a command goes: text for people, or one JSON document.
 *
 * @param out standard output
 * @param err standard error: messages and progress
 * @param isJson whether the user asked for JSON
 */
public record Output(PrintWriter out, PrintWriter err, boolean isJson) {

  /** The same as text among the messages, where something else goes to standard output. */
  public Output amongMessages() {
    return new Output(err, err, false);
  }

  /** Prints the result as JSON; see {@link Json} for what it may consist of. */
  public void json(Object document) {
    Json.write(out, document);
  }

  /** Prints a line of text. */
  public void line(String text) {
    out.println(text);
  }

  /** Prints a table. */
  public void table(Table table) {
    table.print(out);
  }
}
