// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.PciAddress;
import io.jvfio.Sharing;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A message names what is wrong on this machine, and a step that can be taken on it. */
class AdviceTest {
  private static final String NVME = "0000:00:01.0";
  private static final String Q35 = "Standard PC (Q35 + ICH9, 2009)";

  /** How opening {@code address} fails. */
  private static VfioException refusal(
      String name, HostOptions options, OtherFiles files, String address, IommuPolicy policy) {
    try (var simulated = SimulatedHosts.open(name, options)) {
      var before = simulated.resources();
      var host = VfioHost.of("sim:" + name, files.over(simulated.kernel()));
      var failure =
          Assertions.catchThrowableOfType(
              VfioException.class, () -> host.open(PciAddress.parse(address), policy));
      assertThat(simulated.resources()).isEqualTo(before);
      return requireNonNull(failure);
    }
  }

  private static VfioException refusal(String name, OtherFiles files, String address) {
    return refusal(name, HostOptions.defaults(), files, address, IommuPolicy.automatic());
  }

  private static VfioException refusal(String name, IommuPolicy policy) {
    var address = name.startsWith("p") ? "0000:00:00.0" : NVME;
    return refusal(name, OpenSpace.unlimited(), new OtherFiles(), address, policy);
  }

  private static VfioException groupRefusal(String name, HostOptions options, int group) {
    try (var simulated = SimulatedHosts.open(name, options)) {
      var host = VfioHost.of("sim:" + name, simulated.kernel());
      return requireNonNull(
          Assertions.catchThrowableOfType(
              VfioException.class,
              () ->
                  host.openGroups(
                      List.of(group), IommuPolicy.automatic(), Sharing.WHERE_POSSIBLE)));
    }
  }

  @Test
  void typesThatWereForbiddenAreNamedWhereTheKernelAdvertisesThem() {
    var failure =
        refusal("x86-6.12", IommuPolicy.forbid(Set.of(IommuType.TYPE1V2, IommuType.TYPE1)));
    assertThat(failure)
        .hasMessageContaining("No IOMMU type that was allowed works here.")
        .hasMessageContaining("type1v2: VFIO_CHECK_EXTENSION. It is advertised, and was forbidden")
        .hasMessageContaining("type1: VFIO_CHECK_EXTENSION. It is advertised, and was forbidden")
        .hasMessageNotContaining("type1-nesting");
    assertThat(failure.nextStep()).isEqualTo("Allow type1v2 or type1.");
  }

  @Test
  void aDeviceNodeThatWasForbiddenIsNamedToo() {
    assertThat(
            refusal(
                "x86-6.12-iommufd",
                new IommuPolicy(
                    Optional.of(IommuType.SPAPR_TCE), List.of(), Set.of(IommuType.IOMMUFD))))
        .hasMessageContaining("IOMMU type spapr-tce, the only one asked for, does not work here.")
        .hasMessageContaining("iommufd: not asked. It is advertised, and was forbidden")
        .hasMessageContaining("type1v2: VFIO_CHECK_EXTENSION. It is advertised, and was not asked")
        .hasMessageEndingWith("Allow iommufd, type1v2 or type1.");
  }

  @Test
  void aTypeThatIsTakenOnlyByNameIsNamedWithItsDanger() {
    assertThat(refusal("x86-noiommu", IommuPolicy.automatic()))
        .hasMessageContaining("noiommu: VFIO_CHECK_EXTENSION. It is advertised, and is taken only")
        .hasMessageContaining("nothing is protected")
        .hasMessageEndingWith("Ask for noiommu by name, if you can do without protection.");
  }

  @Test
  void theOtherVersionIsNamedWhereOneIsRequiredInVain() {
    assertThat(refusal("pseries-5.10", IommuPolicy.require(IommuType.SPAPR_TCE_V2)))
        .hasMessageContaining("spapr-tce: VFIO_CHECK_EXTENSION. It is advertised, and was not")
        .hasMessageEndingWith("Allow spapr-tce.");
  }

  @ParameterizedTest
  @EnumSource(names = {"SPAPR_TCE", "SPAPR_TCE_V2"})
  void theOtherVersionIsNotOfferedWhereBothAreKnownNotToWork(IommuType type) {
    assertThat(refusal("pseries-6.12-noddw", IommuPolicy.require(type)))
        .hasMessageContaining("Dynamic DMA Windows")
        .hasMessageNotContaining("was not asked for")
        .hasMessageNotContaining("Allow");
  }

  @Test
  void nothingIsSetOrMappedToFindOutWhatWasForbidden() {
    try (var simulated = SimulatedHosts.open("pseries-6.12", OpenSpace.unlimited())) {
      var injector = new FaultInjector(simulated.kernel());
      var host = VfioHost.of("sim:pseries-6.12", injector);
      var probe =
          host.probe(
              List.of(0), IommuPolicy.forbid(Set.of(IommuType.SPAPR_TCE, IommuType.SPAPR_TCE_V2)));
      assertThat(probe.groups().getFirst().negotiation().leftOut())
          .extracting(attempt -> attempt.type())
          .containsExactly(IommuType.SPAPR_TCE_V2, IommuType.SPAPR_TCE);
      assertThat(injector.calls().stream().map(FaultInjector.Call::operation))
          .contains("VFIO_CHECK_EXTENSION")
          .doesNotContain("VFIO_SET_IOMMU", "VFIO_IOMMU_MAP_DMA");
    }
  }

  /** As behind two host bridges that differ: the second group does not have what the first has. */
  @Test
  void aGroupThatCannotHaveTheTypeOfTheFirstSaysSo() {
    try (var simulated = SimulatedHosts.open("pseries-5.10", OpenSpace.unlimited())) {
      var asked = new AtomicInteger();
      var kernel =
          SpaceOfferTest.answering(
              simulated.kernel(),
              (method, arguments) ->
                  asksFor(method, arguments, Vfio.VFIO_SPAPR_TCE_IOMMU)
                          && asked.incrementAndGet() > 1
                      ? 0
                      : null);
      var host = VfioHost.of("p", kernel);
      assertThat(
              Assertions.catchThrowableOfType(
                  VfioException.class,
                  () ->
                      host.openGroups(
                          List.of(0, 1), IommuPolicy.automatic(), Sharing.WHERE_POSSIBLE)))
          .hasMessageContaining("group 1")
          .hasMessageContaining(
              "IOMMU type spapr-tce, which the groups before this one have, does not work here")
          .hasMessageContaining("spapr-tce-v2: VFIO_CHECK_EXTENSION. It is advertised, and")
          .hasMessageContaining("the groups before this one have another");
    }
  }

  private static boolean asksFor(String method, Object[] arguments, int extension) {
    return method.equals("ioctl")
        && arguments[1].equals(Vfio.VFIO_CHECK_EXTENSION)
        && arguments[2].equals((long) extension);
  }

  @Test
  void nestingIsToldToHaveBeenDroppedByAKernelThatHasTheRestOfType1() {
    try (var simulated = SimulatedHosts.open("x86-6.12")) {
      var files = new OtherFiles().text("/proc/sys/kernel/osrelease", "7.2.13-amd64");
      var kernel =
          SpaceOfferTest.answering(
              files.over(simulated.kernel()),
              (method, arguments) ->
                  asksFor(method, arguments, Vfio.VFIO_TYPE1_NESTING_IOMMU) ? 0 : null);
      var host = VfioHost.of("x", kernel);
      assertThat(
              Assertions.catchThrowableOfType(
                  VfioException.class,
                  () ->
                      host.open(
                          PciAddress.parse(NVME), IommuPolicy.require(IommuType.TYPE1_NESTING))))
          .hasMessageContaining("Linux 7.2 dropped")
          .hasMessageContaining("7.2.13-amd64")
          .hasMessageContaining("Type1v2 does all that nesting would do")
          .hasMessageNotContaining("no Type1 machine");
    }
  }

  @Test
  void nestingWhereThereIsNoType1IsStillThat() {
    assertThat(refusal("pseries-6.12", IommuPolicy.require(IommuType.TYPE1_NESTING)))
        .hasMessageContaining("no Type1 machine")
        .hasMessageNotContaining("7.2");
  }

  @Test
  void noIommuModeIsNotToBeTurnedOnWhereTheKernelHasNone() {
    assertThat(refusal("x86-6.12", IommuPolicy.require(IommuType.NOIOMMU)))
        .hasMessageContaining("The group has an IOMMU")
        .hasMessageContaining("built without CONFIG_VFIO_NOIOMMU")
        .hasMessageNotContaining("enable_unsafe_noiommu_mode");
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void aDeviceWithoutAGroupIsToldWhetherThereIsNoIommuMode(boolean present) {
    var mode = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
    var files = new OtherFiles().withoutGroups().directory("/sys/class/iommu");
    var failure =
        refusal(
            "x86-6.12",
            HostOptions.defaults(),
            present ? files.text(mode, "N") : files,
            NVME,
            IommuPolicy.require(IommuType.NOIOMMU));
    if (present) {
      assertThat(failure).hasMessageContaining("echo Y > " + mode);
    } else {
      assertThat(failure)
          .hasMessageNotContaining(mode)
          .hasMessageContaining("This kernel (6.12.107+deb13-amd64) has no no-IOMMU mode");
    }
  }

  @Test
  void aGroupThatAppearsWhenADriverBindsIsToldWithTheCommands() {
    var files = new OtherFiles().withoutGroups().without("/driver");
    assertThat(refusal("arm64-6.12", files, NVME))
        .hasMessageContaining("smmu3.0x0000000009050000")
        .hasMessageContaining("a group appears when a driver binds the device")
        .hasMessageContaining("echo vfio-pci > /sys/bus/pci/devices/%s/driver_override", NVME)
        .hasMessageNotContaining("/driver/unbind")
        .hasMessageNotContaining("IOMMU is off");
  }

  @Test
  void aDeviceThatTheIommuDoesNotCoverIsNotToldToTurnItOn() {
    assertThat(refusal("x86-6.12-iommufd", new OtherFiles(), "0000:40:00.0"))
        .hasMessageContaining("is a PCI bridge (class 0x060400)")
        .hasMessageNotContaining("driver_override");
    var files = new OtherFiles().without("0000:00:1f.2/iommu_group");
    assertThat(refusal("x86-6.12", files, "0000:00:1f.2"))
        .hasMessageContaining("dmar0")
        .hasMessageContaining("does not cover the device")
        .hasMessageNotContaining("driver_override")
        .hasMessageNotContaining("intel_iommu=on");
  }

  @Test
  void aPhysicalMachineIsSentToItsFirmware() {
    var files =
        new OtherFiles()
            .withoutGroups()
            .directory("/sys/class/iommu")
            .text("/sys/class/dmi/id/sys_vendor", "Dell Inc.")
            .text("/sys/class/dmi/id/product_name", "PowerEdge R750")
            .text("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx\n");
    assertThat(refusal("x86-6.12", files, NVME))
        .hasMessageContaining("in the firmware")
        .hasMessageContaining("intel_iommu=on")
        .hasMessageNotContaining("QEMU");
  }

  @ParameterizedTest
  @CsvSource({
    "x86-6.12, /sys/class/dmi/id/sys_vendor, QEMU, intel-iommu",
    "x86-6.12, /sys/class/dmi/id/product_name, '" + Q35 + "', intel-iommu",
    "x86-6.12, /sys/class/dmi/id/sys_vendor, 'VMware, Inc.', intel-iommu",
    "x86-6.12, /sys/class/dmi/id/product_name, Virtual Machine, intel-iommu",
    "x86-6.12, /proc/cpuinfo, 'flags\t\t: fpu vme hypervisor lahf_lm', virtio-iommu-pci",
    "arm64-6.12, /sys/class/dmi/id/product_name, KVM Virtual Machine, iommu=smmuv3",
    "arm64-6.12, /sys/firmware/devicetree/base/compatible, 'linux,dummy-virt\0', virtio-iommu-pci",
  })
  void aVirtualMachineIsSentToItsHypervisor(
      String name, String path, String content, String option) {
    var files =
        new OtherFiles()
            .withoutGroups()
            .without("/driver")
            .directory("/sys/class/iommu")
            .text(path, content);
    assertThat(refusal(name, files, NVME))
        .hasMessageContaining("virtual machine")
        .hasMessageContaining("QEMU: ")
        .hasMessageContaining(option)
        .hasMessageNotContaining("firmware");
  }

  @ParameterizedTest
  @CsvSource({"QEMU, 'intel-iommu,intremap=on'", "Dell Inc., in the firmware"})
  void whoIsToIsolateInterruptsDependsOnTheMachine(String vendor, String step) {
    var failure =
        refusal(
            "x86-6.12",
            HostOptions.defaults().withoutInterruptIsolation(),
            new OtherFiles().text("/sys/class/dmi/id/sys_vendor", vendor),
            NVME,
            IommuPolicy.automatic());
    assertThat(failure)
        .hasMessageContaining("does not isolate message-signalled interrupts")
        .hasMessageContaining(step)
        .hasMessageContaining("allow_unsafe_interrupts=1");
    assertThat(failure.getMessage().contains("firmware")).isEqualTo(!vendor.equals("QEMU"));
  }

  @Test
  void everyBlockerOfAGroupIsNamed() {
    var options =
        HostOptions.defaults()
            .withSibling("0000:00:01.1", NVME, "e1000e")
            .withSibling("0000:00:01.2", NVME, "igb");
    var failure = groupRefusal("x86-6.12", options, 1);
    assertThat(failure)
        .hasMessageContaining("0000:00:01.1 (driver e1000e), 0000:00:01.2 (driver igb)")
        .hasMessageContaining("for d in 0000:00:01.1 0000:00:01.2; do echo vfio-pci");
  }

  @Test
  void everyDeviceOfAGroupWithoutVfioIsNamedAndNoBridgeIsGivenAway() {
    var failure = groupRefusal("x86-6.12", HostOptions.defaults(), 3);
    assertThat(failure)
        .hasMessageContainingAll(
            "0000:00:1f.0 (driver lpc_ich)",
            "0000:00:1f.2 (driver ahci)",
            "0000:00:1f.3 (driver i801_smbus)",
            "0000:00:1f.0 is an ISA bridge (class 0x060100)",
            "another slot",
            "ACS")
        .hasMessageNotContaining("driver_override");
    assertThat(groupRefusal("x86-6.12", HostOptions.defaults(), 0))
        .hasMessageContaining("0000:00:00.0 is a host bridge (class 0x060000)")
        .hasMessageNotContaining("driver_override");
  }

  @Test
  void aGroupThatNobodyHoldsTakesOneDeviceToBeBound() {
    assertThat(groupRefusal("x86-6.12-iommufd", HostOptions.defaults(), 4))
        .hasMessageContaining("0000:00:1f.0 (no driver), 0000:00:1f.2 (no driver)")
        .hasMessageContaining("One of them is enough.")
        .hasMessageContaining("echo 0000:00:1f.2 > /sys/bus/pci/drivers_probe")
        .hasMessageNotContaining("slot");
  }

  @Test
  void aBridgeOnABusThatIsToBeResetIsNotGivenAway() {
    var address = "0000:01:00.0";
    var other = "0000:01:00.1";
    var options = OpenSpace.unlimited().withNeighbour(other, address, "pcieport");
    try (var simulated = SimulatedHosts.open("powernv-6.12", options)) {
      var files = new OtherFiles().text("/sys/bus/pci/devices/" + other + "/class", "0x060400");
      var host = VfioHost.of("p", files.over(simulated.kernel()));
      try (var device = host.open(PciAddress.parse(address))) {
        assertThat(device.hotResetScope().obstacles())
            .singleElement()
            .satisfies(
                obstacle ->
                    assertThat(obstacle.nextStep())
                        .contains(other, "PCI bridge (class 0x060400)")
                        .doesNotContain("driver_override"));
      }
    }
  }

  @Test
  void whoWantsOneDeviceHearsOfTheOthersOfItsGroupAtOnce() {
    assertThat(refusal("x86-6.12", new OtherFiles(), "0000:00:1f.2"))
        .hasMessageContaining("0000:00:1f.2 belongs to the host driver ahci")
        .hasMessageContaining("0000:00:1f.3 (driver i801_smbus)")
        .hasMessageContaining("0000:00:1f.0 is an ISA bridge (class 0x060100)")
        .hasMessageNotContaining("driver_override");
    assertThat(refusal("x86-6.12", new OtherFiles(), "0000:00:1f.0"))
        .hasMessageContaining("is an ISA bridge (class 0x060100)")
        .hasMessageNotContaining("driver_override");
  }

  @Test
  void aSingleDeviceWithoutADriverIsNotUnboundFirst() {
    var options = HostOptions.defaults();
    var files = new OtherFiles().without(NVME + "/driver");
    assertThat(refusal("x86-6.12", options, files, NVME, IommuPolicy.automatic()))
        .hasMessageContaining("has no driver")
        .hasMessageContaining("driver_override")
        .hasMessageNotContaining("unbind");
  }

  @Test
  void windowsCanBeOffForOneHostBridgeAlone() {
    assertThat(refusal("pseries-6.12-noddw", IommuPolicy.automatic()))
        .hasMessageContaining("-global spapr-pci-host-bridge.ddw=off")
        .hasMessageContaining("-device spapr-pci-host-bridge,...,ddw=off");
  }
}
