// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The simulator against what real kernels answered. A recording is what a lane printed between
 * {@link Transcript#BEGIN} and {@link Transcript#END}, in {@code conformance.out} or {@code
 * conformance-unprivileged.out}; a change of the suite needs new ones.
 */
class RecordingsTest {
  static Stream<Arguments> suites() {
    return Suite.LANES.stream()
        .flatMap(lane -> Stream.of(Arguments.of(lane, false), Arguments.of(lane, true)));
  }

  @ParameterizedTest(name = "{0} unprivileged={1}")
  @MethodSource("suites")
  void theSimulatorAnswersAsTheRecordedKernel(String lane, boolean unprivileged) throws Exception {
    var recorded = recording(lane + (unprivileged ? "-unprivileged" : ""));
    var simulated = Conformance.simulate(lane, unprivileged, Suite.of(lane, unprivileged));

    assertThat(Transcript.differences(recorded, simulated))
        .extracting(difference -> difference.describe("recorded ", "simulator"))
        .isEmpty();
  }

  private static Transcript recording(String name) {
    try (var in = RecordingsTest.class.getResourceAsStream("/recordings/" + name + ".tsv")) {
      assertThat(in).as("the recording of " + name).isNotNull();
      return Transcript.read(
          new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
