// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.lab.storage.ServedDisk.Way;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A few of the rounds that {@code lab/storage kill} does by the hundred, each with other choices.
 */
class KillRoundsTest {
  private static final int ROUNDS = 2;

  @TempDir Path directory;
  private final long seed = System.nanoTime();
  private final ByteArrayOutputStream told = new ByteArrayOutputStream();

  private KillRounds rounds() throws Exception {
    return new KillRounds(
        directory,
        Tools.survivors(directory),
        seed,
        new PrintStream(told, true, StandardCharsets.UTF_8));
  }

  private String said() {
    return "seed %d: %s".formatted(seed, told.toString(StandardCharsets.UTF_8));
  }

  @ParameterizedTest(name = "io_uring {0}")
  @ValueSource(booleans = {true, false})
  void aKilledServerTearsNoBlockAndLosesNone(boolean usesRing) throws Exception {
    var sum = rounds().run(new Way(usesRing ? 512 : 4096, false, usesRing), ROUNDS);

    assertThat(sum.bad()).as(said()).isZero();
    assertThat(sum.rounds()).isEqualTo(ROUNDS);
    // It was killed in the middle of writes, and there was something to lose.
    assertThat(sum.interrupted()).isPositive();
    assertThat(sum.owned()).isPositive();
  }

  @Test
  void aServerWhoseWritesEndWithinABlockIsFound() throws Exception {
    var sum =
        rounds()
            .run(
                "tearing",
                512,
                (name, file) -> {
                  var socket = directory.resolve("tearing.sock");
                  var command =
                      FaultyServer.command(
                          List.of(), socket, file, KillRounds.BYTES, 512, false, 0, seed);
                  var disk = ServedDisk.start(command, socket, directory.resolve("tearing.log"));
                  disk.tell("tear");
                  return disk;
                },
                ROUNDS);

    assertThat(sum.torn()).as(said()).isPositive();
    assertThat(sum.bad()).isEqualTo(1);
  }
}
