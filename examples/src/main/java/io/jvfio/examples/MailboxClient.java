// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import module io.jvfio.user;

import java.nio.file.Path;
import java.time.Duration;

/**
 * {@code MailboxClient SOCKET}: serves a {@link Mailbox} at a socket, and uses it as any other
 * process could that connects there: a vector of its own for each slot.
 */
final class MailboxClient {
  static void main(String[] arguments) {
    var socket = Path.of(arguments[0]);
    try (var _ = VfioUserServer.serve(new Mailbox(), socket);
        var device = VfioUser.open(socket);
        var slots = device.region(0).registers();
        var _ = PciDevice.of(device).startBusMastering();
        var vectors = device.interrupts().enableMsix(Mailbox.SLOTS)) {
      for (int slot = 0; slot < vectors.count(); slot++) {
        slots.write64(8L * slot, 10 + slot);
      }
      for (int slot = 0; slot < vectors.count(); slot++) {
        long signals = vectors.vector(slot).await(Duration.ofSeconds(10));
        System.out.printf("slot %d: %d, %d signal%n", slot, slots.read64(8L * slot), signals);
      }
    }
  }
}
