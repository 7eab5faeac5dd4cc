// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.HashSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class SuiteTest {
  static final Iterable<String> LANES = Suite.LANES;

  @ParameterizedTest
  @FieldSource("LANES")
  void everyLaneHasEnoughToCompare(String lane) {
    var sequences = Suite.of(lane, false);

    assertThat(sequences).hasSizeGreaterThanOrEqualTo(40);
    assertThat(sequences.stream().mapToInt(sequence -> sequence.steps().size()).sum())
        .isGreaterThanOrEqualTo(400);
    assertThat(Suite.of(lane, true)).isNotEmpty();
  }

  @ParameterizedTest
  @FieldSource("LANES")
  void namesAreUniqueAndFitARecording(String lane) {
    for (boolean unprivileged : new boolean[] {false, true}) {
      var names = new HashSet<String>();
      for (var sequence : Suite.of(lane, unprivileged)) {
        assertThat(names.add(sequence.name())).as(sequence.name()).isTrue();
        assertThat(sequence.name()).matches("[a-z0-9-]+");
        assertThat(sequence.steps())
            .allSatisfy(step -> assertThat(step.toString()).doesNotContain("\t", "\n"));
      }
    }
  }

  @Test
  void anUnknownLaneIsNamedTogetherWithTheKnownOnes() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Suite.of("vax-4.3", false))
        .withMessageContaining("vax-4.3")
        .withMessageContaining("pseries-6.12-noddw");
  }

  @Test
  void whatPoisonsADeviceComesAfterWhatDoesNot() {
    var names = Suite.of("pseries-6.12-noddw", false).stream().map(Sequence::name).toList();
    var windows =
        SpaprSequences.v1Windows().stream().map(Sequence::name).map(names::indexOf).toList();
    var others = SpaprSequences.v2().stream().map(Sequence::name).map(names::indexOf).toList();

    assertThat(others).allSatisfy(index -> assertThat(index).isBetween(0, windows.getFirst()));
  }
}
