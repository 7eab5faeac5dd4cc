// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.PciCapability;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShowCommandTest {
  @Test
  void showsAControllerAsAPersonReadsIt() {
    var run = CommandRun.of("--host", "sim:powernv-6.12", "show", "0000:01:00.0");
    assertThat(run.status()).isZero();
    assertThat(run.out())
        .isEqualToNormalizingNewlines(
            """
            0000:01:00.0  NVMe controller, Red Hat (QEMU) 1b36:0010 rev 02
              subsystem  Red Hat 1af4:1100
              group      0, driver vfio-pci
              IOMMU      spapr-tce-v2: 0x0..0x7fffffff in pages of 4 KiB
              reset      this function alone; a reset of its bus reaches no other device
              features   low power, low power that tells when it ends
              EEH        watched, and working

            REGION  SIZE    KIND                 ACCESS      MAPPING
            BAR0    16 KiB  32-bit memory        read+write  all, with the MSI-X table
            config  4 KiB   configuration space  read+write  -

            INTERRUPT  COUNT  PROPERTIES
            INTx       1      maskable, masked by each signal
            MSI-X      65     number fixed while in use
            error      1
            request    1

            OFFSET  CAPABILITY        DETAILS
            0x040   MSI-X             65 vectors, off; table at BAR0+0x2000, pending bits at BAR0+0x3000
            0x080   PCI Express       endpoint, link x1 at 2.5 GT/s, payload 128 of 128 bytes, reads of 128 bytes, function reset
            0x060   Power Management  awake (D0), keeps its state in D3hot
            """);
  }

  @Test
  void showsTheSameAsJson() {
    var json = CommandRun.of("--host", "sim:powernv-6.12", "--json", "show", "0000:01:00.0").json();
    assertThat(json.get("className").asText()).isEqualTo("NVMe controller");
    assertThat(json.get("vendorName").asText()).isEqualTo("Red Hat (QEMU)");
    assertThat(json.get("present").asBoolean()).isTrue();
    assertThat(json.get("eeh").asText()).isEqualTo("normal");
    assertThat(json.get("reset").get("function").asBoolean()).isTrue();
    assertThat(json.get("reset").get("bus").get("devices").get(0).get("address").asText())
        .isEqualTo("0000:01:00.0");
    assertThat(json.get("features")).extracting(each -> each.asText()).contains("low-power-exit");
    var bar = json.get("regions").get(0);
    assertThat(bar.get("kind").asText()).isEqualTo("32-bit memory");
    assertThat(bar.get("areas").get(0).get("size").asLong()).isEqualTo(16 << 10);
    assertThat(bar.get("type").isNull()).isTrue();
    assertThat(json.get("regions").get(1).get("kind").asText()).isEqualTo("absent");
    var msix = json.get("capabilities").get(0);
    assertThat(msix.get("name").asText()).isEqualTo("MSI-X");
    assertThat(msix.get("fields").get("tableOffset").asLong()).isEqualTo(0x2000);
    var express = json.get("capabilities").get(1).get("fields");
    assertThat(express.get("portType").asText()).isEqualTo("endpoint");
    assertThat(express.get("link").get("megatransfers").asInt()).isEqualTo(2500);
  }

  @Test
  void saysWhatCapabilitiesMean() {
    assertThat(
            List.of(
                    new PciCapability.PowerManagement(0x40, 3, 3, true, false, false, 0),
                    new PciCapability.Msi(0x40, true, 8, 2, false, true),
                    new PciCapability.VitalProductData(0x40),
                    new PciCapability.VendorSpecific(0x40, 20),
                    new PciCapability.SubsystemIds(0x40, 0x8086, 7),
                    new PciCapability.Af(0x40, true, true),
                    new PciCapability.AdvancedErrorReporting(
                        0x100, List.of("completion timeout"), List.of()),
                    new PciCapability.AdvancedErrorReporting(0x100, List.of(), List.of()),
                    new PciCapability.DeviceSerialNumber(0x100, 0x0102030405060708L),
                    new PciCapability.ExtendedVendorSpecific(0x100, 0x1234, 1, 24),
                    new PciCapability.AccessControlServices(
                        0x100, List.of("request redirect"), List.of()),
                    new PciCapability.AlternativeRoutingId(0x100, 0),
                    new PciCapability.AddressTranslation(0x100, 32, true, false),
                    new PciCapability.SrIov(0x100, true, 8, 2, 1, 1, 0x10ca),
                    new PciCapability.ResizableBar(
                        0x100,
                        List.of(
                            new PciCapability.Choice(2, 256 << 20, List.of(1L << 20, 256L << 20)))),
                    new PciCapability.LatencyTolerance(0x100, 3145728, 1024),
                    new PciCapability.SecondaryPciExpress(0x100, 5),
                    new PciCapability.Pasid(0x100, 20, true, false, true),
                    new PciCapability.L1PmSubstates(0x100, List.of("ASPM L1.1"), List.of()),
                    new PciCapability.Ptm(0x100, true, false, false, 255, true),
                    new PciCapability.Dvsec(0x100, 0x1e98, 7, 2, 56),
                    new PciCapability.DataLinkFeature(0x100, true, true),
                    new PciCapability.Unknown(0x100, 0x13))
                .stream()
                .map(CapabilityText::of))
        .containsExactly(
            "asleep (D3hot), has D1, waking from D3hot resets it",
            "8 vectors, 2 in use, below 4 GiB only, maskable one by one",
            "",
            "20 bytes",
            "Intel 8086:0007",
            "function reset, tells of requests under way",
            "uncorrectable errors recorded: completion timeout",
            "no errors recorded",
            "01-02-03-04-05-06-07-08",
            "number 0x1234, revision 1, 24 bytes",
            "request redirect; on: none",
            "the last function",
            "off, 32 invalidations at once",
            "2 virtual functions on, up to 8, device id 10ca",
            "BAR2 is 256 MiB of 1 MiB, 256 MiB",
            "at most 3,145,728 ns, 1,024 ns without snooping",
            "lanes with errors: 0x5",
            "on, 20 bits, execute",
            "ASPM L1.1; on: none",
            "on, requester, clock of more than 254 ns",
            "vendor 1e98, number 0x0007, revision 2, 56 bytes",
            "scaled flow control, agreed with the other end",
            "");
  }

  @Test
  void saysWhatALinkIsAndCouldBe() {
    var link = new PciCapability.Link(8000, 2);
    assertThat(express(link, new PciCapability.Link(16000, 4)))
        .contains("link x2 at 8 GT/s, could be x4 at 16 GT/s");
    assertThat(express(link, link)).contains("link x2 at 8 GT/s, payload");
    assertThat(express(new PciCapability.Link(0, 0), new PciCapability.Link(0, 0)))
        .contains("integrated endpoint, no link");
  }

  private static String express(PciCapability.Link link, PciCapability.Link best) {
    return CapabilityText.of(
        new PciCapability.PciExpress(
            0x40,
            2,
            PciCapability.PortType.INTEGRATED_ENDPOINT,
            256,
            128,
            512,
            false,
            false,
            true,
            best,
            link));
  }
}
