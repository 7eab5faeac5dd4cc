// SPDX-License-Identifier: Apache-2.0
package consumer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.jvfio.VfioDevice;
import io.jvfio.junit.SimulatedHostTest;

class ReadsBlockTest {
  @SimulatedHostTest
  void readsAnEmptyDisk(VfioDevice device) {
    assertEquals(0, ReadsBlock.read(device));
  }
}
