// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TopologyCommandTest {
  static List<String> hosts() {
    return SimulatedHosts.names();
  }

  @Test
  void drawsBridgesAndWhatIsBelowThem() {
    var run = CommandRun.of("--host", "sim:powernv-6.12", "topology");
    assertThat(run.status()).isZero();
    assertThat(run.out().lines().map(String::stripTrailing))
        .containsExactly(
            "DEVICE              ID         CLASS            DRIVER    GROUP  STATE",
            "pci0000:00",
            "└─ 0000:00:00.0     1014:04c1  PCI bridge       pcieport  -",
            "   └─ 0000:01:00.0  1b36:0010  NVMe controller  vfio-pci  0      can be opened",
            "pci0001:00",
            "└─ 0001:00:00.0     1014:04c1  PCI bridge       pcieport  -",
            "   └─ 0001:01:00.0  1b36:0010  NVMe controller  vfio-pci  1      can be opened");
  }

  @Test
  void tellsWhoBlocksAndWhatIsUnsafe() {
    var options = HostOptions.defaults().withSibling("0000:00:01.1", "0000:00:01.0", "e1000e");
    assertThat(CommandRun.with(options, "--host", "sim:x86-6.12", "topology").out())
        .containsPattern("├─ 0000:00:01.0 .* vfio-pci +1 +blocked\n")
        .containsPattern("├─ 0000:00:01.1 .* e1000e +1 +blocks its group\n")
        .containsPattern("├─ 0000:00:02.0 .* vfio-pci +2 +can be opened\n")
        .containsPattern("├─ 0000:00:00.0 .* host bridge +- +0\n");
    assertThat(CommandRun.of("--host", "sim:x86-noiommu", "topology").out())
        .containsPattern("0000:00:01.0 .* vfio-pci +0 +no IOMMU, unsafe\n")
        .containsPattern("0000:00:1f.2 .* ahci +- +no group\n");
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void thePictureIsWellFormedAndHasEveryDevice(String name, @TempDir Path folder) throws Exception {
    var host = "sim:" + name;
    var piped = CommandRun.of("--host", host, "topology", "--svg", "-");
    var file = folder.resolve("tree.svg");
    assertThat(CommandRun.of("--host", host, "topology", "--svg", file.toString()).status())
        .isZero();
    assertThat(piped.out()).isEqualTo(Files.readString(file));
    assertThat(piped.err()).startsWith("DEVICE");
    var document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new ByteArrayInputStream(piped.out().getBytes(StandardCharsets.UTF_8)));
    assertThat(document.getDocumentElement().getTagName()).isEqualTo("svg");
    var text = document.getDocumentElement().getTextContent();
    for (var device : CommandRun.of("--host", host, "--json", "list").json().get("devices")) {
      assertThat(text).contains(device.get("address").asText());
    }
  }

  @Test
  void aPictureAndJsonDoNotGoToOneStream(@TempDir Path folder) throws IOException {
    assertThat(CommandRun.of("--host", "sim:x86-6.12", "--json", "topology", "--svg", "-").status())
        .isEqualTo(2);
    var absent = folder.resolve("none/tree.svg").toString();
    var run = CommandRun.of("--host", "sim:x86-6.12", "topology", "--svg", absent);
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).contains("cannot write the picture");
  }
}
