// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.ops.Diagnosis;
import io.jvfio.ops.Doctor;
import io.jvfio.ops.Finding;
import io.jvfio.ops.Verdict;
import io.jvfio.proof.core.OtherFiles;
import io.jvfio.sim.Capability;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Each finding appears on a host that is so, and on no other. */
class DoctorTest {
  private static final String PC = "x86-6.12";
  private static final String GUEST = "pseries-6.12";
  private static final String NVME = "0000:00:01.0";
  private static final String AHCI = "0000:00:1f.2";
  private static final String DEVICES = "/sys/bus/pci/devices/";
  private static final HostOptions ROOT = HostOptions.defaults();
  private static final HostOptions USER = HostOptions.unprivileged().withGroupAccess();

  private static Diagnosis examine(
      String host, HostOptions options, OtherFiles files, UnaryOperator<Doctor> how) {
    try (var simulated = SimulatedHosts.open(host, options)) {
      var before = simulated.resources();
      var doctor = Doctor.of(VfioHost.of("sim:" + host, files.over(simulated.kernel())));
      var diagnosis = how.apply(doctor).examine();
      assertThat(simulated.resources()).isEqualTo(before);
      return diagnosis;
    }
  }

  private static Diagnosis examine(String host, HostOptions options, OtherFiles files) {
    return examine(host, options, files, doctor -> doctor);
  }

  private static Diagnosis examine(String host, OtherFiles files) {
    return examine(host, ROOT, files);
  }

  private static Diagnosis examine(String host, HostOptions options) {
    return examine(host, options, new OtherFiles());
  }

  private static Diagnosis examine(String host) {
    return examine(host, ROOT);
  }

  private static Diagnosis examine(String host, OtherFiles files, String device) {
    return examine(
        host, ROOT, files, doctor -> doctor.withDevices(List.of(PciAddress.parse(device))));
  }

  private static UnaryOperator<Doctor> memory(long byteSize) {
    return doctor -> doctor.withMemory(byteSize);
  }

  /** The one finding of a check, of an object whose name has a part. */
  private static Finding finding(Diagnosis diagnosis, String id, String object) {
    var found =
        diagnosis.findings().stream()
            .filter(finding -> finding.id().equals(id) && finding.object().contains(object))
            .toList();
    assertThat(found).as(diagnosis.findings().toString()).hasSize(1);
    return found.getFirst();
  }

  private static Finding finding(Diagnosis diagnosis, String id) {
    return finding(diagnosis, id, "");
  }

  private static Consumer<Finding> says(Verdict verdict, String... words) {
    return finding -> {
      assertThat(finding.verdict()).as(finding.toString()).isEqualTo(verdict);
      var text = finding.found() + " " + finding.mend().orElse("");
      assertThat(words).allSatisfy(word -> assertThat(text).contains(word));
      assertThat(finding.lookedAt()).isNotEmpty();
      assertThat(finding.why()).endsWith(".");
    };
  }

  static List<String> hosts() {
    return SimulatedHosts.names();
  }

  /**
   * On the hosts as they are something blocks where neither sPAPR version can map, and nowhere
   * else.
   */
  @ParameterizedTest
  @MethodSource("hosts")
  void onlyTheHostWithoutWindowsIsBlocked(String name) {
    var diagnosis = examine(name);
    assertThat(
            diagnosis.findings().stream()
                .filter(finding -> finding.verdict() == Verdict.FAIL)
                .map(Finding::id)
                .distinct())
        .isEqualTo(name.equals("pseries-6.12-noddw") ? List.of("ddw") : List.of());
    assertThat(diagnosis.isBlocked()).isEqualTo(name.equals("pseries-6.12-noddw"));
    assertThat(diagnosis.toString()).startsWith("sim:" + name + ": ");
  }

  /** What a host does not tell is not known, and no fault of it. */
  @ParameterizedTest
  @MethodSource("hosts")
  void whatCannotBeReadBlocksNothing(String name) {
    try (var simulated = SimulatedHosts.open(name, ROOT)) {
      var optional =
          List.of(
              "/proc/cmdline",
              "/proc/interrupts",
              "/proc/swaps",
              "/proc/self/mountinfo",
              "/proc/self/cgroup",
              "/proc/sys/kernel/osrelease",
              "/sys/kernel/mm/hugepages",
              "/power_state",
              "/d3cold_allowed",
              "/config",
              "/of_node",
              "/dma_entry_limit",
              "/enable_unsafe_noiommu_mode",
              "/sys/firmware/acpi/tables");
      var faults =
          new FaultInjector(simulated.kernel())
              .failWhen(call -> optional.stream().anyMatch(call.subject()::endsWith), Errno.EACCES);
      var diagnosis = Doctor.of(VfioHost.of(name, faults)).examine();
      assertThat(diagnosis.findings())
          .allMatch(finding -> finding.verdict() != Verdict.FAIL)
          .filteredOn(finding -> finding.verdict() == Verdict.UNKNOWN)
          .allMatch(finding -> finding.found().startsWith("Not known here: "))
          .extracting(Finding::id)
          .contains("kernel", "container", "cgroup", "hugepages", "d3cold", "answers");
    }
  }

  /** No call but these may be made: they change nothing, and disturb nobody. */
  @ParameterizedTest
  @MethodSource("hosts")
  void nothingIsOpenedButFilesAndWhatManyMayOpen(String name) {
    try (var simulated = SimulatedHosts.open(name, ROOT)) {
      var calls = new FaultInjector(simulated.kernel());
      Doctor.of(VfioHost.of(name, calls)).examine();
      assertThat(calls.calls())
          .extracting(FaultInjector.Call::operation)
          .isSubsetOf("open", "pread", "close", "list", "readLink", "access");
      assertThat(calls.calls())
          .filteredOn(call -> call.operation().equals("open"))
          .extracting(FaultInjector.Call::subject)
          .filteredOn(path -> path.startsWith("/dev"))
          .isSubsetOf("/dev/vfio/vfio", "/dev/iommu");
    }
  }

  /** Each of its calls may fail, and a verdict comes out or a reason. */
  @ParameterizedTest
  @CsvSource({"x86-6.12-iommufd, EIO", "pseries-6.12, EACCES", "arm64-6.12, ENOENT"})
  void anyCallMayFail(String name, String errno) {
    try (var simulated = SimulatedHosts.open(name, ROOT)) {
      var faults = new FaultInjector(simulated.kernel());
      Doctor.of(VfioHost.of(name, faults)).examine();
      int calls = faults.calls().size();
      var before = simulated.resources();
      var reasons = new ArrayList<String>();
      for (int i = 0; i < calls; i++) {
        var injector =
            new FaultInjector(simulated.kernel()).failCall(i, Errno.ofSymbol(errno).orElseThrow());
        try {
          assertThat(Doctor.of(VfioHost.of(name, injector)).examine().findings()).isNotEmpty();
        } catch (VfioException e) {
          reasons.add(e.getMessage());
        }
        assertThat(simulated.resources()).isEqualTo(before);
      }
      assertThat(reasons).hasSizeLessThan(calls).allMatch(reason -> reason.contains(errno));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "x86-6.12, 6.12.107, PASS, Type1 nesting is advertised",
    "x86-6.12, 7.2.13, PASS, nesting is gone",
    "x86-6.12, 5.10.223, PASS, no iommufd",
    "x86-6.12, next, UNKNOWN, calls itself 'next'",
    "pseries-5.10, 5.10.223, PASS, refused with EPERM",
    "pseries-6.8, 6.8.12, PASS, refused with EINVAL",
    "pseries-6.12, 6.12.107, PASS, a container each",
    "pseries-6.12, 6.1.192, FAIL, binds no device",
    "powernv-6.12, 5.19.0, FAIL, Boot Linux 6.4",
    "powernv-6.12, 6.12.107, PASS, v1 and v2 work",
    "powernv-5.10, 5.10.223, PASS, v1 is refused with EPERM",
    "powernv-5.10, 4.1.0, PASS, v1 only",
  })
  void kernelsDiffer(String host, String release, Verdict verdict, String words) {
    var files = new OtherFiles().text("/proc/sys/kernel/osrelease", release);
    assertThat(finding(examine(host, files), "kernel")).satisfies(says(verdict, words));
  }

  @ParameterizedTest
  @CsvSource({
    "x86-6.12, /sys/class/dmi/id/sys_vendor, QEMU, sys_vendor says 'QEMU'",
    "x86-6.12, /proc/cpuinfo, 'flags\t\t: fpu hypervisor', flag 'hypervisor'",
    "x86-6.12, /sys/class/dmi/id/sys_vendor, Dell Inc., bare metal",
    "powernv-6.12, /none, '', 'POWER, bare metal'",
    "pseries-6.12, /none, '', QEMU without KVM",
    "pseries-6.12, /sys/firmware/devicetree/base/hypervisor/compatible, 'linux,kvm\0', guest of KVM",
    "pseries-6.12, /sys/firmware/devicetree/base/compatible, 'IBM,9009-22A\0', a guest",
  })
  void whoMadeTheMachineIsToldWithHowThatIsKnown(
      String host, String path, String content, String words) {
    var files = new OtherFiles().text(path, content);
    assertThat(finding(examine(host, files), "platform")).satisfies(says(Verdict.PASS, words));
  }

  @Test
  void aMachineWithoutMakerIsNotKnown() {
    assertThat(finding(examine(PC), "platform")).satisfies(says(Verdict.UNKNOWN));
    var files = new OtherFiles().without("/devicetree/base/compatible");
    assertThat(finding(examine(GUEST, files), "platform")).satisfies(says(Verdict.UNKNOWN));
    assertThat(
            finding(
                examine(
                    GUEST,
                    new OtherFiles()
                        .text("/sys/firmware/devicetree/base/compatible", "IBM,9009-22A\0")
                        .directory("/sys/firmware/devicetree/base", "ibm,partition-no")),
                "platform"))
        .satisfies(says(Verdict.PASS, "PowerVM"));
  }

  @Test
  void aContainerIsNoticed() {
    assertThat(finding(examine(PC), "container")).satisfies(says(Verdict.PASS, "No sign"));
    assertThat(finding(examine(PC, new OtherFiles().directory("/", ".dockerenv")), "container"))
        .satisfies(says(Verdict.PASS, "/.dockerenv is there", "--device"));
    var overlay = "1 2 0:3 / / rw - overlay overlay rw\n";
    assertThat(
            finding(
                examine(PC, new OtherFiles().text("/proc/self/mountinfo", overlay)), "container"))
        .satisfies(says(Verdict.PASS, "/ is an overlay"));
  }

  private static OtherFiles withoutIommu() {
    return new OtherFiles()
        .withoutGroups()
        .directory("/sys/class/iommu")
        .text("/proc/cmdline", "quiet");
  }

  @Test
  void anIommuThatIsOnPasses() {
    assertThat(finding(examine(PC), "iommu"))
        .satisfies(says(Verdict.PASS, "dmar0; 4 groups", "intel_iommu=on"));
    assertThat(finding(examine("pseries-5.10"), "iommu"))
        .satisfies(says(Verdict.PASS, "On; 2 groups"));
  }

  @Test
  void anIommuThatIsMissingFailsWithWhatTurnsItOn() {
    // firmware tells of one, and the kernel was not told to use it
    assertThat(finding(examine(PC, withoutIommu()), "iommu"))
        .satisfies(says(Verdict.FAIL, "table DMAR", "Put intel_iommu=on"));
    assertThat(
            finding(examine(PC, withoutIommu().text("/proc/cmdline", "intel_iommu=off")), "iommu"))
        .satisfies(says(Verdict.FAIL, "Take intel_iommu=off off"));
    var tables = "/sys/firmware/acpi/tables";
    assertThat(finding(examine(PC, withoutIommu().directory(tables, "FACP", "IVRS")), "iommu"))
        .satisfies(says(Verdict.FAIL, "table IVRS", "AMD-Vi"));
    // firmware tells of none
    var bare =
        withoutIommu().directory(tables, "FACP").text("/sys/class/dmi/id/sys_vendor", "Dell");
    assertThat(finding(examine(PC, bare), "iommu"))
        .satisfies(says(Verdict.FAIL, "tables are FACP", "Turn it on in the firmware"));
    var guest =
        withoutIommu().directory(tables, "FACP").text("/sys/class/dmi/id/sys_vendor", "QEMU");
    assertThat(finding(examine(PC, guest), "iommu"))
        .satisfies(says(Verdict.FAIL, "hypervisor gives", "-device intel-iommu"));
    assertThat(finding(examine(PC, withoutIommu().directory(tables)), "iommu"))
        .satisfies(says(Verdict.FAIL, "tables are not shown"));
  }

  @Test
  void anIommuWithoutGroupsWaitsForADriver() {
    var files = new OtherFiles().withoutGroups().without("/driver");
    assertThat(finding(examine("arm64-6.12", files), "iommu"))
        .satisfies(says(Verdict.WARN, "a group appears when a driver binds"));
  }

  @Test
  void noIommuModeIsAWarning() {
    var diagnosis = examine("x86-noiommu");
    assertThat(finding(diagnosis, "iommu")).satisfies(says(Verdict.WARN, "no-IOMMU mode is on"));
    assertThat(finding(diagnosis, "no-iommu")).satisfies(says(Verdict.WARN, "echo N > "));
    assertThat(finding(examine(PC), "no-iommu")).satisfies(says(Verdict.PASS, "has no"));
    var parameter = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
    assertThat(finding(examine(PC, new OtherFiles().text(parameter, "N")), "no-iommu"))
        .satisfies(says(Verdict.PASS, "is off"));
    assertThat(finding(examine(PC, ROOT.withoutVfio()), "no-iommu"))
        .satisfies(says(Verdict.UNKNOWN));
  }

  @Test
  void interruptsThatAreNotIsolatedFail() {
    var plain = ROOT.withoutInterruptIsolation();
    var id = "interrupt-remapping";
    assertThat(finding(examine(PC), id)).satisfies(says(Verdict.PASS, "IR-"));
    assertThat(finding(examine("arm64-6.12"), id)).satisfies(says(Verdict.PASS, "ITS-"));
    assertThat(finding(examine(GUEST), id)).satisfies(says(Verdict.PASS, "host bridge"));
    assertThat(finding(examine("x86-noiommu"), id)).satisfies(says(Verdict.UNKNOWN));
    assertThat(finding(examine(PC, plain), id))
        .satisfies(says(Verdict.FAIL, "in the firmware", "allow_unsafe_interrupts"));
    var guest = new OtherFiles().text("/sys/class/dmi/id/sys_vendor", "QEMU");
    assertThat(finding(examine(PC, plain, guest), id)).satisfies(says(Verdict.FAIL, "intremap=on"));
    var off = new OtherFiles().text("/proc/cmdline", "intel_iommu=on intremap=off");
    assertThat(finding(examine(PC, plain, off), id))
        .satisfies(says(Verdict.FAIL, "Take intremap=off"));
    var allowed =
        new OtherFiles()
            .text("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y");
    assertThat(finding(examine(PC, plain, allowed), id)).satisfies(says(Verdict.WARN, "Off, and"));
    var xen = new OtherFiles().text("/proc/interrupts", " 16: 3 xen-pirq -ioapic-level eth0");
    assertThat(finding(examine(PC, plain, xen), id)).satisfies(says(Verdict.UNKNOWN));
  }

  @Test
  void modulesThatAreMissingFail() {
    var without = examine(PC, ROOT.withoutVfio());
    assertThat(finding(without, "modules", "vfio-pci"))
        .satisfies(says(Verdict.FAIL, "modprobe vfio-pci"));
    assertThat(finding(without, "node", "/dev/vfio/vfio")).satisfies(says(Verdict.UNKNOWN));
    assertThat(finding(without, "entry-limit")).satisfies(says(Verdict.UNKNOWN));
    assertThat(finding(examine(PC, ROOT.withoutIommuDriver()), "modules", "vfio_iommu_type1"))
        .satisfies(says(Verdict.FAIL, "modprobe vfio_iommu_type1"));
    assertThat(
            finding(
                examine("x86-6.12-iommufd", ROOT.withoutIommuDriver()),
                "modules",
                "vfio_iommu_type1"))
        .satisfies(says(Verdict.PASS, "iommufd"));
    assertThat(finding(examine(GUEST, ROOT.withoutIommuDriver()), "modules", "spapr_tce"))
        .satisfies(says(Verdict.WARN, "built into"));
    for (var host : List.of(PC, GUEST)) {
      assertThat(examine(host).findings())
          .filteredOn(finding -> finding.id().equals("modules"))
          .hasSize(2)
          .allSatisfy(says(Verdict.PASS, "Loaded."));
    }
    var installed = new OtherFiles().directory("/lib/modules/6.12.107+deb13-amd64", "modules.dep");
    assertThat(finding(examine(PC, ROOT.withoutVfio(), installed), "modules", "vfio-pci").mend())
        .contains("modprobe vfio-pci");
  }

  @Test
  void aNodeThatThisProcessMayNotOpenFails() {
    assertThat(finding(examine(PC, HostOptions.unprivileged()), "node", "/dev/vfio/1"))
        .satisfies(says(Verdict.FAIL, "EACCES", "chown \"$USER\" /dev/vfio/1"));
    assertThat(finding(examine(PC, USER), "node", "/dev/vfio/1")).satisfies(says(Verdict.PASS));
    var host = "x86-6.12-iommufd";
    assertThat(finding(examine(host), "node", "/dev/iommu")).satisfies(says(Verdict.PASS, "opens"));
    assertThat(finding(examine(host), "node", "devices/vfio0")).satisfies(says(Verdict.PASS));
    assertThat(finding(examine(host, HostOptions.unprivileged()), "node", "/dev/iommu"))
        .satisfies(says(Verdict.FAIL, "EACCES"));
    try (var simulated = SimulatedHosts.open(PC)) {
      var faults =
          new FaultInjector(simulated.kernel())
              .failWhen(
                  call ->
                      call.operation().equals("open") && call.subject().equals("/dev/vfio/vfio"),
                  Errno.EPERM);
      assertThat(finding(Doctor.of(VfioHost.of(PC, faults)).examine(), "node", "/dev/vfio/vfio"))
          .satisfies(says(Verdict.FAIL, "cgroup", "--device /dev/vfio/vfio"));
      faults
          .failNone()
          .failWhen(
              call -> call.operation().equals("access") && call.subject().endsWith("/2"),
              Errno.ENOENT);
      assertThat(finding(Doctor.of(VfioHost.of(PC, faults)).examine(), "node", "/dev/vfio/2"))
          .satisfies(says(Verdict.FAIL, "Not there", "udevadm"));
    }
    var absent = new OtherFiles().directory("/dev/vfio", "1", "2");
    assertThat(finding(examine(PC, absent), "node", "/dev/vfio/vfio"))
        .satisfies(says(Verdict.FAIL, "Not there"));
  }

  @Test
  void whoHoldsAGroupIsNamed() {
    var held = ROOT.withGroupHeldBy(1, 1234, "qemu-system-x86");
    assertThat(finding(examine(PC, held), "holder", NVME))
        .satisfies(says(Verdict.WARN, "1234 (qemu-system-x86)"));
    var asked =
        examine(
            PC,
            held,
            new OtherFiles(),
            doctor -> doctor.withDevices(List.of(PciAddress.parse(NVME))));
    assertThat(finding(asked, "holder")).satisfies(says(Verdict.FAIL, "End that process"));
    assertThat(finding(examine(PC), "holder", NVME)).satisfies(says(Verdict.PASS));
  }

  @Test
  void fewEntriesAreAWarning() {
    assertThat(finding(examine(PC), "entry-limit")).satisfies(says(Verdict.PASS, "65535"));
    assertThat(finding(examine(PC, ROOT.withDmaEntryLimit(1000)), "entry-limit"))
        .satisfies(says(Verdict.WARN, "1,000 mappings, fewer", "echo 65535 > "));
    assertThat(finding(examine(PC, ROOT, new OtherFiles(), memory(1L << 40)), "entry-limit"))
        .satisfies(says(Verdict.WARN, "needs 524,288", "echo 524288 > "));
    assertThat(examine(GUEST).findings()).extracting(Finding::id).doesNotContain("entry-limit");
  }

  @Test
  void tooLittleLockableMemoryFails() {
    var none = new OtherFiles();
    assertThat(finding(examine(PC, USER), "locked-memory"))
        .satisfies(says(Verdict.WARN, "65,536 bytes", "memlock=unlimited"));
    assertThat(finding(examine(PC, USER, none, memory(1 << 20)), "locked-memory"))
        .satisfies(says(Verdict.FAIL, "983,040 fewer", "prlimit --pid $$ --memlock=1048576"));
    assertThat(finding(examine(PC, USER, none, memory(4096)), "locked-memory"))
        .satisfies(says(Verdict.PASS, "65,536"));
    assertThat(finding(examine(PC, USER.withLockedMemoryLimit(1L << 30)), "locked-memory"))
        .satisfies(says(Verdict.PASS));
    assertThat(finding(examine(PC), "locked-memory")).satisfies(says(Verdict.PASS, "CAP_IPC_LOCK"));
    assertThat(
            finding(
                examine(PC, USER.withCapability(Capability.IPC_LOCK), none, memory(1L << 40)),
                "locked-memory"))
        .satisfies(says(Verdict.PASS));
  }

  @Test
  void aControlGroupThatIsTooSmallFails() {
    assertThat(finding(examine(PC), "cgroup")).satisfies(says(Verdict.PASS, "No limit"));
    var unified =
        new OtherFiles()
            .text("/proc/self/cgroup", "0::/vm.slice/a")
            .text("/sys/fs/cgroup/vm.slice/memory.max", "1073741824")
            .text("/sys/fs/cgroup/vm.slice/a/memory.max", "max");
    assertThat(finding(examine(PC, unified), "cgroup"))
        .satisfies(says(Verdict.PASS, "limited to 1,073,741,824"));
    assertThat(finding(examine(PC, ROOT, unified, memory(2L << 30)), "cgroup"))
        .satisfies(says(Verdict.FAIL, "1,073,741,824 fewer", "MemoryMax="));
    var old =
        new OtherFiles()
            .text("/proc/self/cgroup", "5:devices:/\n4:cpu,memory:/a")
            .text("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096")
            .text("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
    assertThat(finding(examine(PC, ROOT, old, memory(8192)), "cgroup"))
        .satisfies(says(Verdict.FAIL, "limited to 4,096"));
    var silent = new OtherFiles().text("/proc/self/cgroup", "5:devices:/");
    assertThat(finding(examine(PC, silent), "cgroup")).satisfies(says(Verdict.UNKNOWN));
  }

  @Test
  void hugePagesThatDoNotSufficeAreAWarning() {
    assertThat(finding(examine(PC), "hugepages")).satisfies(says(Verdict.PASS, "0 pages of"));
    var pages = ROOT.withHugePages(2 << 20, 16);
    assertThat(finding(examine(PC, pages, new OtherFiles(), memory(32 << 20)), "hugepages"))
        .satisfies(says(Verdict.PASS, "16 pages of 2,097,152"));
    assertThat(finding(examine(PC, pages, new OtherFiles(), memory(33 << 20)), "hugepages"))
        .satisfies(says(Verdict.WARN, "not enough", "nr_hugepages"));
  }

  @Test
  void allBlockersOfAGroupAreNamed() {
    var options =
        ROOT.withSibling("0000:00:01.1", NVME, "e1000e").withSibling("0000:00:01.2", NVME, "ahci");
    var diagnosis = examine(PC, options);
    assertThat(finding(diagnosis, "viable", NVME))
        .satisfies(
            says(
                Verdict.FAIL,
                "0000:00:01.1 (driver e1000e), 0000:00:01.2 (driver ahci)",
                "for d in 0000:00:01.1 0000:00:01.2"));
    assertThat(finding(diagnosis, "viable", "0000:00:02.0")).satisfies(says(Verdict.PASS));
    assertThat(finding(diagnosis, "isolation", NVME))
        .satisfies(says(Verdict.WARN, "3 devices share", "functions of one card"));
    assertThat(finding(diagnosis, "isolation", "0000:00:02.0"))
        .satisfies(says(Verdict.PASS, "alone"));
  }

  /** Nobody is told to take what the host lives on. */
  @Test
  void aBlockerThatTheHostLivesOnIsLeftToIt() {
    var options = ROOT.withSibling("0000:00:01.1", NVME, "ahci");
    var viable =
        finding(
            examine(PC, options, disk("0000:00:01.1", "/dev/sda1", "/", "ext4")), "viable", NVME);
    assertThat(viable)
        .satisfies(says(Verdict.FAIL, "Leave it to the host: 0000:00:01.1 holds / (/dev/sda1)"));
    assertThat(viable.mend().orElseThrow()).doesNotContain("driver_override");
  }

  @Test
  void portsAboveASharedGroupAreLookedAt() {
    var sibling = ROOT.withSibling("0000:02:00.0", NVME, "vfio-pci");
    var files =
        new OtherFiles()
            .link(DEVICES + NVME, "../../../devices/pci0000:00/0000:00:1c.0/" + NVME)
            .link(
                DEVICES + "0000:02:00.0", "../../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0");
    assertThat(finding(examine(PC, sibling, files), "isolation", NVME))
        .satisfies(
            says(Verdict.WARN, "Ports above them: 0000:00:1c.0 (ACS not known here", "has ACS."));
  }

  @Test
  void whereNothingIsBoundThatIsSaid() {
    assertThat(finding(examine(PC, ROOT.withoutVfio()), "devices"))
        .satisfies(says(Verdict.WARN, "No device is bound"));
    assertThat(examine(PC).findings()).extracting(Finding::id).doesNotContain("devices");
  }

  @Test
  void aDeviceNarrowsTheFindingsToItsGroup() {
    var diagnosis = examine(PC, new OtherFiles(), NVME);
    assertThat(diagnosis.findings())
        .noneMatch(finding -> finding.object().contains("0000:00:02.0"))
        .noneMatch(finding -> finding.object().contains("/dev/vfio/2"))
        .extracting(Finding::id)
        .contains("kernel", "iommu", "viable", "isolation", "driver", "reset", "in-use");
    assertThat(finding(diagnosis, "driver")).satisfies(says(Verdict.PASS, "vfio-pci has it"));
    assertThat(finding(diagnosis, "in-use")).satisfies(says(Verdict.PASS, "VFIO driver has it"));
    assertThatThrownBy(() -> examine(PC, new OtherFiles(), "0000:77:00.0"))
        .isInstanceOf(VfioException.class)
        .hasMessageContaining("no such PCI device");
    assertThatThrownBy(() -> examine(PC, ROOT, new OtherFiles(), memory(0)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aDeviceWithAHostDriverFailsWithHowToBindIt() {
    var files =
        new OtherFiles()
            .link(DEVICES + NVME + "/driver", "../../../bus/pci/drivers/nvme")
            .text(DEVICES + NVME + "/driver_override", "(null)");
    assertThat(finding(examine(PC, files, NVME), "driver"))
        .satisfies(says(Verdict.FAIL, "belongs to the host driver nvme", "driver_override"));
    assertThat(examine(PC, files).findings()).extracting(Finding::id).doesNotContain("driver");
  }

  /** drivers_probe answers well, and nothing is bound. */
  @Test
  void aBindThatDidNotHappenIsNoticed() {
    var files =
        new OtherFiles()
            .text(DEVICES + AHCI + "/driver_override", "vfio-pci")
            .without(AHCI + "/driver");
    var finding = finding(examine(PC, files), "driver", AHCI);
    assertThat(finding).satisfies(says(Verdict.FAIL, "no driver has it", "echo " + AHCI));
    assertThat(finding.mend().orElseThrow()).doesNotContain("unbind");
    var bound = new OtherFiles().text(DEVICES + AHCI + "/driver_override", "vfio-pci");
    assertThat(finding(examine(PC, bound), "driver", AHCI))
        .satisfies(says(Verdict.FAIL, "ahci has it", "unbind"));
  }

  @Test
  void aDeviceWithoutAGroupFails() {
    var files = new OtherFiles().without(NVME + "/iommu_group");
    assertThat(finding(examine(PC, files, NVME), "group"))
        .satisfies(says(Verdict.FAIL, "does not cover the device"));
    assertThat(examine(PC, new OtherFiles(), NVME).findings())
        .extracting(Finding::id)
        .doesNotContain("group");
  }

  @Test
  void aDeviceThatReadsAsAllOnesFails() {
    try (var simulated = SimulatedHosts.open(PC)) {
      var host = VfioHost.of(PC, simulated.kernel());
      assertThat(finding(Doctor.of(host).examine(), "answers", NVME)).satisfies(says(Verdict.PASS));
      try (var _ = host.open(PciAddress.parse(NVME))) {
        assertThat(simulated.remove(NVME)).isNotDone(); // it is open
        var asked = Doctor.of(host).withDevices(List.of(PciAddress.parse(NVME)));
        assertThat(finding(asked.examine(), "answers"))
            .satisfies(says(Verdict.FAIL, "all ones", "/remove"));
      }
    }
  }

  @Test
  void aDeviceWithoutPowerIsAWarning() {
    var files = new OtherFiles().text(DEVICES + NVME + "/power_state", "D3cold");
    var diagnosis = examine(PC, files);
    assertThat(finding(diagnosis, "d3cold", NVME))
        .satisfies(says(Verdict.WARN, "no power", "echo on > "));
    assertThat(diagnosis.findings())
        .noneMatch(finding -> finding.id().equals("answers") && finding.object().equals(NVME));
    assertThat(finding(examine(PC), "d3cold", NVME)).satisfies(says(Verdict.PASS, "In D0"));
    assertThat(finding(examine("pseries-5.10"), "d3cold", "0000:00:00.0"))
        .satisfies(says(Verdict.PASS, "not known here; D3cold is allowed"));
  }

  private static OtherFiles identity(String vendor, String device, String methods) {
    var files =
        new OtherFiles()
            .text(DEVICES + NVME + "/vendor", vendor)
            .text(DEVICES + NVME + "/device", device);
    return methods.isEmpty()
        ? files.without(NVME + "/reset_method")
        : files.text(DEVICES + NVME + "/reset_method", methods);
  }

  @ParameterizedTest
  @CsvSource({
    "0x8086, 0x1572, flr bus, PASS, 'by flr, bus'",
    "0x8086, 0x1572, bus, WARN, only with its bus",
    "0x8086, 0x1572, '', PASS, how is not told",
    "0x1002, 0x67df, bus, WARN, dead until",
    "0x1002, 0x67df, device_specific bus, PASS, by device_specific",
    "0x8086, 0x1502, pm, WARN, known to hang",
    "0x168c, 0x003c, pm, WARN, does not use one; left is pm",
    "0x10de, 0x1eb8, flr, PASS, by flr",
  })
  void howADeviceIsResetIsTold(
      String vendor, String device, String methods, Verdict verdict, String words) {
    assertThat(finding(examine(PC, identity(vendor, device, methods)), "reset", NVME))
        .satisfies(says(verdict, words));
  }

  @Test
  void aDeviceThatCannotBeResetIsAWarning() {
    var files = identity("0x8086", "0x1572", "").directory(DEVICES + NVME, "vendor", "device");
    assertThat(finding(examine(PC, files), "reset", NVME)).satisfies(says(Verdict.WARN, "no way"));
    var gpu = identity("0x10de", "0x2341", "pm").text(DEVICES + NVME + "/class", "0x030200");
    assertThat(finding(examine(PC, gpu), "reset", NVME))
        .satisfies(says(Verdict.WARN, "does not use one; left is pm"));
  }

  @ParameterizedTest
  @CsvSource({
    "pseries-6.12, 6.12.107, PASS",
    "pseries-6.12-noddw, 6.12.107, FAIL",
    "pseries-6.12-noddw, 6.8.12, WARN",
  })
  void windowsThatTheHypervisorDoesNotMakeAreTold(String host, String release, Verdict verdict) {
    var files = new OtherFiles().text("/proc/sys/kernel/osrelease", release);
    assertThat(finding(examine(host, files), "ddw", "0000:00:00.0")).satisfies(says(verdict));
    assertThat(examine("powernv-6.12").findings()).extracting(Finding::id).doesNotContain("ddw");
    assertThat(finding(examine(host, files.without("/of_node")), "ddw", "0000:00:00.0").verdict())
        .isEqualTo(Verdict.UNKNOWN);
  }

  /** A disk behind a device, with a file system that is mounted. */
  private static OtherFiles disk(String device, String source, String at, String type) {
    return new OtherFiles()
        .text(
            "/proc/self/mountinfo",
            "1 1 0:2 / / rw - rootfs rootfs rw\n30 1 8:1 / %s rw shared:1 - %s %s rw"
                .formatted(at, type, source))
        .link("/sys/dev/block/8:1", "../../devices/pci0000:00/" + device + "/ata1/block/sda/sda1")
        .directory("/sys/class/block", "dm-0", "sda", "sda1", "sda2")
        .link(
            "/sys/class/block/sda1", "../../devices/pci0000:00/" + device + "/ata1/block/sda/sda1")
        .link(
            "/sys/class/block/sda2", "../../devices/pci0000:00/" + device + "/ata1/block/sda/sda2")
        .link("/sys/class/block/dm-0", "../../devices/virtual/block/dm-0");
  }

  private static void assertInUse(OtherFiles files, String words) {
    var device = "0000:00:1f.3";
    assertThat(finding(examine(PC, files, device), "in-use"))
        .satisfies(says(Verdict.FAIL, "must not be taken", words));
    assertThat(finding(examine(PC, files, device), "driver").mend()).isEmpty();
    assertThat(finding(examine(PC, files), "in-use", device))
        .satisfies(says(Verdict.PASS, "Leave it to the host", words));
  }

  @Test
  void whatTheHostLivesOnMustNotBeTaken() {
    var device = "0000:00:1f.3";
    assertThat(finding(examine(PC, new OtherFiles(), device), "in-use"))
        .satisfies(says(Verdict.PASS, "No mounted file system"));
    assertInUse(disk(device, "/dev/sda1", "/home", "ext4"), "holds /home (/dev/sda1)");
    // a number of its own, as btrfs has
    assertInUse(
        disk(device, "/dev/sda2", "/data", "btrfs").without("/sys/dev/block/8:1"),
        "holds /data (/dev/sda2)");
    var none = disk(device, "none", "/x", "tmpfs").without("/sys/dev/block/8:1");
    assertInUse(
        none.text("/proc/swaps", "Filename Type\n/dev/sda2 partition 1 0 -2"),
        "holds swap (/dev/sda2)");
    assertInUse(
        disk(device, "none", "/x", "tmpfs")
            .without("/sys/dev/block/8:1")
            .directory("/sys/class/block/sda2/holders", "dm-0")
            .text("/sys/class/block/dm-0/dm/name", "vg-root"),
        "holds a part of dm-0 'vg-root' (/dev/sda2)");
    // a logical volume that is mounted, on a partition
    assertInUse(
        disk(device, "/dev/mapper/vg-root", "/", "xfs")
            .link("/sys/dev/block/8:1", "../../devices/virtual/block/dm-0")
            .directory("/sys/class/block/dm-0/slaves", "sda2"),
        "holds / (/dev/mapper/vg-root)");
  }

  /** A namespace that several controllers lead to is below none of them. */
  @Test
  void aDiskOfSeveralControllersIsFound() {
    var device = "0000:00:1f.3";
    assertInUse(
        new OtherFiles()
            .text("/proc/self/mountinfo", "30 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw")
            .link(
                "/sys/class/block/nvme0n1p1",
                "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1")
            .directory("/sys/class/nvme-subsystem/nvme-subsys0", "nvme0", "nvme0n1", "nqn")
            .link(
                "/sys/class/nvme-subsystem/nvme-subsys0/nvme0",
                "../../../pci0000:00/" + device + "/nvme/nvme0"),
        "holds / (/dev/nvme0n1p1)");
  }

  @Test
  void theWayToTheNetworkMustNotBeTaken() {
    var device = "0000:00:1f.3";
    var route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";
    var card = "../../devices/pci0000:00/" + device + "/net/eth0";
    assertInUse(
        new OtherFiles()
            .text("/proc/net/route", route + "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000")
            .link("/sys/class/net/eth0", card),
        "carries the default route (eth0)");
    // a bridge over a bond over the card
    assertInUse(
        new OtherFiles()
            .text("/proc/net/route", route + "br0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000")
            .link("/sys/class/net/br0", "../../devices/virtual/net/br0")
            .directory("/sys/class/net/br0/brif", "bond0")
            .link("/sys/class/net/bond0", "../../devices/virtual/net/bond0")
            .directory("/sys/class/net/bond0", "lower_eth0", "mtu")
            .link("/sys/class/net/eth0", card),
        "carries the default route (br0)");
    var zeroes = "0".repeat(32);
    assertInUse(
        new OtherFiles()
            .text(
                "/proc/net/ipv6_route",
                "%s 00 %1$s 00 fd000000000000000000000000000001 00000400 1 0 00000003 eth0"
                    .formatted(zeroes))
            .link("/sys/class/net/eth0", card),
        "carries the default route (eth0)");
    var other =
        new OtherFiles()
            .text("/proc/net/route", route + "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF")
            .link("/sys/class/net/eth0", card);
    assertThat(finding(examine(PC, other, device), "in-use")).satisfies(says(Verdict.PASS));
  }

  @Test
  void theConsoleAndBridgesMustNotBeTaken() {
    var device = "0000:00:1f.3";
    var display =
        new OtherFiles()
            .text(DEVICES + device + "/class", "0x030000")
            .text(DEVICES + device + "/boot_vga", "1");
    assertInUse(display, "the display that the console is on");
    var second =
        new OtherFiles()
            .text(DEVICES + device + "/class", "0x030000")
            .text(DEVICES + device + "/boot_vga", "0");
    assertThat(finding(examine(PC, second, device), "in-use")).satisfies(says(Verdict.PASS));
    assertThat(finding(examine(PC, new OtherFiles(), "0000:00:1f.0"), "in-use"))
        .satisfies(says(Verdict.FAIL, "is an ISA bridge"));
  }

  @Test
  void aDiskMayBelongToZfs() {
    var files = new OtherFiles().text("/proc/self/mountinfo", "30 1 0:40 / /tank rw - zfs tank rw");
    assertThat(finding(examine(PC, files, AHCI), "in-use"))
        .satisfies(says(Verdict.UNKNOWN, "ZFS is in use"));
    assertThat(finding(examine(PC, files, "0000:00:1f.3"), "in-use")).satisfies(says(Verdict.PASS));
  }
}
