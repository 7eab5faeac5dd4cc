// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CapabilitiesTest {
  private static Capabilities parse(String json) throws MalformedMessageException {
    return Capabilities.parse(json.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void readsWhatItWrites() throws MalformedMessageException {
    var all = new Capabilities(8, 1 << 22, 100, 0x201000, true, OptionalInt.of(0), true);
    assertThat(parse(all.toJson())).isEqualTo(all);
    assertThat(parse(Capabilities.DEFAULTS.toJson())).isEqualTo(Capabilities.DEFAULTS);
  }

  @Test
  void hasDefaultsForWhatIsNotThere() throws MalformedMessageException {
    assertThat(parse("{}")).isEqualTo(Capabilities.DEFAULTS);
    assertThat(parse("{\"capabilities\": {}}")).isEqualTo(Capabilities.DEFAULTS);
    assertThat(parse("{\"capabilities\": {\"max_msg_fds\": 16}}"))
        .isEqualTo(new Capabilities(16, 1 << 20, 65_535, 4096, false, OptionalInt.empty(), false));
  }

  @Test
  void skipsWhatIsUnknown() throws MalformedMessageException {
    assertThat(
            parse(
                "{\"x\": [{\"capabilities\": 1}], \"capabilities\": {\"migration\": {\"pgsize\": 4096},"
                    + " \"twin_socket\": {\"supported\": true, \"y\": {}}, \"z\": null}, \"q\": 1.5}"))
        .isEqualTo(new Capabilities(1, 1 << 20, 65_535, 4096, true, OptionalInt.empty(), false));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{",
        "{\"capabilities\": {}",
        "{} {}",
        "{\"capabilities\": {\"max_msg_fds\": \"8\"}}",
        "{\"capabilities\": {\"max_msg_fds\": -1}}",
        "{\"capabilities\": {\"max_msg_fds\": 4294967296}}",
        "{\"capabilities\": {\"max_data_xfer_size\": 1e400}}",
        "{\"capabilities\": {\"max_dma_maps\": 99999999999999999999}}",
        "{\"capabilities\": {\"pgsizes\": 0}}",
        "{\"capabilities\": {\"write_multiple\": 1}}",
        "{\"capabilities\": {\"twin_socket\": true}}",
        "{\"capabilities\": \"23\"}",
        "{\"capabilities\": null}",
        "{\"capabilities\": [{}]}",
        "\u0000"
      })
  void refusesWhatIsNoSuchThing(String json) {
    assertThatExceptionOfType(MalformedMessageException.class).isThrownBy(() -> parse(json));
  }

  @Test
  void refusesTextsThatAreTooLong() {
    assertThatExceptionOfType(MalformedMessageException.class)
        .isThrownBy(() -> parse("{" + " ".repeat(Capabilities.MAX_BYTES) + "}"));
  }
}
