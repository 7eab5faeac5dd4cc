// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code doctor} finds has its tests in module {@code proof}; here is how it is told. */
class DoctorCommandTest {
  private static final String NVME = "0000:00:01.0";

  private static CommandRun doctor(String host, String... args) {
    var all = new String[args.length + 3];
    all[0] = "--host";
    all[1] = host;
    all[2] = "doctor";
    System.arraycopy(args, 0, all, 3, args.length);
    return CommandRun.of(all);
  }

  @Test
  void everythingThatBlocksIsToldWithWhyAndWhatMendsIt() {
    var run = doctor("sim:pseries-6.12-noddw");
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).isEmpty();
    assertThat(run.out())
        .contains("FAIL   ddw, 0000:00:00.0\n         The hypervisor makes no DMA windows")
        .contains("         Why it matters: From Linux 6.11")
        .contains("         What mends it: Have the hypervisor offer them")
        .contains("         Looked at: /sys/bus/pci/devices/0000:00:00.0/of_node")
        .contains("PASS   viable, group 0 (0000:00:00.0)\n")
        .endsWith(" not known.\n");
    assertThat(run.out().lines()).allMatch(line -> line.length() <= 112);
  }

  @Test
  void nothingThatBlocksIsSuccess() {
    var run = doctor("sim:x86-6.12", NVME, "--memory", "1GiB");
    assertThat(run.status()).isZero();
    assertThat(run.out()).contains("sim:x86-6.12: 0 FAIL").doesNotContain("0000:00:02.0");
  }

  @Test
  void aLimitIsJudgedByTheMemoryThatIsWanted() {
    var options = HostOptions.unprivileged().withGroupAccess();
    assertThat(CommandRun.with(options, "--host", "sim:x86-6.12", "doctor").status()).isZero();
    var run = CommandRun.with(options, "--host", "sim:x86-6.12", "doctor", "--memory", "1g");
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).contains("FAIL   locked-memory, this process");
  }

  @Test
  void theSameIsToldAsJson() {
    var json = CommandRun.of("--host", "sim:pseries-6.12-noddw", "--json", "doctor").json();
    assertThat(json.get("blocked").asBoolean()).isTrue();
    assertThat(json.get("findings")).hasSizeGreaterThan(20);
    for (var finding : json.get("findings")) {
      if (finding.get("id").asText().equals("ddw")) {
        assertThat(finding.get("verdict").asText()).isEqualTo("fail");
        assertThat(finding.get("mend").asText()).contains("ddw=off");
      }
    }
  }

  @Test
  void whatIsNoDeviceAndNoSizeIsRefused() {
    assertThat(doctor("sim:x86-6.12", "unix:/run/nvme.sock").status()).isEqualTo(2);
    assertThat(doctor("sim:x86-6.12", "--memory", "0").status()).isEqualTo(2);
    var absent = doctor("sim:x86-6.12", "0000:77:00.0");
    assertThat(absent.status()).isEqualTo(1);
    assertThat(absent.err()).contains("There is no such PCI device");
  }

  /** A recording tells what was seen, and nothing that was not. */
  @Test
  void aRecordedHostIsExamined(@TempDir Path folder) {
    for (var name : SimulatedHosts.names()) {
      var file = folder.resolve(name).toString();
      assertThat(CommandRun.of("--host", "sim:" + name, "record-host", file).status()).isZero();
      var run = doctor("file:" + file);
      assertThat(run.status()).as(run.out()).isEqualTo(name.endsWith("noddw") ? 1 : 0);
      assertThat(run.out())
          .contains("?      cgroup, this process")
          .doesNotContain("Command line: intel_iommu", "resets it by flr");
    }
  }

  /** This machine is examined, whatever it is. */
  @Test
  void thisMachineIsExamined() {
    var run = CommandRun.of("--json", "doctor");
    assertThat(run.json().get("host").asText()).isEqualTo("local");
    assertThat(run.status()).isEqualTo(run.json().get("blocked").asBoolean() ? 1 : 0);
    assertThat(run.err()).isEmpty();
  }
}
