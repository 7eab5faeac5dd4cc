// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.nio.file.Path;

/**
 * {@code SoakClient SOCKET LOG GENERATION SEED}: a client of a served disk that writes, reads and
 * compares until it is killed.
 */
public final class SoakClient {
  private SoakClient() {}

  /** The program. */
  public static void main(String[] arguments) throws Exception {
    try (var log = WriteLog.open(Path.of(arguments[1]), Long.parseLong(arguments[2]));
        var writer =
            BlockWriter.start(
                Path.of(arguments[0]),
                BlockWriter.Plan.of(Long.parseLong(arguments[3])).withReads(30),
                log)) {
      System.out.println("writing");
      System.out.flush();
      writer.awaitLoss();
    }
  }
}
