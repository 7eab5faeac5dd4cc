// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.recording;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ConfigMaskTest {
  private static byte[] space(int size) {
    var config = new byte[size];
    Arrays.fill(config, (byte) 0xee); // whatever is not placed below is a vendor's own
    config[0x34] = 0x40;
    capability(config, 0x40, 0x01, 0x50); // power management: 8 bytes
    capability(config, 0x50, 0x09, 0x00); // a vendor's own, with its length
    config[0x52] = 0x20;
    return config;
  }

  private static void capability(byte[] config, int at, int id, int next) {
    config[at] = (byte) id;
    config[at + 1] = (byte) next;
  }

  @Test
  void serialNumbersAreTakenOut() {
    var config = space(4096);
    Arrays.fill(config, 0x100, 0x10c, (byte) 0x77);
    config[0x100] = 0x03; // the device's serial number, which often is an address of a network
    config[0x101] = 0;
    config[0x102] = 0x01;
    config[0x103] = 0;
    var kept = ConfigMask.of(config);
    assertThat(Arrays.copyOfRange(kept, 0x100, 0x104)).containsExactly(3, 0, 1, 0);
    assertThat(Arrays.copyOfRange(kept, 0x104, 0x1000)).containsOnly(0);
  }

  @Test
  void whatIsAVendorsOwnIsTakenOut() {
    var kept = ConfigMask.of(space(256));
    assertThat(Arrays.copyOfRange(kept, 0x40, 0x48)).startsWith(1, 0x50).contains(0xee);
    assertThat(Arrays.copyOfRange(kept, 0x48, 0x50)).containsOnly(0);
    assertThat(Arrays.copyOfRange(kept, 0x50, 0x54)).containsExactly(9, 0, 0x20, 0xee);
    assertThat(Arrays.copyOfRange(kept, 0x54, 0x100)).containsOnly(0);
  }

  @Test
  void aListThatGoesInCirclesEnds() {
    var config = space(4096);
    config[0x41] = 0x40;
    config[0x102] = 0x01;
    config[0x103] = 0x10;
    assertThat(ConfigMask.of(config)).hasSize(4096);
  }

  @Test
  void theHeaderAloneStaysAsItIs() {
    var config = Arrays.copyOf(space(256), 64);
    assertThat(ConfigMask.of(config)).isEqualTo(config);
  }
}
