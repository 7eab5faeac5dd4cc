// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The device answers in every slot, by the slot's own vector. */
class MailboxClientTest {
  @Test
  void everySlotHasAVectorOfItsOwn(@TempDir Path directory) throws Exception {
    var socket = directory.resolve("mailbox.sock").toString();
    assertThat(Output.of(() -> MailboxClient.main(new String[] {socket})))
        .containsExactly(
            "slot 0: 100, 1 signal",
            "slot 1: 121, 1 signal",
            "slot 2: 144, 1 signal",
            "slot 3: 169, 1 signal");
  }
}
