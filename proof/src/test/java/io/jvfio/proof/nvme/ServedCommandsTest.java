// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.VfioDevice;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.nvme.NvmeController;
import io.jvfio.proof.Flight;
import io.jvfio.user.VfioUser;
import io.jvfio.user.VfioUserServer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import jdk.jfr.consumer.RecordedEvent;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a recording says of the commands that a served controller carries out. */
@Timeout(120)
class ServedCommandsTest {
  private static final NvmeNamespaceOptions NAMESPACE = NvmeNamespaceOptions.inMemory(1 << 20);

  @TempDir Path directory;

  /** What a client does with the disk. */
  private interface Client {
    void use(VfioDevice device, NvmeController controller);
  }

  private void serve(NvmeNamespaceOptions namespace, Client client) {
    var socket = directory.resolve("nvme.sock");
    var model = NvmeModel.of(NvmeModelOptions.of("blue", namespace));
    try (var _ = VfioUserServer.serve(model, socket);
        var device = VfioUser.open(socket);
        var controller = NvmeController.open(device)) {
      client.use(device, controller);
    }
  }

  private static List<RecordedEvent> served(Flight flight) {
    return Flight.of(flight.end(), "NvmeServedCommand");
  }

  @Test
  void aCommandTellsWhatItWasForAndHowItEnded() {
    List<RecordedEvent> events;
    try (var flight = Flight.bySettings("0 ns")) {
      serve(
          NAMESPACE,
          (device, controller) -> {
            var disk = controller.namespace(1);
            try (var buffer = device.dmaSpace().allocate(8192)) {
              buffer.segment().fill((byte) 7);
              disk.write(40, 8, buffer, 0);
              disk.compare(48, 8, buffer, 0);
              disk.flush();
            }
          });
      events = served(flight);
    }
    assertThat(events)
        .extracting(
            each ->
                "%s %d+%d: %s"
                    .formatted(
                        each.getString("command"),
                        each.getLong("lba"),
                        each.getInt("blocks"),
                        each.getString("status")))
        .startsWith("Write 40+8: 0x000", "Compare 48+8: 0x285", "Flush 0+0: 0x000");
    assertThat(events)
        .allSatisfy(
            each -> {
              assertThat(each.getString("controller")).isEqualTo("blue");
              assertThat(each.getInt("queue")).isPositive();
              assertThat(each.getDuration()).isPositive();
            });
    assertThat(events.getFirst().getInt("namespace")).isEqualTo(1);
  }

  @Test
  void onlyCommandsOverTheThresholdAreTold() {
    try (var flight = Flight.bySettings("100 ms")) {
      serve(
          NAMESPACE.withLimits(2, Long.MAX_VALUE),
          (device, controller) -> {
            try (var buffer = device.dmaSpace().allocate(4096)) {
              controller.namespace(1).read(1, 1, buffer, 0);
              controller.namespace(1).read(2, 1, buffer, 0);
            }
          });
      // The limit lets the first one pass at once.
      assertThat(served(flight))
          .filteredOn(each -> each.getString("command").equals("Read"))
          .last()
          .satisfies(
              each -> {
                assertThat(each.getLong("lba")).isEqualTo(2);
                assertThat(each.getDuration()).isGreaterThanOrEqualTo(Duration.ofMillis(100));
              });
    }
  }
}
