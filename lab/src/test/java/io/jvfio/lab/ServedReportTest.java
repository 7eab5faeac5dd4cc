// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Lanes whose devices were served, and what becomes of each deviation. */
class ServedReportTest {
  @TempDir Path directory;

  @BeforeEach
  void lanesWhereAllIsWell() throws IOException {
    step("dmesg", 0, "[    0.0] Linux version 6.12\n");
    disks();
    lines();
    edu("edu-iommufd", "iommufd");
    edu("edu-type1", "type1v2");
    boot("SeaBIOS");
  }

  private void boot(String firmware) throws IOException {
    step(
        "boot-found",
        0,
        """
        firmware %s
        loader grub
        controller jvfio0 0000:00:06.0 nvme, jvfio NVMe model
        controller jvfio1 0000:00:05.0 nvme, jvfio NVMe model
        """
            .formatted(firmware));
    step("boot-write", 0, "");
    step("boot-read", 0, "file: OK\npart: OK\n");
  }

  @Test
  void passesEachFirmwareInItsLane() throws IOException {
    assertThat(report("qemu-boot-bios", true)).contains("5 checks, 0 failed");
    report("qemu-boot-uefi", false);
    boot("EFI Development Kit II / OVMF");
    assertThat(report("qemu-boot-uefi", true)).contains("5 checks, 0 failed");
  }

  private void disks() throws IOException {
    step(
        "disk-found",
        0,
        """
        controller jvfio0 0000:00:02.0 nvme, jvfio NVMe model
        sectors jvfio0 4194304
        controller jvfio1 0000:00:01.0 nvme, jvfio NVMe model
        sectors jvfio1 2097152
         25:         10  PCI-MSIX-0000:00:01.0   0-edge      nvme1q0
         26:          4  PCI-MSIX-0000:00:01.0   1-edge      nvme1q1
         27:          3  PCI-MSIX-0000:00:02.0   1-edge      nvme0q1
        """);
    step("disk-write", 0, "files 16\nchecksum 8460e8affeea46c6\nmilliseconds 17161\n");
    step("reboot", 0, "in another boot\n13.09 0.08\n");
    step("disk-read", 0, "files 16\nfiles-different 0\nchecksum 8460e8affeea46c6\n");
    step("disk-plug", 0, "plugs 5 of 5\nkept 4\nmessages 75\n");
    footprints("descriptors 26", "live 5300");
    step("disk-fsck", 0, "");
    step("disk-content", 0, "files 16\nfiles-different 0\nchecksum 8460e8affeea46c6\n");
    var flushed = new StringBuilder();
    for (int i = 0; i < 12; i++) {
      flushed.append("file file%d seed %d blocks 512 checksum %016x\n".formatted(i, i + 1, i));
    }
    step(
        "disk-lost",
        0,
        "status 3\nseconds 31\n"
            + flushed
            + "ended-by java.io.IOException: Input/output error\nagain 0\nleft jvfio1 dead\n");
    step("lost-repair", 1, "recovering journal\n");
    step("lost-fsck", 0, "");
    step("lost-content", 0, "files 12\nfiles-different 0\n");
    step("client-reconnects", 0, "{\"ios\": 849056, \"verified\": {\"blocks\": 20, \"wrong\": 0}}");
    Files.writeString(
        directory.resolve("client-reconnects.err"), "jvfio: unix:lost.sock: connected again\n");
  }

  private void footprints(String descriptors, String live) throws IOException {
    Files.writeString(
        directory.resolve("footprint-plugged.out"),
        """
        descriptors 26, threads 16, mapped 0, live 5264, arenas 5407, resident 130924
        %s, threads 16, mapped 0, %s, arenas 5407, resident 131936
        """
            .formatted(descriptors, live));
  }

  @Test
  void failsWhereAServerKeepsWhatItHadForAClient() throws IOException {
    footprints("descriptors 27", "live 5300");
    assertThat(report("qemu-nvme", false)).containsPattern("FAIL +disk-plug: the server");
    footprints("descriptors 26", "live 5500");
    assertThat(report("qemu-nvme", false)).containsPattern("FAIL +disk-plug: the server");
    Files.delete(directory.resolve("footprint-plugged.out"));
    assertThat(report("qemu-nvme", false)).containsPattern("FAIL +disk-plug: the server");
  }

  private void lines() throws IOException {
    step(
        "gpio-found",
        0,
        "card 0000:00:01.0 pci-idio-16\ngpiochip0 [0000:00:01.0] (32 lines)\nline 0\n");
    step("gpio-output", 0, "");
    Files.writeString(directory.resolve("served-gpio.out"), "3=1\n15=1\n3=0\n15=0\n");
    step("gpio-input", 0, "before 0 0\nafter 0 1\n");
    step("gpio-edge", 0, "edge 21 rising\nedge 21 falling\n");
  }

  private void edu(String step, String iommu) throws IOException {
    step(
        step,
        0,
        """
        device 0000:00:02.0
        iommu %s
        identity 1234:11e8
        factorials-by-message 100
        interrupts-by-message 100
        copied-at 0x1000 0x2000
        copies-by-message 100
        factorials-by-line 100
        interrupts-by-line 100
        copies-by-line 100
        """
            .formatted(iommu));
  }

  private void step(String name, int status, String output) throws IOException {
    Files.writeString(directory.resolve(name + ".out"), output);
    Files.writeString(directory.resolve(name + ".rc"), status + "\n");
  }

  private String report(String lane, boolean expected) throws IOException {
    var printed = new ByteArrayOutputStream();
    var out = new PrintStream(printed, true, StandardCharsets.UTF_8);
    assertThat(ServedReport.report(lane, directory, out)).isEqualTo(expected);
    return printed.toString(StandardCharsets.UTF_8);
  }

  @ParameterizedTest
  @CsvSource({"qemu-nvme, 11", "qemu-nvme-lost, 14", "qemu-gpio, 5", "qemu-edu, 7"})
  void passesALaneWhereAllIsWell(String lane, int checks) throws IOException {
    assertThat(report(lane, true))
        .contains("%s: %d checks, 0 failed".formatted(lane, checks))
        .doesNotContain("FAIL");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "qemu-nvme-lost | disk-found | jvfio0 0000:00:02.0 nvme | jvfio0 0000:00:02.0 | the kernel's driver",
        "qemu-nvme-lost | disk-found | 3  PCI-MSIX | 0  PCI-MSIX | disk-found: interrupts",
        "qemu-nvme-lost | disk-write | files 16 | files 15 | disk-write",
        "qemu-nvme-lost | reboot | in another boot | | reboot",
        "qemu-nvme-lost | disk-read | c6 | c7 | disk-read: as written",
        "qemu-nvme-lost | disk-content | files-different 0 | files-different 1 | disk-content: as written",
        "qemu-boot-bios | boot-found | loader grub | loader | boot-found: by a firmware",
        "qemu-boot-bios | boot-found | jvfio0 0000:00:06.0 nvme | jvfio0 0000:00:06.0 | boot-found: both",
        "qemu-boot-bios | boot-read | part: OK | | boot-read",
        "qemu-boot-bios | reboot | in another boot | | reboot",
        "qemu-nvme | disk-plug | plugs 5 | plugs 4 | disk-plug",
        "qemu-nvme | disk-plug | kept 4 | kept 3 | disk-plug",
        "qemu-nvme | disk-plug | messages 75 | messages 0 | disk-plug",
        "qemu-nvme-lost | disk-lost | status 3 | status 137 | disk-lost: I/O errors",
        "qemu-nvme-lost | disk-lost | again 0 | again 1 | disk-lost: the guest goes on",
        "qemu-nvme-lost | lost-content | files 12 | files 11 | lost-content",
        "qemu-nvme-lost | client-reconnects | \"wrong\": 0 | \"wrong\": 1 | client-reconnects",
        "qemu-gpio | gpio-found | pci-idio-16 | nothing | gpio-found",
        "qemu-gpio | gpio-input | after 0 1 | after 0 0 | gpio-input",
        "qemu-gpio | gpio-edge | rising | falling | gpio-edge",
        "qemu-edu | edu-type1 | type1v2 | type1 | edu-type1: the device",
        "qemu-edu | edu-iommufd | copies-by-line 100 | copies-by-line 99 | edu-iommufd: by line",
        "qemu-edu | dmesg | Linux version | BUG: kernel NULL pointer | dmesg",
      })
  void failsWhereSomethingIsNot(String lane, String step, String text, String other, String check)
      throws IOException {
    var file = directory.resolve(step + ".out");
    assertThat(file).content().contains(text);
    var replacement = other == null ? "" : other;
    Files.writeString(file, Files.readString(file).replace(text, replacement));

    assertThat(report(lane, false).lines().filter(line -> line.startsWith("FAIL")))
        .isNotEmpty()
        .anyMatch(line -> line.contains(check));
  }

  @ParameterizedTest
  @CsvSource({
    "qemu-nvme, disk-write",
    "qemu-nvme, disk-fsck",
    "qemu-nvme, disk-plug",
    "qemu-nvme-lost, lost-repair",
    "qemu-nvme-lost, lost-fsck",
    "qemu-gpio, gpio-output",
    "qemu-edu, edu-type1"
  })
  void failsWhereAStepDid(String lane, String step) throws IOException {
    Files.writeString(directory.resolve(step + ".rc"), "4\n");

    assertThat(report(lane, false)).containsPattern("FAIL +" + step);
  }

  @Test
  void failsWhereOutputsAreNotSeen() throws IOException {
    Files.writeString(directory.resolve("served-gpio.out"), "15=1\n3=1\n3=0\n");

    assertThat(report("qemu-gpio", false)).containsPattern("FAIL +gpio-output: seen by the server");
  }

  @ParameterizedTest
  @CsvSource({
    "1, Command Aborted By Host, 8, PASS",
    "1, Command Aborted By Host, 9, FAIL",
    "1, Internal Error, 1, FAIL",
    "0, Command Aborted By Host, 8, FAIL",
    "3, Command Aborted By Host, 8, FAIL"
  })
  void onlyWhatWasInFlightFailsWithTheServer(String status, String name, int count, String result)
      throws IOException {
    var file = directory.resolve("client-reconnects.out");
    var error = "\"errors\": [{\"name\": \"%s\", \"count\": %d}], \"ios\"".formatted(name, count);
    Files.writeString(file, Files.readString(file).replace("\"ios\"", error));
    Files.writeString(directory.resolve("client-reconnects.rc"), status);

    assertThat(report("qemu-nvme", result.equals("PASS")))
        .containsPattern(result + " +client-reconnects");
  }

  @Test
  void failsWhereTheServerWasNeverLost() throws IOException {
    Files.writeString(directory.resolve("client-reconnects.err"), "");

    assertThat(report("qemu-nvme", false)).contains("never connected again");
  }
}
