// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What a program prints. */
final class Output {
  private Output() {}

  /** A program. */
  interface Program {
    /** Runs it. */
    void run() throws IOException;
  }

  /** The lines on standard output. */
  static List<String> of(Program program) throws IOException {
    var out = new ByteArrayOutputStream();
    var standard = System.out;
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    try {
      program.run();
    } finally {
      System.setOut(standard);
    }
    return out.toString(StandardCharsets.UTF_8).lines().toList();
  }
}
