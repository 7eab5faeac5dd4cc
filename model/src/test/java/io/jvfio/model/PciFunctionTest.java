// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import static io.jvfio.model.RegisterMap.Access.READ_WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PciFunctionTest {
  private static RegisterMap registers(int byteSize) {
    return RegisterMap.builder("registers", byteSize).register("mode", 0, 4, READ_WRITE, 7).build();
  }

  private static PciFunction.Builder function() {
    return PciFunction.builder(0x1af4, 0x1234, 0x020000);
  }

  /** Where each capability is, in the order of the list. */
  private static Map<Integer, Integer> capabilities(ConfigSpace config) {
    var found = new LinkedHashMap<Integer, Integer>();
    if ((config.read(6, 2) & 0x10) != 0) {
      for (int at = config.read(0x34, 1); at != 0; at = config.read(at + 1, 1)) {
        found.put(config.read(at, 1), at);
      }
    }
    return found;
  }

  @Test
  void hasAnIdentity() {
    var config = function().revision(3).subsystem(0x1111, 0x2222).build().config();

    assertThat(config.byteSize()).isEqualTo(256);
    assertThat(config.read(0, 4)).isEqualTo(0x1234_1af4);
    assertThat(config.read(8, 4)).isEqualTo(0x0200_0003);
    assertThat(config.read(0x2c, 4)).isEqualTo(0x2222_1111);
    assertThat(config.read(0x3d, 1)).isZero();
    assertThat(capabilities(config)).isEmpty();
  }

  @Test
  void hasBarsWhoseSizeSoftwareCanFind() {
    var function =
        function()
            .memory(0, registers(0x1000))
            .bar(new Bar(2, 1 << 20, true, true), registers(1 << 20))
            .ports(4, registers(16))
            .build();
    var config = function.config();

    assertThat(function.bars())
        .containsExactly(Bar.memory(0, 0x1000), new Bar(2, 1 << 20, true, true), Bar.ports(4, 16));
    for (int at = 0x10; at < 0x28; at += 4) {
      config.write(at, 4, -1);
    }
    assertThat(config.read(0x10, 4)).isEqualTo(-0x1000);
    assertThat(config.read(0x14, 4)).isZero();
    assertThat(config.read(0x18, 4)).isEqualTo(-(1 << 20) | 0xc);
    assertThat(config.read(0x1c, 4)).isEqualTo(-1);
    assertThat(config.read(0x20, 4)).isEqualTo(-16 | 1);
    config.write(4, 2, -1);
    assertThat(config.read(4, 2)).as("ports, memory, bus master, SERR").isEqualTo(0x0107);
  }

  @Test
  void givesAccessesToTheMapOfTheirBar() {
    var map = registers(0x1000);
    var function = function().memory(1, map).build();

    assertThat(function.read(1, 0, 4)).isEqualTo(7);
    function.write(1, 0, 4, 9);
    assertThat(map.value(0)).isEqualTo(9);
    function.reset();
    assertThat(map.value(0)).isEqualTo(7);
    assertThat(function.registers(1)).isSameAs(map);
    assertThatIllegalArgumentException().isThrownBy(() -> function.read(0, 0, 4));
  }

  @Test
  void hasCapabilitiesInTheOrderInWhichTheyWereAdded() {
    var function = function().line().express().powerManagement().msi(4).msix(4, 300).build();
    var config = function.config();
    var found = capabilities(config);

    assertThat(found.keySet()).containsExactly(0x10, 0x01, 0x05, 0x11);
    assertThat(config.byteSize()).isEqualTo(4096);
    assertThat(config.read(found.getOrDefault(0x10, 0) + 4, 4) & 1 << 28)
        .as("function reset")
        .isNotZero();
    assertThat(config.read(found.getOrDefault(0x05, 0) + 2, 2)).as("four messages").isEqualTo(0x84);
    assertThat(function.msixVectors()).isEqualTo(300);
    assertThat(config.read(found.getOrDefault(0x11, 0) + 2, 2)).isEqualTo(299);
    config.write(found.getOrDefault(0x11, 0) + 2, 2, -1);
    assertThat(config.read(found.getOrDefault(0x11, 0) + 2, 2)).isEqualTo(0xc000 | 299);
    assertThat(config.read(found.getOrDefault(0x11, 0) + 4, 4)).isEqualTo(4);
    assertThat(config.read(found.getOrDefault(0x11, 0) + 8, 4)).isEqualTo(0x2000 | 4);
    assertThat(function.bars()).containsExactly(Bar.memory(4, 0x4000));
  }

  @Test
  void hasAnMsixTableThatIsMaskedAtFirst() {
    var function = function().msix(0, 2).build();

    assertThat(function.read(0, 0x1c, 4)).isEqualTo(1);
    function.write(0, 0x10, 8, 0x1122_3344_5566_7788L);
    function.write(0, 0x1c, 4, 0xff00);
    assertThat(function.read(0, 0x10, 8)).isEqualTo(0x1122_3344_5566_7788L);
    assertThat(function.read(0, 0x1c, 4)).as("only the mask bit").isZero();
    assertThat(function.read(0, 0x1000, 8)).as("nothing is pending").isZero();
    function.reset();
    assertThat(function.read(0, 0x10, 8)).isZero();
    assertThat(function.read(0, 0x1c, 4)).isEqualTo(1);
  }

  @Test
  void tellsTheHostOfItsLineOnlyWhatChanges() {
    var function = function().line().build();
    var host = new ModelHost(new Plain(function));

    function.line(false);
    function.line(true);
    function.line(true);
    function.signal(3);
    function.reset();
    assertThat(host.takeJournal()).containsExactly("line up", "message 3", "line down");
    function.requestPoll();
    assertThat(host.requests).isEqualTo(1);
  }

  @Test
  void keepsTheCausesOfInterrupts() {
    var function = function().line().msi(1).build();
    var host = new ModelHost(new Plain(function));

    function.raise(0);
    assertThat(host.takeJournal()).isEmpty();
    function.raise(6);
    function.acknowledge(2);
    assertThat(function.causes()).isEqualTo(4);
    function.acknowledge(4);
    assertThat(host.takeJournal()).containsExactly("message 0", "line up", "line down");
  }

  @Test
  void hasNoWayToMemoryBeforeItIsConnected() {
    var function = function().build();

    assertThatIllegalStateException().isThrownBy(function::dma);
    function.requestPoll();
    function.signal(0);
    function.line(true);
  }

  @Test
  void refusesWhatDoesNotFitTogether() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> function().bar(Bar.memory(0, 0x2000), registers(0x1000)))
        .withMessage("BAR 0 has 8192 bytes, and 'registers' has 4096");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                function()
                    .memory(1, registers(0x1000))
                    .bar(new Bar(0, 0x1000, true, false), registers(0x1000))
                    .build())
        .withMessage("BAR 0 of 'registers' takes the place of another");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> function().msi(1).msi(2).build())
        .withMessage("capability 0x05 was added twice");
    assertThatIllegalArgumentException().isThrownBy(() -> function().msi(3));
    assertThatIllegalArgumentException().isThrownBy(() -> function().msix(0, 2049));
  }

  @Test
  void hasOnlyBarsThatThereCanBe() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Bar.memory(6, 16))
        .withMessage("there is no BAR 6");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Bar(5, 16, true, false))
        .withMessage("there is no 64-bit BAR 5");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Bar.memory(0, 8))
        .withMessage("BAR 0 cannot have 8 bytes: a power of two is wanted, 16 to 2147483648");
    assertThatIllegalArgumentException().isThrownBy(() -> Bar.memory(0, 24));
    assertThatIllegalArgumentException().isThrownBy(() -> Bar.ports(0, 512));
    assertThatIllegalArgumentException().isThrownBy(() -> new Bar(0, 16, true, false, true));
  }

  private record Plain(PciFunction function) implements PciModel {}
}
