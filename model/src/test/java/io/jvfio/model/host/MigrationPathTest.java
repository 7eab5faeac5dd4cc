// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The ways between migration states, against those that Linux names in {@code vfio_main.c}. */
class MigrationPathTest {
  private static final int STOP_COPY = 1;
  private static final int P2P = 2;
  private static final int PRE_COPY = 4;

  private static int number(String state) {
    return List.of(
            "ERROR",
            "STOP",
            "RUNNING",
            "STOP_COPY",
            "RESUMING",
            "RUNNING_P2P",
            "PRE_COPY",
            "PRE_COPY_P2P")
        .indexOf(state);
  }

  private static List<Integer> walk(int abilities, int from, int to) {
    var path = new MigrationPath(abilities);
    var states = new ArrayList<Integer>(List.of(from));
    while (states.getLast() != to) {
      states.add(path.next(states.getLast(), to));
      assertThat(states).doesNotHaveDuplicates().hasSizeLessThan(9);
    }
    return states;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "PRE_COPY PRE_COPY_P2P STOP_COPY",
        "PRE_COPY RUNNING RUNNING_P2P",
        "PRE_COPY RUNNING RUNNING_P2P STOP",
        "PRE_COPY RUNNING RUNNING_P2P STOP RESUMING",
        "PRE_COPY_P2P RUNNING_P2P RUNNING",
        "PRE_COPY_P2P RUNNING_P2P STOP",
        "PRE_COPY_P2P RUNNING_P2P STOP RESUMING",
        "RESUMING STOP RUNNING_P2P",
        "RESUMING STOP RUNNING_P2P PRE_COPY_P2P",
        "RESUMING STOP RUNNING_P2P RUNNING",
        "RESUMING STOP RUNNING_P2P RUNNING PRE_COPY",
        "RESUMING STOP STOP_COPY",
        "RUNNING RUNNING_P2P PRE_COPY_P2P",
        "RUNNING RUNNING_P2P STOP",
        "RUNNING RUNNING_P2P STOP RESUMING",
        "RUNNING RUNNING_P2P STOP STOP_COPY",
        "RUNNING_P2P RUNNING PRE_COPY",
        "RUNNING_P2P STOP RESUMING",
        "RUNNING_P2P STOP STOP_COPY",
        "STOP RUNNING_P2P PRE_COPY_P2P",
        "STOP RUNNING_P2P RUNNING",
        "STOP RUNNING_P2P RUNNING PRE_COPY",
        "STOP_COPY STOP RESUMING",
        "STOP_COPY STOP RUNNING_P2P",
        "STOP_COPY STOP RUNNING_P2P RUNNING",
        "PRE_COPY PRE_COPY_P2P",
        "PRE_COPY_P2P PRE_COPY",
        "PRE_COPY_P2P STOP_COPY",
      })
  void goesTheWayOfLinux(String way) {
    var states = Arrays.stream(way.split(" ")).map(MigrationPathTest::number).toList();
    assertThat(walk(STOP_COPY | P2P | PRE_COPY, states.getFirst(), states.getLast()))
        .isEqualTo(states);
  }

  @ParameterizedTest
  @CsvSource({
    "1, RUNNING STOP STOP_COPY",
    "1, RESUMING STOP RUNNING",
    "3, RUNNING RUNNING_P2P STOP STOP_COPY",
    "5, RUNNING PRE_COPY",
    "5, PRE_COPY STOP_COPY",
    "5, STOP RUNNING PRE_COPY",
  })
  void skipsWhatTheDriverDoesNotHave(int abilities, String way) {
    var states = Arrays.stream(way.split(" ")).map(MigrationPathTest::number).toList();
    assertThat(walk(abilities, states.getFirst(), states.getLast())).isEqualTo(states);
  }

  @ParameterizedTest
  @CsvSource({
    "7, STOP_COPY, PRE_COPY",
    "7, STOP_COPY, PRE_COPY_P2P",
    "7, ERROR, RUNNING",
    "7, ERROR, STOP",
    "7, RUNNING, ERROR",
    "1, RUNNING, PRE_COPY",
    "5, RUNNING, RUNNING_P2P",
    "5, RUNNING, PRE_COPY_P2P",
    "3, RUNNING, PRE_COPY_P2P",
  })
  void refusesWhatIsNoWay(int abilities, String from, String to) {
    assertThat(new MigrationPath(abilities).next(number(from), number(to)))
        .isEqualTo(Errno.EINVAL.result());
  }

  @Test
  void knowsNoOtherNumbers() {
    var path = new MigrationPath(STOP_COPY | P2P | PRE_COPY);
    for (int state : new int[] {-1, 8, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
      assertThat(path.next(number("RUNNING"), state)).isEqualTo(Errno.EINVAL.result());
    }
  }
}
