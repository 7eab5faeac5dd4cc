// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.model.IoEventRegister.Kind;
import org.junit.jupiter.api.Test;

class IoEventRegisterTest {
  @Test
  void saysWhatBecomesOfTheValue() {
    assertThat(IoEventRegister.of(0, 8, 4))
        .isEqualTo(new IoEventRegister(0, 8, 4, Kind.ANY_VALUE, 0));
    assertThat(IoEventRegister.matching(2, 2, 2, 0xffff))
        .isEqualTo(new IoEventRegister(2, 2, 2, Kind.ONE_VALUE, 0xffff));
    assertThat(IoEventRegister.shadowed(0, 0x1000, 4))
        .isEqualTo(new IoEventRegister(0, 0x1000, 4, Kind.SHADOWED, 0));
    assertThat(IoEventRegister.matching(0, 0, 8, -1).value()).isEqualTo(-1);
  }

  @Test
  void refusesWhatNoHostCouldSetUp() {
    assertThatIllegalArgumentException().isThrownBy(() -> IoEventRegister.of(6, 0, 4));
    assertThatIllegalArgumentException().isThrownBy(() -> IoEventRegister.of(0, 2, 4));
    assertThatIllegalArgumentException().isThrownBy(() -> IoEventRegister.of(0, 0, 3));
    assertThatIllegalArgumentException().isThrownBy(() -> IoEventRegister.of(0, 0, 16));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> IoEventRegister.matching(0, 0, 1, 0x100))
        .withMessage("value 0x100 does not fit into 1 bytes");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new IoEventRegister(0, 0, 4, Kind.SHADOWED, 1));
  }
}
