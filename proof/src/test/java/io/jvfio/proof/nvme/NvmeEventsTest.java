// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.DmaBuffer;
import io.jvfio.VfioException;
import io.jvfio.model.nvme.NvmeFault;
import io.jvfio.model.nvme.NvmeFaults;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.nvme.NvmeStatusException;
import io.jvfio.proof.Flight;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.time.Duration;
import java.util.List;
import jdk.jfr.consumer.RecordedEvent;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a recording says of NVMe commands, and of controllers that fail. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NvmeEventsTest {
  private static final int READ = 0x02;

  /** With "do not retry", for the driver retries errors of the medium. */
  private static final int UNRECOVERED_READ_ERROR = 0x281 | 1 << 14;

  private final NvmeFaults faults = new NvmeFaults();
  private final SimulatedHost host =
      SimulatedHosts.open("x86-6.12", HostOptions.defaults().withModels(_ -> model()));

  private NvmeModel model() {
    return NvmeModel.of(
        NvmeModelOptions.of("disk", NvmeNamespaceOptions.inMemory(1 << 20)).withFaults(faults));
  }

  @AfterEach
  void close() {
    host.close();
  }

  private static List<RecordedEvent> io(List<RecordedEvent> events) {
    return Flight.of(events, "NvmeCommand").stream()
        .filter(event -> event.getInt("queue") != 0)
        .toList();
  }

  @Test
  void aCommandTellsWhatItWasForAndHowItEnded() {
    List<RecordedEvent> events;
    String name;
    try (var flight = Flight.bySettings("0 ns")) {
      try (var disk = Disk.open(host, NvmeOptions.defaults());
          DmaBuffer buffer = disk.device().dmaSpace().allocate(4096)) {
        name = disk.address();
        disk.namespace().write(40, 8, buffer, 0);
        faults.inject(NvmeFault.status(UNRECOVERED_READ_ERROR).onIo().times(1));
        assertThatExceptionOfType(NvmeStatusException.class)
            .isThrownBy(() -> disk.namespace().read(7, 1, buffer, 0));
        disk.namespace().flush();
        disk.closeDevice();
      }
      events = flight.end();
    }

    var io = io(events);
    assertThat(io)
        .extracting(
            each ->
                "%s %d+%d: %s"
                    .formatted(
                        each.getString("command"),
                        each.getLong("lba"),
                        each.getInt("blocks"),
                        each.getString("status")))
        .startsWith("Write 40+8: Successful Completion")
        .contains("Read 7+1: Unrecovered Read Error", "Flush 0+0: Successful Completion");
    assertThat(io)
        .allSatisfy(
            each -> {
              assertThat(each.getString("device")).isEqualTo(name);
              assertThat(each.getInt("namespace")).isEqualTo(1);
              assertThat(each.getDuration()).isPositive();
            });
    assertThat(Flight.of(events, "NvmeCommand"))
        .filteredOn(each -> each.getInt("queue") == 0)
        .extracting(each -> each.getString("command"))
        .contains("Identify", "Create I/O Completion Queue", "Delete I/O Submission Queue");
  }

  @Test
  void onlyCommandsOverTheThresholdAreTold() {
    try (var flight = Flight.bySettings("300 ms");
        var disk = Disk.open(host, NvmeOptions.defaults());
        var buffer = disk.device().dmaSpace().allocate(4096)) {
      disk.namespace().read(1, 1, buffer, 0);
      faults.inject(NvmeFault.delay(Duration.ofMillis(400)).onOpcode(READ).onIo().times(1));
      disk.namespace().read(2, 1, buffer, 0);
      disk.namespace().read(3, 1, buffer, 0);
      assertThat(io(flight.end())).extracting(each -> each.getLong("lba")).contains(2L);
    }
  }

  @Test
  void aQueueThatWasOpenedBeforeIsRecordedToo() {
    try (var disk = Disk.open(host, NvmeOptions.defaults());
        var buffer = disk.device().dmaSpace().allocate(4096);
        var queue = disk.controller().openQueue()) {
      assertThat(queue.read(disk.namespace(), 1, 1, buffer, 0, 0)).isTrue();
      try (var flight = Flight.bySettings("0 ns")) {
        assertThat(queue.read(disk.namespace(), 2, 1, buffer, 0, 0)).isTrue();
        while (queue.inFlight() > 0) {
          queue.await((_, _, _) -> {}, 1_000_000_000);
        }
        assertThat(io(flight.end())).extracting(each -> each.getLong("lba")).containsExactly(2L);
      }
      assertThat(queue.read(disk.namespace(), 3, 1, buffer, 0, 0)).isTrue();
      while (queue.inFlight() > 0) {
        queue.await((_, _, _) -> {}, 1_000_000_000);
      }
    }
  }

  @Test
  void aCommandThatIsLostTellsItsTimeOutAndTheReset() {
    List<RecordedEvent> events;
    var impatient = NvmeOptions.defaults().withCommandTimeout(Duration.ofMillis(200));
    try (var flight = Flight.bySettings("0 ns");
        var disk = Disk.open(host, impatient);
        var buffer = disk.device().dmaSpace().allocate(4096)) {
      faults.inject(NvmeFault.loss().onOpcode(READ).onIo().times(1));
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> disk.namespace().read(5, 1, buffer, 0));
      events = flight.end();
    }
    var timeouts = Flight.of(events, "NvmeTimeout");
    assertThat(timeouts)
        .extracting(each -> each.getString("action"))
        .startsWith("abort")
        .endsWith("reset");
    assertThat(timeouts)
        .allSatisfy(
            each -> {
              assertThat(each.getString("device")).isNotEmpty();
              assertThat(each.getInt("queue")).isPositive();
              assertThat(each.getDuration("limit")).isEqualTo(Duration.ofMillis(200));
            });
    var reset = Flight.of(events, "NvmeReset").getFirst();
    assertThat(reset.getBoolean("worksAgain")).isTrue();
    assertThat(reset.getString("cause")).contains("did not complete command");
    assertThat(reset.getString("device")).isEqualTo(timeouts.getFirst().getString("device"));
    assertThat(io(events))
        .extracting(each -> each.getLong("lba") + ": " + each.getString("status"))
        .contains("5: Command Aborted By Host");
  }

  @Test
  void nothingIsToldThatIsTurnedOff() {
    try (var flight = Flight.ofNothing();
        var disk = Disk.open(host, NvmeOptions.defaults());
        var buffer = disk.device().dmaSpace().allocate(4096)) {
      disk.namespace().write(1, 1, buffer, 0);
      disk.namespace().flush();
      assertThat(flight.end()).isEmpty();
    }
  }
}
