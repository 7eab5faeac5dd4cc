// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.cli.Main;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A lane whose guest said what the simulated host says, and what becomes of each deviation. */
class LaneReportTest {
  private static final String LANE = "pseries-5.10";
  private static final String NODDW = "pseries-6.12-noddw";

  private static final String TAKEN_AWAY =
      """
      unbound-after-seconds 1
      bound-to\s
      status 3
      running 77
      release-request 1
      ended-after-ms 120
      ended-commands 64
      ended-by io.jvfio.nvme.NvmeStatusException: Read of block 7; the device is leaving its driver
      ended-commands 0
      ended-by io.jvfio.nvme.NvmeClosedException: queue 2 is closed: the device is leaving its driver
      ended-commands 63
      ended-by io.jvfio.nvme.NvmeStatusException: Read of block 8; the device is leaving its driver
      ended-commands 64
      ended-by io.jvfio.nvme.NvmeStatusException: Write of block 9; the device is leaving its driver
      left nothing
      again 0
      """;

  @TempDir Path directory;

  @BeforeEach
  void aLaneWhereAllIsWell() throws Exception {
    step(
        "list",
        0,
        """
        {"host": "local", "devices": [
          {"address": "0000:00:00.0", "class": "0x010802", "driver": "vfio-pci", "group": 0,
           "viable": true, "blockedBy": []},
          {"address": "0001:00:00.0", "class": "0x010802", "driver": "vfio-pci", "group": 1,
           "viable": true, "blockedBy": []},
          {"address": "0000:00:01.0", "class": "0x020000", "driver": null, "group": 0,
           "viable": true, "blockedBy": []}]}
        """);
    step("probe", 0, probe(LANE));
    step("recorded", 0, probe(LANE));
    step("probe-text", 0, "spapr-tce-v2 yes advertised refused EPERM\nchosen: spapr-tce\n");
    step(
        "nvme",
        0,
        """
        {"host": "local", "device": "0000:00:00.0", "iommu": "spapr-tce",
         "controller": {"model": "QEMU NVMe Ctrl", "serial": "jvfio0", "firmware": "11.1"},
         "bytesVerified": 67108864}
        """);
    step("nvme-unbind", 0, TAKEN_AWAY);
    step("nvme-kill", 0, "status 137\nrunning 77\nagain 0\n");
    workload("nvme-io", "spapr-tce");
    step(
        "example",
        0,
        """
        0000:00:00.0, IOMMU spapr-tce: DMA mapping 0x53000..0x10052fff (268,435,456 bytes)
        IOVA 0x53000: 5555555555555555, then 0000000000000000
        IOVA 0x8053000: 5555555555555555, then 0000000000000000
        IOVA 0x10052e00: 5555555555555555, then 0000000000000000
        """);
    step("conformance", 0, conformance(873, 0));
    step("conformance-unprivileged", 0, conformance(10, 0));
    step("dmesg", 0, "[    0.0] Linux version 5.10\n[    9.1] conformance: container-empty\n");
  }

  private void step(String name, int status, String output) throws IOException {
    Files.writeString(directory.resolve(name + ".out"), output);
    Files.writeString(directory.resolve(name + ".rc"), status + "\n");
  }

  private void workload(String name, String type) throws IOException {
    step(
        name,
        0,
        """
        iommu %s
        serial jvfio0
        blocks 2097152
        queues 4
        commands 16863
        deepest 64
        checksum-written ce1b16d01e0488bf
        checksum-read ce1b16d01e0488bf
        interrupts [9, 2000, 1, 30, 4]
        """
            .formatted(type));
    step(name + "-disk", 0, "blocks 2097152\nchecksum ce1b16d01e0488bf\ndifferent none\n");
  }

  private void replace(String step, String text, String other) throws IOException {
    var file = directory.resolve(step + ".out");
    assertThat(file).content().contains(text);
    Files.writeString(file, Files.readString(file).replace(text, other));
  }

  private static String conformance(int calls, int differences) {
    return conformance(calls, differences, 5008, 0, 0);
  }

  private static String conformance(
      int calls, int differences, int compared, int different, int alarms) {
    return """
    lane         some
    sequences    62
    calls        %d
    differences  %d
    seeds        1..210, 2000001..2000031
    generated    241
    compared     %d
    different    %d
    alarms       %d
    @@recording
    a\t1\tcalls        7\tfd\t\t0
    @@recorded
    """
        .formatted(calls, differences, compared, different, alarms);
  }

  private static String probe(String lane) {
    var out = new StringWriter();
    Main.run(
        new PrintWriter(out),
        new PrintWriter(new StringWriter()),
        "--host",
        "sim:" + lane,
        "--json",
        "probe");
    return out.toString();
  }

  private String report(String lane, boolean passes) throws IOException {
    var out = new ByteArrayOutputStream();
    boolean passed =
        LaneReport.report(lane, directory, new PrintStream(out, true, StandardCharsets.UTF_8));
    var text = out.toString(StandardCharsets.UTF_8);
    assertThat(passed).as(text).isEqualTo(passes);
    return text;
  }

  private String line(String text, String check) {
    return text.lines().filter(line -> line.contains(check)).findFirst().orElse("");
  }

  @Test
  void allChecksHold() throws Exception {
    assertThat(report(LANE, true))
        .contains(
            "873 calls of 62 sequences compared, 0 differences",
            "67108864 bytes verified on jvfio0 through spapr-tce",
            "advertised and refused at \"accepted\": VFIO_SET_IOMMU EPERM",
            ", 0 failed")
        .doesNotContain("FAIL");
  }

  @Test
  void aStepThatDidNotRunFails() throws Exception {
    Files.delete(directory.resolve("nvme.rc"));

    assertThat(line(report(LANE, false), "nvme")).startsWith("FAIL").contains("did not run");
  }

  @Test
  void aControllerWithAnotherDriverFails() throws Exception {
    var list = directory.resolve("list.out");
    Files.writeString(list, Files.readString(list).replaceFirst("\"vfio-pci\"", "\"nvme\""));

    assertThat(line(report(LANE, false), "list")).startsWith("FAIL").contains("driver nvme");
  }

  @Test
  void anotherChoiceThanExpectedFails() throws Exception {
    step("probe", 0, probe("pseries-6.12"));

    var text = report(LANE, false);
    assertThat(line(text, "probe: chosen")).startsWith("FAIL").contains("spapr-tce-v2");
    assertThat(line(text, "probe: as the simulator")).startsWith("FAIL");
  }

  @Test
  void aRecordingThatNegotiatesOtherwiseFails() throws Exception {
    step("recorded", 0, probe(LANE).replaceAll("EPERM\"", "EINVAL\""));

    assertThat(line(report(LANE, false), "recorded: as the kernel"))
        .startsWith("FAIL")
        .contains("EINVAL");
  }

  @Test
  void anErrorInPlaceOfJsonFails() throws Exception {
    step("probe", 1, "jvfio: no /dev/vfio\n");

    assertThat(line(report(LANE, false), "probe "))
        .startsWith("FAIL")
        .contains("status 1, not JSON");
  }

  @Test
  void anotherErrnoThanTheSimulatorsFails() throws Exception {
    step("probe", 0, probe(LANE).replaceAll("EPERM\"", "EINVAL\""));

    var text = report(LANE, false);
    assertThat(line(text, "probe: spapr-tce-v2")).startsWith("FAIL").contains("EINVAL");
    assertThat(line(text, "probe: as the simulator")).startsWith("FAIL").contains("EPERM");
  }

  @Test
  void fewerBytesThanAskedForFail() throws Exception {
    var nvme = directory.resolve("nvme.out");
    Files.writeString(nvme, Files.readString(nvme).replace("67108864", "4096"));

    assertThat(line(report(LANE, false), "nvme")).startsWith("FAIL").contains("4096 bytes");
  }

  @Test
  void aWorkloadThatIsNotWhatWasAskedForFails() throws Exception {
    assertThat(line(report(LANE, true), "nvme-io: written")).contains("16863 commands on 4 queues");
    for (var change :
        List.of(
            "iommu spapr-tce>iommu spapr-tce-v2",
            "blocks 2097152>blocks 1024",
            "queues 4>queues 1",
            "deepest 64>deepest 63",
            "checksum-read ce>checksum-read cf")) {
      workload("nvme-io", "spapr-tce");
      var parts = change.split(">", -1);
      replace("nvme-io", parts[0], parts[1]);
      assertThat(line(report(LANE, false), "nvme-io: written")).as(change).startsWith("FAIL");
    }
  }

  @Test
  void aWorkloadWithoutInterruptsFails() throws Exception {
    replace("nvme-io", "[9, 2000, 1, 30, 4]", "[0, 10, 4, 9, 0]");

    assertThat(line(report(LANE, false), "nvme-io: interrupts")).startsWith("FAIL");
  }

  @Test
  void otherBytesOnTheDiskFail() throws Exception {
    replace("nvme-io-disk", "checksum ce", "checksum cf");
    assertThat(line(report(LANE, false), "nvme-io: on the disk")).startsWith("FAIL");

    workload("nvme-io", "spapr-tce");
    Files.writeString(directory.resolve("nvme-io-disk.rc"), "1\n");
    assertThat(line(report(LANE, false), "nvme-io: on the disk")).startsWith("FAIL");

    Files.delete(directory.resolve("nvme-io-disk.rc"));
    assertThat(line(report(LANE, false), "nvme-io-disk")).contains("did not run");
  }

  @Test
  void aDeviceTakenAwayMustEndTheProgramAsItShould() throws Exception {
    for (var change :
        List.of(
            "status 3>status 134",
            "release-request 1>release-request 0",
            "ended-after-ms 120>ended-after-ms 30001",
            "queue 2 is closed: the device is leaving its driver>null",
            "queue 2 is closed: the device is leaving its driver>queue 2 is closed",
            "64\n>0\n")) {
      step("nvme-unbind", 0, TAKEN_AWAY.replace("63\n", "0\n"));
      var parts = change.split(">", -1);
      replace("nvme-unbind", parts[0], parts[1]);
      assertThat(line(report(LANE, false), "nvme-unbind: I/O ended")).as(change).startsWith("FAIL");
    }
    for (var change : List.of("left nothing>left [anon_inode:[vfio-device]]", "again 0>again 1")) {
      step("nvme-unbind", 0, TAKEN_AWAY);
      var parts = change.split(">", -1);
      replace("nvme-unbind", parts[0], parts[1]);
      assertThat(line(report(LANE, false), "nvme-unbind: given")).as(change).startsWith("FAIL");
    }
  }

  @Test
  void aDeviceThatCannotBeUsedAfterAKillFails() throws Exception {
    replace("nvme-kill", "again 0", "again 1");

    assertThat(line(report(LANE, false), "nvme-kill")).startsWith("FAIL");
  }

  @Test
  void aDeviceThatDidNotWriteFails() throws Exception {
    var example = directory.resolve("example.out");
    var written = Files.readString(example);
    Files.writeString(example, written.replaceFirst("then 0+", "then 5555555555555555"));
    assertThat(line(report(LANE, false), "example"))
        .startsWith("FAIL")
        .contains("[0x8053000, 0x10052e00]");

    Files.writeString(example, written.replace("spapr-tce:", "type1:"));
    assertThat(line(report(LANE, false), "example")).startsWith("FAIL").contains("no IOMMU");
  }

  @Test
  void aDifferenceFailsAndIsShown() throws Exception {
    step("conformance", 1, "DIFFERENCE group-status, step 2\n" + conformance(873, 1));

    assertThat(report(LANE, false))
        .contains("DIFFERENCE group-status, step 2")
        .contains("FAIL   conformance ");
  }

  @Test
  void whatWasGeneratedIsCheckedToo() throws Exception {
    assertThat(line(report(LANE, true), "conformance: generated"))
        .contains(
            "5008 calls of 241 sequences compared (seeds 1..210, 2000001..2000031),"
                + " 0 different, 0 alarming");

    step("conformance", 0, conformance(873, 0, 4999, 0, 0));
    assertThat(line(report(LANE, false), "conformance: generated")).startsWith("FAIL");

    step("conformance", 1, "DIFFERENCE seed-7\n" + conformance(873, 0, 5000, 1, 0));
    assertThat(report(LANE, false)).contains("DIFFERENCE seed-7").contains("1 different");

    step("conformance", 1, "ALARM Oops\n" + conformance(873, 0, 5000, 0, 1));
    assertThat(report(LANE, false)).contains("ALARM Oops").contains("1 alarming");
  }

  @Test
  void aSuiteThatEndedEarlyFails() throws Exception {
    step("conformance", 1, "");
    assertThat(line(report(LANE, false), "conformance ")).startsWith("FAIL").contains("no result");

    step("conformance", 0, conformance(12, 0));
    assertThat(line(report(LANE, false), "conformance ")).startsWith("FAIL").contains("12 calls");
  }

  @Test
  void aWarningFailsAndNamesTheSequence() throws Exception {
    step(
        "dmesg",
        0,
        """
        [  9.0] conformance: group-status
        [  9.1] conformance: spapr-v1-map
        [  9.2] WARNING: CPU: 0 PID: 1 at drivers/vfio/vfio.c:633
        [  9.3] conformance: device-info
        """);

    assertThat(line(report(LANE, false), "WARNING"))
        .startsWith("FAIL")
        .contains("vfio.c:633", "(at or after spapr-v1-map)");
  }

  @Test
  void aWarningThatIsNoNewsIsListedAndDoesNotFail() throws Exception {
    step("probe", 0, probe("pseries-6.12"));
    step("recorded", 0, probe("pseries-6.12"));
    step("probe-text", 0, "chosen: spapr-tce-v2\n");
    var nvme = directory.resolve("nvme.out");
    Files.writeString(nvme, Files.readString(nvme).replace("spapr-tce", "spapr-tce-v2"));
    var example = directory.resolve("example.out");
    Files.writeString(example, Files.readString(example).replace("spapr-tce", "spapr-tce-v2"));
    workload("nvme-io", "spapr-tce-v2");
    workload("nvme-io-spapr-tce", "spapr-tce");
    step(
        "dmesg",
        0,
        "[9] WARNING: CPU: 0 PID: 34 at arch/powerpc/mm/book3s64/mmu_context.c:276"
            + " destroy_context+0xe0/0xf0\n");

    assertThat(line(report("pseries-6.12", true), "WARNING"))
        .startsWith("KNOWN")
        .contains("(by spapr-v2-unregister-while-mapped)");
  }

  @Test
  void aProbeThatFindsNothingAndPoisonsNothingPasses() throws Exception {
    step("probe", 1, probe(NODDW));
    step("recorded", 1, probe(NODDW));
    step("probe-text", 1, "the hypervisor offers no Dynamic DMA Windows\n");
    Files.delete(directory.resolve("nvme.rc"));
    step("example-refused", 1, "The hypervisor offers no Dynamic DMA Windows\n");
    step("dmesg-after-probe", 0, "[    0.0] Linux version 6.12\n");

    assertThat(report(NODDW, true)).contains("no such message in dmesg").contains("group");

    step("dmesg-after-probe", 0, "[5] vfio-pci 0000:00:00.0: /pci@8 in failed DDW device list\n");
    assertThat(line(report(NODDW, false), "not poisoned"))
        .startsWith("FAIL")
        .contains("failed DDW");

    step("example-refused", 0, "IOVA 0x0: 5555555555555555, then 0000000000000000\n");
    assertThat(line(report(NODDW, false), "example")).startsWith("FAIL").contains("status 0");
  }
}
