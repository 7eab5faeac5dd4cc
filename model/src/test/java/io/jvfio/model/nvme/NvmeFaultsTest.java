// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.model.nvme.NvmeHost.Command;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Controllers that do what they should not. */
class NvmeFaultsTest {
  private static final int READ = 2;
  private static final int WRITE = 1;
  private static final Command ONE_BLOCK = NvmeHost.blocks(READ, 0, 1);

  private final NvmeFaults faults = new NvmeFaults();
  private final NvmeHost host =
      new NvmeHost(
          NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withFaults(faults));

  @BeforeEach
  void enable() {
    host.enableIo();
  }

  @AfterEach
  void close() {
    host.close();
  }

  private int submit(Command command) {
    int id = host.io.put(command);
    host.io.ring();
    return id;
  }

  private int abort(int commandId) {
    return host.admin.run(Command.admin(0x08, 1 | (commandId << 16), 0)).result();
  }

  @Test
  void completesWithEveryStatusThereIs() {
    for (int status = 1; status < 0x8000; status++) {
      faults.inject(NvmeFault.status(status).onIo().times(1));
      assertThat(host.io.run(ONE_BLOCK).status()).isEqualTo(status);
      faults.clear();
    }
    assertThat(host.io.run(ONE_BLOCK).status()).isZero();
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeFault.status(0x8000));
  }

  @Test
  void picksCommandsByQueueOpcodeAndCount() {
    faults.inject(NvmeFault.status(0x281).onOpcode(READ).onIo().after(2).times(3));

    for (int i = 0; i < 8; i++) {
      assertThat(host.io.run(ONE_BLOCK).status()).isEqualTo(i < 2 || i > 4 ? 0 : 0x281);
      assertThat(host.io.run(NvmeHost.blocks(WRITE, 0, 1)).status()).isZero();
      assertThat(host.admin.run(Command.admin(READ, 1, 0).at(DATA)).status()).isZero();
    }
  }

  @Test
  void doesNotCarryOutWhatItRefuses() {
    faults.inject(NvmeFault.status(0x280).onAdmin());
    assertThat(host.admin.run(Command.admin(0x04, 1, 0)).status()).isEqualTo(0x280);
    faults.clear();

    faults.inject(NvmeFault.status(0x280).onIo().times(1));
    host.memory.set(LE8, DATA, (byte) 1);
    assertThat(host.io.run(NvmeHost.blocks(WRITE, 0, 1)).status()).isEqualTo(0x280);
    assertThat(host.io.run(ONE_BLOCK).status()).isZero();
    assertThat(host.memory.get(LE8, DATA)).isZero();
  }

  @Test
  void holdsCommandsUntilTheyAreReleased() {
    faults.inject(NvmeFault.hold().onIo());
    int first = submit(ONE_BLOCK);
    int second = submit(ONE_BLOCK);
    assertThat(faults.held()).isEqualTo(2);
    assertThat(host.model.poll()).isFalse();
    assertThat(host.io.takeAll()).isEmpty();
    faults.clear();
    assertThat(host.io.run(ONE_BLOCK).commandId()).as("others overtake them").isEqualTo(second + 1);

    faults.release();
    assertThat(host.model.poll()).isTrue();

    assertThat(host.io.takeAll())
        .extracting(NvmeHost.Completion::commandId)
        .containsExactly(first, second);
    assertThat(faults.held()).isZero();
  }

  @Test
  void noticesAReleaseAtTheNextAccess() {
    faults.inject(NvmeFault.hold().onIo());
    submit(ONE_BLOCK);

    faults.release();
    host.status();

    assertThat(host.io.takeAll()).hasSize(1);
  }

  @Test
  void waitsForRoomBeforeItAnswersLate() {
    faults.inject(NvmeFault.hold().onIo().times(1));
    submit(ONE_BLOCK);
    for (int i = 0; i < 3; i++) {
      submit(ONE_BLOCK);
      host.model.poll();
    }
    faults.release();
    host.status();
    assertThat(host.io.takeAll()).hasSize(3);

    host.io.acknowledge();

    assertThat(host.io.takeAll()).hasSize(1);
  }

  @Test
  void answersAfterAWhile() {
    faults.inject(NvmeFault.delay(Duration.ofHours(1)).onIo().times(1));
    faults.inject(NvmeFault.delay(Duration.ofNanos(1)).onIo().after(1).times(1));
    submit(ONE_BLOCK);
    int soon = submit(ONE_BLOCK);

    host.model.poll();

    assertThat(host.io.takeAll()).extracting(NvmeHost.Completion::commandId).containsExactly(soon);
    assertThat(faults.held()).isEqualTo(1);
  }

  @Test
  void abortsWhatItHolds() {
    faults.inject(NvmeFault.hold().onIo().times(1));
    host.memory.set(LE8, DATA, (byte) 1);
    int held = submit(NvmeHost.blocks(WRITE, 0, 1));

    assertThat(abort(held)).isZero();

    var completions = host.io.takeAll();
    assertThat(completions).hasSize(1);
    assertThat(completions.getFirst().commandId()).isEqualTo(held);
    assertThat(completions.getFirst().status()).isEqualTo(0x007);
    host.io.acknowledge();
    assertThat(abort(held)).as("not there any more").isEqualTo(1);
    assertThat(host.io.run(ONE_BLOCK).status()).isZero();
    assertThat(host.memory.get(LE8, DATA)).as("never carried out").isZero();
  }

  @Test
  void abortsWhatItHoldsOfAQueueThatIsDeleted() {
    faults.inject(NvmeFault.hold().onIo());
    submit(ONE_BLOCK);

    assertThat(host.admin.run(Command.admin(0x00, 1, 0)).status()).isZero();

    assertThat(host.io.takeAll().getFirst().status()).isEqualTo(0x008);
    assertThat(faults.held()).isZero();
  }

  @Test
  void forgetsWhatItHoldsWithAReset() {
    faults.inject(NvmeFault.hold().onIo());
    submit(ONE_BLOCK);
    host.configure(0);
    assertThat(faults.held()).isZero();

    faults.release();
    host.enableIo();

    assertThat(host.io.takeAll()).isEmpty();
  }

  @Test
  void losesRepeatsAndForgesCompletions() {
    faults.inject(NvmeFault.loss().onIo().times(1));
    submit(ONE_BLOCK);
    assertThat(host.io.takeAll()).isEmpty();

    faults.inject(NvmeFault.repetition().onIo().after(1).times(1));
    submit(ONE_BLOCK);
    submit(ONE_BLOCK);
    var repeated = host.io.takeAll();
    host.io.acknowledge();
    assertThat(repeated).hasSize(3);
    assertThat(repeated.get(1).commandId()).isEqualTo(repeated.get(2).commandId());

    faults.clear();
    faults.inject(NvmeFault.forgery(0xbeef).onIo().times(1));
    int id = submit(ONE_BLOCK);
    assertThat(host.io.takeAll())
        .extracting(NvmeHost.Completion::commandId)
        .containsExactly(id, 0xbeef);
  }

  @Test
  void writesWhereItShouldNot() {
    long stray = 0x30_0000;
    faults.inject(NvmeFault.strayWrite(stray, 3).onIo().times(1));
    faults.inject(NvmeFault.overrun(5).onIo().times(1));

    assertThat(host.io.run(ONE_BLOCK).status()).isZero();

    assertThat(host.memory.get(LE16, stray)).isEqualTo((short) 0xeeee);
    assertThat(host.memory.get(LE16, stray + 2)).isEqualTo((short) 0x00ee);
    assertThat(host.memory.get(LE8, DATA + 511)).isZero();
    assertThat(host.memory.get(LE8, DATA + 512)).isEqualTo((byte) 0xee);
    assertThat(host.memory.get(LE16, DATA + 516)).isEqualTo((short) 0x00ee);
  }

  @Test
  void goesOnWhenTheHostStopsAStrayWrite() {
    faults.inject(NvmeFault.strayWrite(0, 64).onIo());

    assertThat(host.io.run(ONE_BLOCK).status()).isZero();
  }

  @Test
  void combinesFaults() {
    faults.inject(NvmeFault.status(0x006).onIo());
    faults.inject(NvmeFault.hold().onIo());
    faults.inject(NvmeFault.repetition().onIo());
    submit(ONE_BLOCK);
    assertThat(host.io.takeAll()).isEmpty();

    faults.release();
    host.model.poll();

    assertThat(host.io.takeAll()).extracting(NvmeHost.Completion::status).containsExactly(6, 6);
  }

  @Test
  void stopsAnsweringFromACommandOnUntilItIsReset() {
    faults.inject(NvmeFault.failure(NvmeFailure.HUNG).onIo().after(1).times(1));
    for (int i = 0; i < 3; i++) {
      host.io.put(ONE_BLOCK);
    }
    host.io.ring();
    assertThat(host.io.takeAll()).hasSize(1);
    assertThat(host.status()).isEqualTo(1);
    host.io.acknowledge();
    host.admin.put(Command.admin(0x0a, 7, 0));
    host.admin.ring();
    assertThat(host.admin.takeAll()).isEmpty();

    host.configure(0);
    host.enableIo();

    assertThat(host.io.run(ONE_BLOCK).status()).isZero();
    assertThat(faults.failure()).isEqualTo(NvmeFailure.NONE);
  }

  @Test
  void goesOnWhereItStoodWhenItIsRepaired() {
    faults.become(NvmeFailure.HUNG);
    submit(ONE_BLOCK);
    submit(ONE_BLOCK);
    assertThat(host.io.takeAll()).isEmpty();

    faults.become(NvmeFailure.NONE);
    host.status();

    assertThat(host.io.takeAll()).hasSize(2);
  }

  @Test
  void saysThatItFailed() {
    faults.inject(NvmeFault.failure(NvmeFailure.FATAL).onIo().times(1));
    submit(ONE_BLOCK);
    assertThat(host.status()).isEqualTo(3);
    host.configure(0);
    assertThat(host.status()).isZero();
    assertThat(host.enable().status()).isEqualTo(1);
  }

  @Test
  void neverBecomesReady() {
    faults.become(NvmeFailure.NOT_READY);
    assertThat(host.status()).isZero();
    host.configure(0);
    host.configure(0x0046_0001);
    assertThat(host.status()).isZero();

    faults.become(NvmeFailure.NONE);
    assertThat(host.status()).isEqualTo(1);
  }

  @Test
  void isGone() {
    faults.become(NvmeFailure.GONE);
    host.configure(0);
    host.model.reset();
    assertThat(host.status()).isEqualTo(-1);
    assertThat(host.model.read(0, 0, 8)).isEqualTo(-1);
    assertThat(host.model.read(0, 0, 2)).isEqualTo(0xffff);
    assertThat(host.model.read(0, 3, 1)).isEqualTo(0xff);
    submit(ONE_BLOCK);
    assertThat(host.io.takeAll()).isEmpty();
  }

  @Test
  void warnsOfItsTemperature() {
    assertThat(host.admin.run(Command.admin(0x09, 0x0b, 2)).status()).isZero();
    host.admin.put(Command.admin(0x0c, 0, 0));
    host.admin.ring();

    faults.temperature(350);
    host.status();

    var event = host.admin.takeAll();
    host.admin.acknowledge();
    assertThat(event).hasSize(1);
    assertThat(event.getFirst().result()).isEqualTo(0x0002_0101);
    assertThat(host.admin.run(Command.admin(0x02, 0x02 | (127 << 16), 0).at(DATA)).status())
        .isZero();
    assertThat(host.memory.get(LE8, DATA)).as("warning").isEqualTo((byte) 2);
    assertThat(host.memory.get(LE8, DATA + 1) & 0xff).isEqualTo(350 & 0xff);

    assertThat(host.admin.run(Command.admin(0x09, 0x04, 360)).status()).isZero();
    assertThat(host.admin.run(Command.admin(0x02, 0x02 | (127 << 16), 0).at(DATA)).status())
        .isZero();
    assertThat(host.memory.get(LE8, DATA)).as("below the new threshold").isZero();
    assertThatIllegalArgumentException().isThrownBy(() -> faults.temperature(-1));
  }

  @Test
  void keepsTheHeatToItselfUnlessAsked() {
    host.admin.put(Command.admin(0x0c, 0, 0));
    host.admin.ring();

    faults.temperature(350);
    host.status();

    assertThat(host.admin.takeAll()).isEmpty();
  }
}
