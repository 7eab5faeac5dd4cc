// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.model.Bar;
import java.util.HexFormat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Configuration space, registers, and the state machine behind CC and CSTS. */
class NvmeRegistersTest {
  private static final int READY = 1;
  private static final int FATAL = 2;
  private static final int SHUTDOWN_COMPLETE = 8;

  private final NvmeHost host = new NvmeHost(NvmeModel.inMemory("S", 1 << 20));

  @AfterEach
  void close() {
    host.close();
  }

  /** As Linux 6.12 showed QEMU's controller on pseries, awake and before a BAR was assigned. */
  @Test
  void looksLikeTheControllerOfQemu() {
    String dump =
        """
        361b1000000010000202080100000000
        04000000000000000000000000000000
        000000000000000000000000f41a0011
        00000000400000000000000000010000
        11804000002000000030000000000000
        00000000000000000000000000000000
        01000300080000000000000000000000
        00000000000000000000000000000000
        10600200208000100000000011040000
        00001100000000000000000000000000
        00000000000030000000000000000000
        """;
    byte[] expected = HexFormat.of().parseHex(dump.replace("\n", ""));
    byte[] actual = new byte[expected.length];
    for (int i = 0; i < actual.length; i++) {
      actual[i] = (byte) host.model.config().read(i, 1);
    }

    assertThat(actual).isEqualTo(expected);
    assertThat(host.model.config().byteSize()).isEqualTo(4096);
    assertThat(host.model.bars()).containsExactly(new Bar(0, 0x4000, true, false));
    assertThat(host.model.msixVectors()).isEqualTo(65);
  }

  @Test
  void tellsTheSizeOfItsBar() {
    var config = host.model.config();
    config.write(0x10, 4, -1);
    config.write(0x14, 4, -1);

    assertThat(config.read(0x10, 4)).isEqualTo(0xffff_c004);
    assertThat(config.read(0x14, 4)).isEqualTo(-1);
  }

  @Test
  void hasTheCapabilitiesOfItsVersion() {
    // 2048 entries, contiguous, 7.5 s, NVM command set, pages of 4 to 64 KiB
    assertThat(host.model.read(0, 0x00, 8)).isEqualTo(0x0040_0020_0f01_07ffL);
    assertThat(host.read(0x00)).isEqualTo(0x0f01_07ff);
    assertThat(host.read(0x04)).isEqualTo(0x0040_0020);
    assertThat(host.read(0x08)).isEqualTo(0x0001_0400);
    assertThat(host.model.read(0, 0x02, 2)).isEqualTo(0x0f01);
    assertThat(host.model.read(0, 0x03, 1)).isEqualTo(0x0f);
  }

  @Test
  void takesQueueAddressesInHalvesOrAtOnce() {
    host.model.write(0, 0x28, 8, 0x1234_5678_9abc_d000L);
    host.write(0x30, 0x1111_2fff);
    host.write(0x34, 0x3333_4444);

    assertThat(host.model.read(0, 0x28, 8)).isEqualTo(0x1234_5678_9abc_d000L);
    assertThat(host.model.read(0, 0x30, 8)).isEqualTo(0x3333_4444_1111_2000L);
  }

  @Test
  void ignoresNarrowAndReadOnlyWrites() {
    host.model.write(0, 0x24, 2, 0x7);
    host.write(0x00, -1);
    host.write(0x1c, -1);

    assertThat(host.read(0x24)).isZero();
    assertThat(host.read(0x00)).isEqualTo(0x0f01_07ff);
    assertThat(host.status()).isZero();
  }

  @Test
  void masksInterruptsBitByBit() {
    host.write(0x0c, 0b1110);
    host.write(0x10, 0b0110);

    assertThat(host.read(0x0c)).isEqualTo(0b1000);
    assertThat(host.read(0x10)).isEqualTo(0b1000);
  }

  @Test
  void becomesReadyWhenEnabledAndUnreadyWhenDisabled() {
    host.enable();
    assertThat(host.status()).isEqualTo(READY);

    host.configure(0x0046_0000);

    assertThat(host.status()).isZero();
    assertThat(host.read(0x14)).isZero();
    assertThat(host.read(0x24)).as("AQA survives a controller reset").isEqualTo(0x0007_0007);
    assertThat(host.read(0x28)).as("so does ASQ").isEqualTo((int) NvmeHost.ADMIN_SQ);
  }

  @ParameterizedTest
  @CsvSource({
    "0x28, 0", // no admin submission queue
    "0x30, 0", // no admin completion queue
    "0x24, 0x00070000", // one entry in the submission queue
    "0x24, 0x00000007" // one entry in the completion queue
  })
  void failsToStartWithoutProperQueues(String register, String value) {
    host.enable();
    host.configure(0);
    host.write(Integer.decode(register), Integer.decode(value));
    host.configure(0x0046_0001);

    assertThat(host.status()).isEqualTo(FATAL);
    host.configure(0);
    assertThat(host.status()).isZero();
    assertThat(host.enable().status()).isEqualTo(READY);
  }

  @ParameterizedTest
  @CsvSource({
    "0x00460281", // pages of 128 KiB
    "0x00460011", // an unknown command set
    "0x00460801" // weighted arbitration
  })
  void failsToStartInAWayItDoesNotSupport(String configuration) {
    host.enable();
    host.configure(0);
    host.configure(Integer.decode(configuration));

    assertThat(host.status()).isEqualTo(FATAL);
  }

  @Test
  void wantsQueuesAlignedToItsPages() {
    host.enable();
    host.configure(0);
    host.configure(0x0046_0081); // pages of 8 KiB; the submission queue is at 0x1000

    assertThat(host.status()).isEqualTo(FATAL);
  }

  @Test
  void completesAShutdown() {
    host.enable();
    host.configure(0x0046_4001);
    assertThat(host.status()).isEqualTo(READY | SHUTDOWN_COMPLETE);

    host.configure(0x0046_0000);
    assertThat(host.status()).isZero();
  }

  /** CC.EN and CC.SHN are fields of one register, and nothing forbids to set both at once. */
  @ParameterizedTest
  @CsvSource({
    "0x00464001, 1", // it starts
    "0x00468001, 1", // the same for an abrupt shutdown
    "0x00464081, 2" // it cannot start: its queues are at no page of 8 KiB
  })
  void completesAShutdownThatIsAskedForWithTheStart(String configuration, int started) {
    host.enable();
    host.configure(0);
    host.configure(Integer.decode(configuration));
    assertThat(host.status()).isEqualTo(started | SHUTDOWN_COMPLETE);

    host.configure(0);
    assertThat(host.status()).isZero();
    assertThat(host.enable().status()).isEqualTo(READY);
  }

  @Test
  void failsWhenItsQueuesCannotBeReached() {
    host.enable();
    host.mappedEnd = NvmeHost.ADMIN_SQ;
    host.admin.put(NvmeHost.Command.admin(0x0a, 7, 0));
    host.admin.ring();

    assertThat(host.status()).isEqualTo(READY | FATAL);
  }

  @Test
  void failsWhenACompletionCannotBePosted() {
    host.enable();
    host.mappedEnd = NvmeHost.ADMIN_CQ;
    host.admin.put(NvmeHost.Command.admin(0x0a, 7, 0));
    host.admin.ring();

    assertThat(host.status()).isEqualTo(READY | FATAL);
  }

  @Test
  void ignoresDoorbellsBeforeItIsEnabled() {
    host.write(0x1000, 1);

    assertThat(host.status()).isZero();
    assertThat(host.accesses).isZero();
    assertThat(host.read(0x1000)).isZero();
  }

  @Test
  void keepsTheInterruptTable() {
    assertThat(host.read(0x200c)).as("masked at first").isEqualTo(1);
    host.write(0x2000 + 64 * 16, 0xfee0_0000);
    host.write(0x2000 + 64 * 16 + 8, 0x41);
    host.write(0x2000 + 64 * 16 + 12, 0);

    assertThat(host.model.read(0, 0x2400, 8)).isEqualTo(0xfee0_0000L);
    assertThat(host.model.read(0, 0x2408, 8)).isEqualTo(0x41L);
    assertThat(host.read(0x2410)).as("behind the table").isZero();
    assertThat(host.read(0x3000)).as("pending bits").isZero();
  }

  @Test
  void isAsAfterPowerOnAfterAFunctionReset() {
    host.enable();
    host.write(0x200c, 0);
    host.model.config().write(0x04, 2, 6);

    host.model.reset();

    assertThat(host.status()).isZero();
    assertThat(host.read(0x24)).isZero();
    assertThat(host.read(0x28)).isZero();
    assertThat(host.read(0x200c)).isEqualTo(1);
    assertThat(host.model.config().read(0x04, 2)).isEqualTo(6);
  }

  @Test
  void cannotBeMadeWithASerialOrASizeThatDoesNotFit() {
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeModel.inMemory("", 512));
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeModel.inMemory("x".repeat(21), 512));
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeModel.inMemory("ä", 512));
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeModel.inMemory("S", 0));
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeModel.inMemory("S", 513));
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeModel.inMemory("S", 1L << 45));
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeModel.inMemory("S", 4096, 256));
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeModel.inMemory("S", 4096, 1000));
  }
}
