// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PciCapabilityTest {
  /** More than a space of 4096 bytes can need: each place is visited once, and read in words. */
  private static final int MOST_READS = 4096 * 16;

  private final FakeConfig config = new FakeConfig(4096).set(6, 0x10);

  private PciCapability standard(int... bytes) {
    config.set(0x34, 0x40).set(0x40, bytes);
    return PciCapability.of(config).getFirst();
  }

  private PciCapability extended(int id, int... afterHeader) {
    config.set(0x100, id, id >> 8, 0x01, 0).set(0x104, afterHeader);
    return PciCapability.of(config).getFirst();
  }

  @Test
  void powerManagement() {
    assertThat(standard(0x01, 0, 0x03, 0xca, 0x0b, 0))
        .isEqualTo(new PciCapability.PowerManagement(0x40, 3, 3, true, false, true, 0x19));
  }

  @Test
  void messages() {
    assertThat(standard(0x05, 0, 0x8b, 0x01))
        .isEqualTo(new PciCapability.Msi(0x40, true, 32, 1, true, true));
    assertThat(standard(0x11, 0, 0x40, 0x80, 0x04, 0x20, 0, 0, 0x05, 0x30, 0, 0))
        .isEqualTo(new PciCapability.MsiX(0x40, true, false, 65, 4, 0x2000, 1040, 5, 0x3000, 16));
  }

  @Test
  void pciExpress() {
    // Device: payload 256, FLR; control: payload 128, read request 512; link x4 at 16, now x2 at 8.
    var found =
        standard(
            0x10, 0, 0x02, 0, 0x21, 0, 0, 0x10, 0x00, 0x20, 0x20, 0, 0x44, 0, 0, 0, 0, 0, 0x23, 0);
    assertThat(found)
        .isEqualTo(
            new PciCapability.PciExpress(
                0x40,
                2,
                PciCapability.PortType.ENDPOINT,
                256,
                128,
                512,
                true,
                true,
                true,
                new PciCapability.Link(16_000, 4),
                new PciCapability.Link(8_000, 2)));
  }

  @Test
  void otherStandardOnes() {
    assertThat(standard(0x03)).isEqualTo(new PciCapability.VitalProductData(0x40));
    assertThat(standard(0x09, 0, 0x14)).isEqualTo(new PciCapability.VendorSpecific(0x40, 20));
    assertThat(standard(0x0d, 0, 0, 0, 0xf4, 0x1a, 0x00, 0x11))
        .isEqualTo(new PciCapability.SubsystemIds(0x40, 0x1af4, 0x1100));
    assertThat(standard(0x13, 0, 6, 3)).isEqualTo(new PciCapability.Af(0x40, true, true));
    assertThat(standard(0x12)).isEqualTo(new PciCapability.Unknown(0x40, 0x12));
    assertThat(standard(0x12).name()).isEqualTo("SATA");
    assertThat(standard(0x77).name()).isEqualTo("capability 0x77");
  }

  @Test
  void errorsAndIsolation() {
    assertThat(extended(0x01, 0x00, 0x40, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x20, 0, 0))
        .isEqualTo(
            new PciCapability.AdvancedErrorReporting(
                0x100,
                List.of("completion timeout", "unsupported request"),
                List.of("receiver error", "bad packet", "advisory non-fatal")));
    assertThat(extended(0x0d, 0x1d, 0, 0x04, 0))
        .isEqualTo(
            new PciCapability.AccessControlServices(
                0x100,
                List.of(
                    "source validation",
                    "request redirect",
                    "completion redirect",
                    "upstream forwarding"),
                List.of("request redirect")));
  }

  @Test
  void otherExtendedOnes() {
    assertThat(extended(0x03, 1, 2, 3, 4, 5, 6, 7, 8))
        .isEqualTo(new PciCapability.DeviceSerialNumber(0x100, 0x0807060504030201L));
    assertThat(extended(0x0b, 0x34, 0x12, 0x83, 0x01))
        .isEqualTo(new PciCapability.ExtendedVendorSpecific(0x100, 0x1234, 3, 24));
    assertThat(extended(0x0e, 0, 3)).isEqualTo(new PciCapability.AlternativeRoutingId(0x100, 3));
    assertThat(extended(0x0f, 0x20, 0, 0, 0x80))
        .isEqualTo(new PciCapability.AddressTranslation(0x100, 32, true, true));
    assertThat(extended(0x18, 3, 0x10, 1, 0x04))
        .isEqualTo(new PciCapability.LatencyTolerance(0x100, 3L << 20, 32));
    assertThat(extended(0x18, 3, 0x18, 1, 0x1c))
        .isEqualTo(new PciCapability.LatencyTolerance(0x100, 0, 0));
    assertThat(extended(0x19, 0, 0, 0, 0, 5, 0, 0, 0))
        .isEqualTo(new PciCapability.SecondaryPciExpress(0x100, 5));
    assertThat(extended(0x1b, 0x06, 0x14, 1))
        .isEqualTo(new PciCapability.Pasid(0x100, 20, true, true, true));
    assertThat(extended(0x1e, 0x1f, 0, 0, 0, 4, 0, 0, 0))
        .isEqualTo(
            new PciCapability.L1PmSubstates(
                0x100,
                List.of("PCI-PM L1.2", "PCI-PM L1.1", "ASPM L1.2", "ASPM L1.1"),
                List.of("ASPM L1.2")));
    assertThat(extended(0x1f, 1, 4, 0, 0, 1, 0))
        .isEqualTo(new PciCapability.Ptm(0x100, true, false, false, 4, true));
    assertThat(extended(0x23, 0x98, 0x1e, 0x82, 0x03, 0x07, 0))
        .isEqualTo(new PciCapability.Dvsec(0x100, 0x1e98, 7, 2, 56));
    assertThat(extended(0x25, 1, 0, 0, 0, 0, 0, 0, 0x80))
        .isEqualTo(new PciCapability.DataLinkFeature(0x100, true, true));
    assertThat(extended(0x13).name()).isEqualTo("Page Request");
    assertThat(extended(0x7777)).isEqualTo(new PciCapability.Unknown(0x100, 0x7777));
    assertThat(extended(0x7777).name()).isEqualTo("extended capability 0x7777");
  }

  @Test
  void virtualFunctions() {
    config.set(0x108, 1, 0).set(0x10e, 7, 0, 3, 0).set(0x114, 2, 0, 1, 0).set(0x11a, 0x34, 0x12);
    assertThat(extended(0x10)).isEqualTo(new PciCapability.SrIov(0x100, true, 7, 3, 2, 1, 0x1234));
  }

  @Test
  void sizesOfBars() {
    // 1, 2 and 256 MiB; BAR 2 of two, now 256 MiB
    assertThat(extended(0x15, 0x30, 0x10, 0, 0, 0x42, 0x08, 0, 0, 0x10, 0, 0, 0, 0x04, 0x3f))
        .isEqualTo(
            new PciCapability.ResizableBar(
                0x100,
                List.of(
                    new PciCapability.Choice(2, 256 << 20, List.of(1L << 20, 2L << 20, 256L << 20)),
                    new PciCapability.Choice(4, 1L << 62, List.of(1L << 20)))));
  }

  @Test
  void everyOneKnowsItsIdAndItsList() {
    config.set(0x34, 0x40).set(0x40, 0x10).set(0x100, 0x10, 0, 1, 0);
    var found = PciCapability.of(config);
    assertThat(found).extracting(PciCapability::id).containsExactly(0x10, 0x10);
    assertThat(found).extracting(PciCapability::extended).containsExactly(false, true);
    assertThat(found)
        .extracting(PciCapability::name)
        .containsExactly("PCI Express", "Single Root I/O Virtualization");
  }

  @Test
  void aListThatGoesInCirclesEnds() {
    config.set(0x34, 0x40).set(0x40, 0x01, 0x50).set(0x50, 0x05, 0x40);
    config.set(0x100, 0x01, 0, 0x01, 0x20).set(0x200, 0x03, 0, 0x01, 0x10);
    assertThat(PciCapability.of(config))
        .extracting(PciCapability::offset)
        .containsExactly(0x40, 0x50, 0x100, 0x200);
  }

  @Test
  void whatDoesNotFitIsUnknown() {
    config.set(0x34, 0xf8).set(0xf8, 0x10, 0xfc).set(0xfc, 0x11);
    config.set(0x100, 0x10, 0, 0xc1, 0xff).set(0xffc, 0x01, 0, 0x01, 0);
    assertThat(PciCapability.of(config))
        .containsExactly(
            new PciCapability.Unknown(0xf8, 0x10),
            new PciCapability.Unknown(0xfc, 0x11),
            new PciCapability.SrIov(0x100, false, 0, 0, 0, 0, 0),
            new PciCapability.Unknown(0xffc, 0x01));
  }

  @Test
  void theKernelsPlaceholderAtTheStartIsNoCapability() {
    config.set(0x100, 0, 0, 0, 0x20).set(0x200, 0x03, 0, 0x01, 0);
    assertThat(PciCapability.of(config))
        .containsExactly(new PciCapability.DeviceSerialNumber(0x200, 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 4096})
  void aDeviceThatAnswersOnesOrNothingHasNone(int byteSize) {
    var ones = new byte[byteSize];
    Arrays.fill(ones, (byte) -1);
    assertThat(PciCapability.of(new FakeConfig(ones))).isEmpty();
    assertThat(PciCapability.of(new FakeConfig(byteSize))).isEmpty();
  }

  /** Whatever a device says, reading it ends, stays inside, and throws nothing. */
  @RepeatedTest(200)
  void anythingCanBeRead(RepetitionInfo repetition) {
    var random = new Random(repetition.getCurrentRepetition());
    var bytes = new byte[random.nextBoolean() ? 256 : 4096];
    random.nextBytes(bytes);
    bytes[6] |= 0x10;
    if (random.nextBoolean()) { // links that lead somewhere, and ids that mean something
      for (int at = 0x40; at < 0x100; at += 4) {
        bytes[at] = (byte) random.nextInt(0x15);
        bytes[at + 1] = (byte) (0x40 + random.nextInt(0xc0));
      }
      for (int at = 0x100; at < bytes.length; at += 4) {
        bytes[at] = (byte) random.nextInt(0x30);
        bytes[at + 1] = 0;
      }
    }
    var random4096 = new FakeConfig(bytes);
    var found = PciCapability.of(random4096);
    assertThat(random4096.reads).isLessThan(MOST_READS);
    assertThat(found).extracting(PciCapability::offset).doesNotHaveDuplicates();
    assertThat(found)
        .allSatisfy(
            each -> {
              assertThat(each.offset()).isBetween(0x40, bytes.length - 4);
              assertThat(each.name()).isNotEmpty();
              assertThat(each.toString())
                  .startsWith("%s at 0x%x".formatted(each.name(), each.offset()));
            });
  }
}
