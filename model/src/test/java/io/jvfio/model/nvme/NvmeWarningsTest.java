// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.model.ResetReason;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Completion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What software is told of a disk that could not make persistent what was written to it, and of a
 * controller that is too hot.
 */
class NvmeWarningsTest {
  private static final int SIZE = 1 << 20;
  private static final long LOG = 0x20_0000;
  private static final int TEMPERATURE = 1 << 1;
  private static final int RELIABILITY = 1 << 2;
  private static final int WRITE_FAULT = 0x4280;

  /** Type 1, information 0, log page 2. */
  private static final int LOSS_EVENT = 0x0002_0001;

  /** Type 1, information 1, log page 2. */
  private static final int TEMPERATURE_EVENT = 0x0002_0101;

  private static final int HOT = 400;
  private static final int COOL = 300;

  private static final Command FLUSH = new Command(0, 1, 0, 0, 0, 0, 0);
  private static final Command EVENT_REQUEST = Command.admin(0x0c, 0, 0);

  @TempDir Path directory;

  private final FaultKernel kernel = new FaultKernel();
  private final LogLines log = new LogLines();
  private final List<Completion> events = new ArrayList<>();
  private NvmeHost host;

  @BeforeEach
  void start() throws IOException {
    var file = Files.write(directory.resolve("disk"), new byte[SIZE]);
    host =
        new NvmeHost(
                NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE))
                    .withKernel(kernel))
            .enableIo();
  }

  @AfterEach
  void close() {
    kernel.rule(null);
    host.close();
    log.close();
  }

  private void failFlush() {
    kernel.rule(call -> call.kind() == Kind.SYNC ? FaultKernel.errno(Errno.EIO) : null);
    assertThat(host.io.run(FLUSH).status()).isEqualTo(WRITE_FAULT);
    kernel.rule(null);
  }

  /** Runs an admin command; events may complete with it. */
  private void run(Command command) {
    int id = host.admin.put(command);
    host.admin.ring();
    collectEvents();
    var completion = events.stream().filter(each -> each.commandId() == id).toList();
    assertThat(completion).singleElement().matches(each -> each.status() == 0);
    events.removeAll(completion);
  }

  private void enableEvents(int wanted) {
    run(Command.admin(0x09, 0x0b, wanted));
  }

  private void requestEvent() {
    host.admin.put(EVENT_REQUEST);
    host.admin.ring();
  }

  private void collectEvents() {
    host.model.poll();
    events.addAll(host.admin.takeAll());
    host.admin.acknowledge();
  }

  /** The events that came since this was last asked. */
  private List<Completion> takeEvents() {
    collectEvents();
    var taken = List.copyOf(events);
    events.clear();
    return taken;
  }

  private void assertTold(int event) {
    assertThat(takeEvents()).extracting(Completion::result).containsExactly(event);
  }

  /** Reads the SMART log, which lets events come again. */
  private int warnings() {
    run(Command.admin(0x02, 0x02 | (127 << 16), 0).at(LOG));
    return host.memory.get(LE8, LOG);
  }

  @Test
  void aLossIsToldByAnEventAndTheLog() {
    enableEvents(RELIABILITY);
    requestEvent();
    assertThat(takeEvents()).isEmpty();
    assertThat(warnings()).isZero();

    failFlush();

    assertTold(LOSS_EVENT);
    assertThat(warnings()).isEqualTo(RELIABILITY);
    assertThat(host.memory.get(LE64, LOG + 160)).as("media errors").isEqualTo(1);
    assertThat(host.io.run(FLUSH).status()).as("it stays so").isEqualTo(WRITE_FAULT);
    assertThat(warnings()).isEqualTo(RELIABILITY);
    requestEvent();
    assertThat(takeEvents()).as("told once").isEmpty();
  }

  @Test
  void aLossIsToldWhenItsEventIsEnabledLater() {
    requestEvent();
    failFlush();
    assertThat(takeEvents()).isEmpty();
    enableEvents(TEMPERATURE);
    assertThat(takeEvents()).isEmpty();

    enableEvents(RELIABILITY);
    assertTold(LOSS_EVENT);
  }

  @Test
  void aLossIsToldWhenAnEventIsRequestedLater() {
    enableEvents(RELIABILITY);
    failFlush();
    assertThat(warnings()).isEqualTo(RELIABILITY);

    requestEvent();
    assertTold(LOSS_EVENT);
  }

  @Test
  void aLossIsToldWhenBothComeLater() {
    failFlush();
    requestEvent();
    enableEvents(RELIABILITY);
    assertTold(LOSS_EVENT);
  }

  @Test
  void aLossIsToldWhenTheTemperatureWasJustTold() {
    enableEvents(RELIABILITY | TEMPERATURE);
    requestEvent();
    host.model.faults().temperature(HOT);
    assertTold(TEMPERATURE_EVENT);
    requestEvent();

    failFlush();
    assertThat(takeEvents()).as("masked until the log is read").isEmpty();

    assertThat(warnings()).isEqualTo(RELIABILITY | TEMPERATURE);
    assertTold(LOSS_EVENT);
  }

  /** The file is as it was; software that starts anew has to know. */
  @Test
  void aLossIsToldAgainAfterAReset() {
    enableEvents(RELIABILITY);
    requestEvent();
    failFlush();
    assertTold(LOSS_EVENT);
    for (int i = 0; i < 2; i++) {
      if (i == 0) {
        host.configure(0);
      } else {
        host.model.reset(ResetReason.DEVICE_RESET);
      }
      host.enableIo();
      assertThat(warnings()).isEqualTo(RELIABILITY);
      requestEvent();
      enableEvents(RELIABILITY);
      assertTold(LOSS_EVENT);
    }
  }

  /** Nobody waits for the flush, so that no command tells of it. */
  @Test
  void aLossIsKnownWhenTheFlushFailsAfterAReset() {
    kernel.rule(call -> call.kind() == Kind.SYNC ? FaultKernel.HELD : null);
    host.io.put(FLUSH);
    host.io.ring();
    kernel.awaitHeld(1, host);
    host.configure(0);
    kernel.release(FaultKernel.errno(Errno.EIO));
    for (int i = 0; i < 5; i++) {
      host.awaitRequest();
    }

    host.enableIo();
    assertThat(warnings()).isEqualTo(RELIABILITY);
    enableEvents(RELIABILITY);
    requestEvent();
    assertTold(LOSS_EVENT);
  }

  @Test
  void aWriteThatFailedIsNoLoss() {
    enableEvents(RELIABILITY);
    requestEvent();
    kernel.rule(call -> call.kind() == Kind.WRITE ? FaultKernel.errno(Errno.EIO) : null);
    assertThat(host.io.run(NvmeHost.blocks(1, 0, 1)).status()).isEqualTo(WRITE_FAULT);
    assertThat(takeEvents()).isEmpty();
    assertThat(warnings()).isZero();
  }

  @Test
  void aTemperatureIsToldWhenItsEventIsEnabledLater() {
    requestEvent();
    host.model.faults().temperature(HOT);
    assertThat(takeEvents()).isEmpty();
    enableEvents(RELIABILITY);
    assertThat(takeEvents()).isEmpty();

    enableEvents(TEMPERATURE);
    assertTold(TEMPERATURE_EVENT);
    assertThat(warnings()).isEqualTo(TEMPERATURE);
    requestEvent();
    assertThat(takeEvents()).as("told once").isEmpty();
  }

  @Test
  void aTemperatureIsToldWhenALossWasJustTold() {
    enableEvents(RELIABILITY | TEMPERATURE);
    requestEvent();
    failFlush();
    assertTold(LOSS_EVENT);
    requestEvent();

    host.model.faults().temperature(HOT);
    assertThat(takeEvents()).as("masked until the log is read").isEmpty();

    assertThat(warnings()).isEqualTo(RELIABILITY | TEMPERATURE);
    assertTold(TEMPERATURE_EVENT);
  }

  /** It is as hot as it was; software that starts anew has to know. */
  @Test
  void aTemperatureIsToldAgainAfterAReset() {
    enableEvents(TEMPERATURE);
    requestEvent();
    host.model.faults().temperature(HOT);
    assertTold(TEMPERATURE_EVENT);
    for (int i = 0; i < 2; i++) {
      if (i == 0) {
        host.configure(0);
      } else {
        host.model.reset(ResetReason.DEVICE_RESET);
      }
      host.enableIo();
      assertThat(warnings()).isEqualTo(TEMPERATURE);
      requestEvent();
      enableEvents(TEMPERATURE);
      assertTold(TEMPERATURE_EVENT);
    }
  }

  @Test
  void aTemperatureIsToldEachTimeItGoesBeyondTheThreshold() {
    enableEvents(TEMPERATURE);
    for (int i = 0; i < 2; i++) {
      requestEvent();
      host.model.faults().temperature(HOT);
      assertTold(TEMPERATURE_EVENT);
      assertThat(warnings()).isEqualTo(TEMPERATURE);
      host.model.faults().temperature(HOT + 1);
      requestEvent();
      assertThat(takeEvents()).as("beyond it already").isEmpty();
      host.model.faults().temperature(COOL);
      assertThat(takeEvents()).isEmpty();
      assertThat(warnings()).isZero();
      host.model.faults().temperature(HOT);
      assertTold(TEMPERATURE_EVENT);
      host.model.faults().temperature(COOL);
      assertThat(warnings()).isZero();
    }
  }

  /** What was as it should be is not any more. */
  @Test
  void aTemperatureIsToldWhenTheThresholdIsLowered() {
    enableEvents(TEMPERATURE);
    requestEvent();
    run(Command.admin(0x09, 0x04, COOL));
    assertTold(TEMPERATURE_EVENT);
    assertThat(warnings()).isEqualTo(TEMPERATURE);
  }
}
