// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import org.junit.jupiter.api.Test;

/** An IOMMU that can tell names the pages that were written, and no others. */
class FindsDirtyPagesTest {
  private static String run(String host) throws Exception {
    return Output.of(() -> FindsDirtyPages.main(new String[] {"sim:" + host})).getFirst();
  }

  @Test
  void namesWhatTheDeviceWrote() throws Exception {
    assertThat(run("x86-6.12-iommufd"))
        .isEqualTo("pages of 4096 bytes written by 0000:00:01.0: {0, 128}");
  }

  @Test
  void namesEveryPageWhereTheIommuCannotTell() throws Exception {
    var all = new BitSet();
    all.set(0, 256);
    assertThat(run("x86-6.12")).endsWith(": " + all);
  }
}
