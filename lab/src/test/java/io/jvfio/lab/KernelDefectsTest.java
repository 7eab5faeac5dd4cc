// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KernelDefectsTest {
  private static final String LEAK =
      "WARNING: CPU: 0 PID: 34 at arch/powerpc/mm/book3s64/mmu_context.c:276 destroy_context+0xe0";

  @ParameterizedTest
  @ValueSource(
      strings = {
        "WARNING: CPU: 0 PID: 1 at drivers/vfio/vfio.c:633",
        "BUG: Unable to handle kernel data access on read at 0xc008000001fb3000",
        "Oops: Kernel access of bad area, sig: 11 [#1]",
        "Kernel panic - not syncing: Fatal exception",
        "refcount_t: underflow; use-after-free."
      })
  void theseAreAlarms(String line) {
    assertThat(KernelDefects.isAlarm(line)).isTrue();
  }

  @Test
  void whatThisProgramWritesIsNone() {
    assertThat(KernelDefects.isAlarm("conformance: WARNING: no")).isFalse();
    assertThat(KernelDefects.isAlarm("vfio-pci 0000:00:00.0: enabling device")).isFalse();
  }

  @Test
  void aKnownWarningIsKnownInItsLaneOnly() {
    assertThat(KernelDefects.warning("pseries-6.12", LEAK)).isPresent();
    assertThat(KernelDefects.warning("x86-6.12", LEAK)).isEmpty();
    assertThat(KernelDefects.warning("pseries-6.12", "WARNING: elsewhere")).isEmpty();
  }

  @Test
  void aRecordOfTheLogIsReducedToItsMessage() {
    assertThat(KernelLog.message("4,1042,96199031,-;BUG: it; broke\n SUBSYSTEM=pci\n"))
        .isEqualTo("BUG: it; broke");
  }
}
