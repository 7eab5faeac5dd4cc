// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProbeCommandTest {

  @ParameterizedTest
  @CsvSource({
    "x86-6.12, type1v2",
    "powernv-5.10, spapr-tce-v2",
    "powernv-6.12, spapr-tce-v2",
    "pseries-5.10, spapr-tce",
    "pseries-6.8, spapr-tce",
    "pseries-6.12, spapr-tce-v2",
  })
  void choosesWhatWorksInEveryGroup(String host, String chosen) {
    var run = CommandRun.of("--host", "sim:" + host, "--json", "probe");
    assertThat(run.status()).isZero();
    assertThat(run.json().get("groups")).hasSizeGreaterThanOrEqualTo(2);
    run.json()
        .get("groups")
        .forEach(group -> assertThat(group.get("chosen").asText()).isEqualTo(chosen));
    assertThat(run.json().get("common").get(0).asText()).isEqualTo(chosen);
    assertThat(run.err()).isEmpty();
  }

  @Test
  void tellsThatVersion2IsAdvertisedAndRefusedWithEperm() {
    var attempt =
        attempt(CommandRun.of("--host", "sim:pseries-5.10", "--json", "probe"), "spapr-tce-v2");
    assertThat(attempt.get("advertised").asBoolean()).isTrue();
    assertThat(attempt.get("reached").asText()).isEqualTo("accepted");
    assertThat(attempt.get("outcome").asText()).isEqualTo("refused");
    assertThat(attempt.get("call").asText()).isEqualTo("VFIO_SET_IOMMU");
    assertThat(attempt.get("errno").asText()).isEqualTo("EPERM");
    assertThat(attempt.get("meaning").asText()).contains("version 2", "Version 1 is the one");
  }

  @Test
  void tellsTheOtherErrnoOfTheOtherKernel() {
    var attempt =
        attempt(CommandRun.of("--host", "sim:pseries-6.8", "--json", "probe"), "spapr-tce-v2");
    assertThat(attempt.get("errno").asText()).isEqualTo("EINVAL");
  }

  @ParameterizedTest
  @CsvSource({"pseries-5.10, spapr-tce-v2", "powernv-5.10, spapr-tce"})
  void neverReplacesARequiredType(String host, String type) {
    var run = CommandRun.of("--host", "sim:" + host, "--json", "probe", "--iommu", type);
    assertThat(run.status()).isEqualTo(1);
    run.json()
        .get("groups")
        .forEach(
            group -> {
              assertThat(group.get("chosen").isNull()).isTrue();
              assertThat(group.get("attempts")).hasSize(1);
              assertThat(group.get("attempts").get(0).get("errno").asText()).isEqualTo("EPERM");
            });
  }

  @Test
  void triesPreferredTypesFirst() {
    var run =
        CommandRun.of(
            "--host", "sim:x86-6.12", "--json", "probe", "--prefer", "type1-nesting,type1v2");
    assertThat(run.status()).isZero();
    var group = run.json().get("groups").get(0);
    var first = group.get("attempts").get(0);
    assertThat(first.get("type").asText()).isEqualTo("type1-nesting");
    assertThat(first.get("advertised").asBoolean()).isTrue();
    assertThat(first.get("outcome").asText()).isEqualTo("refused");
    assertThat(group.get("chosen").asText()).isEqualTo("type1v2");
  }

  @Test
  void neverTriesForbiddenTypes() {
    var run = CommandRun.of("--host", "sim:x86-6.12", "--json", "probe", "--forbid", "type1v2");
    assertThat(run.json().get("groups").get(0).get("chosen").asText()).isEqualTo("type1");
    assertThat(run.out()).doesNotContain("type1v2");
  }

  @Test
  void tellsThatTheHypervisorOffersNoWindowsAndWhatToChange() {
    var run = CommandRun.of("--host", "sim:pseries-6.12-noddw", "probe");
    assertThat(run.status()).isEqualTo(1);
    assertThat(oneLine(run.out()))
        .contains("The hypervisor offers no Dynamic DMA Windows")
        .contains("this kernel (6.12")
        .contains("needs them for VFIO")
        .contains("Turn DDW on in the hypervisor")
        .contains("chosen: none");
  }

  @ParameterizedTest
  @CsvSource({"spapr-tce", "spapr-tce-v2"})
  void asksNothingHarmfulOfAMachineWithoutWindowsWhateverIsRequired(String type) {
    var run = CommandRun.of("--host", "sim:pseries-6.12-noddw", "--json", "probe", "--iommu", type);
    assertThat(run.status()).isEqualTo(1);
    var attempt = attempt(run, type);
    assertThat(attempt.get("reached").asText()).isEqualTo("described");
    assertThat(attempt.get("outcome").asText()).isEqualTo("unusable");
    assertThat(attempt.get("meaning").asText()).contains("Dynamic DMA Windows");
  }

  @Test
  void takesNoIommuOnlyByName() {
    var automatic = CommandRun.of("--host", "sim:x86-noiommu", "--json", "probe");
    assertThat(automatic.status()).isEqualTo(1);
    assertThat(automatic.json().get("groups").get(0).get("chosen").isNull()).isTrue();
    var byName =
        CommandRun.of("--host", "sim:x86-noiommu", "--json", "probe", "--iommu", "noiommu");
    assertThat(byName.status()).isZero();
    assertThat(byName.json().get("groups").get(0).get("chosen").asText()).isEqualTo("noiommu");
  }

  @Test
  void findsTheLargestSetThatEveryGroupCanTake() {
    var run = CommandRun.of("--host", "sim:x86-6.12", "--json", "probe");
    assertThat(run.json().get("common"))
        .extracting(JsonNode::asText)
        .containsExactly("type1v2", "type1");
  }

  @Test
  void namesTheDeviceThatBlocksAGroupAndItsDriver() {
    var device = CommandRun.controller("pseries-6.12");
    var sibling = device.substring(0, device.length() - 1) + "1";
    var options = HostOptions.defaults().withSibling(sibling, device, "e1000e");
    var run = CommandRun.with(options, "--host", "sim:pseries-6.12", "--json", "probe");
    assertThat(run.status()).as("one group works").isZero();
    var blocked =
        StreamSupport.stream(run.json().get("groups").spliterator(), false)
            .filter(group -> group.has("error"))
            .toList();
    assertThat(blocked).hasSize(1);
    assertThat(blocked.getFirst().get("viable").asBoolean()).isFalse();
    assertThat(blocked.getFirst().get("error").asText())
        .contains("not viable", sibling, "e1000e", "driver_override");

    var list = CommandRun.with(options, "--host", "sim:pseries-6.12", "--json", "list").json();
    var entry =
        StreamSupport.stream(list.get("devices").spliterator(), false)
            .filter(one -> one.get("address").asText().equals(device))
            .findFirst()
            .orElseThrow();
    assertThat(entry.get("viable").asBoolean()).isFalse();
    assertThat(entry.get("blockedBy").get(0).get("address").asText()).isEqualTo(sibling);
    assertThat(entry.get("blockedBy").get(0).get("driver").asText()).isEqualTo("e1000e");
  }

  @Test
  void exitsWithWhatWasAskedFor() {
    var device = CommandRun.controller("pseries-6.12");
    var sibling = device.substring(0, device.length() - 1) + "1";
    var options = HostOptions.defaults().withSibling(sibling, device, "e1000e");
    var works = status(options, "probe");
    assertThat(works).as("any group").isZero();
    assertThat(status(options, "probe", "1")).as("the one that works").isZero();
    assertThat(status(options, "probe", "0", "1")).as("one of two named").isEqualTo(1);
    assertThat(status(options, "probe", "--iommu", "spapr-tce")).as("a named type").isEqualTo(1);
    assertThat(status(options, "probe", "1", "--iommu", "spapr-tce")).isZero();
    assertThat(status(options, "probe", "--prefer", "spapr-tce")).isZero();
    assertThat(status(options, "probe", "--iommu", "type1")).as("no group").isEqualTo(1);
    assertThat(status(HostOptions.defaults().withoutVfio(), "probe")).isEqualTo(1);
    assertThat(CommandRun.of("--host", "sim:pseries-6.12-noddw", "probe").status()).isEqualTo(1);
  }

  private static int status(HostOptions options, String... args) {
    var all =
        Stream.concat(Stream.of("--host", "sim:pseries-6.12"), Stream.of(args))
            .toArray(String[]::new);
    return CommandRun.with(options, all).status();
  }

  @Test
  void tellsItsExitStatus() {
    assertThat(oneLine(CommandRun.of("probe", "--help").out()))
        .contains("Exit status:")
        .contains("0 Without GROUP and --iommu: an IOMMU type works for at least one group.")
        .contains("1 Without GROUP and --iommu: none works for any group.");
  }

  @Test
  void tellsWhatWasLeftOutAndWouldPerhapsWork() {
    var args = List.of("--host", "sim:x86-6.12", "probe", "1", "--forbid", "type1v2,type1");
    var run = CommandRun.of(args.toArray(String[]::new));
    assertThat(run.status()).isEqualTo(1);
    assertThat(oneLine(run.out()))
        .contains("type1v2 yes none skipped VFIO_CHECK_EXTENSION -")
        .contains("type1v2, type1: It is advertised, and was forbidden, so it was not tried.")
        .contains("chosen: none");
    var json =
        CommandRun.of("--host", "sim:x86-noiommu", "--json", "probe").json().get("groups").get(0);
    assertThat(json.get("leftOut")).hasSize(1);
    assertThat(json.get("leftOut").get(0).get("type").asText()).isEqualTo("noiommu");
    assertThat(json.get("leftOut").get(0).get("advertised").asBoolean()).isTrue();
    assertThat(json.get("leftOut").get(0).get("outcome").asText()).isEqualTo("skipped");
    assertThat(json.get("leftOut").get(0).get("meaning").asText()).contains("taken only by name");
    assertThat(
            CommandRun.of("--host", "sim:x86-6.12", "--json", "probe")
                .json()
                .get("groups")
                .get(0)
                .has("leftOut"))
        .isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"list", "probe"})
  void tellsWhyNoDeviceHasAGroup(String command) {
    try (var simulated = SimulatedHosts.open("arm64-6.12")) {
      var host = VfioHost.of("local", withoutGroups(simulated.kernel()));
      var run =
          CommandRun.on(new OpenHost(host, LinuxKernel.instance(), List::of, () -> {}), command);
      assertThat(run.status()).isEqualTo(command.equals("list") ? 0 : 1);
      assertThat(oneLine(run.out()))
          .contains("there is an IOMMU (smmu3.0x0000000009050000)")
          .contains("a group appears when a driver binds the device")
          .contains("echo vfio-pci > /sys/bus/pci/devices/ADDRESS/driver_override")
          .doesNotContain("no IOMMU, or it is off");
    }
  }

  /** As on a machine where groups are made when a driver binds, before one has. */
  private static Kernel withoutGroups(Kernel kernel) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (_, method, arguments) -> {
              if (method.getName().equals("list")
                  && arguments[0].equals("/sys/kernel/iommu_groups")) {
                return List.of();
              }
              if (method.getName().equals("readLink")
                  && arguments[0] instanceof String link
                  && (link.endsWith("/iommu_group") || link.endsWith("/driver"))) {
                throw new ErrnoException("readLink(" + link + ")", Errno.ENOENT);
              }
              try {
                return method.invoke(kernel, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  @Test
  void namesTheProcessThatHoldsAGroup() {
    var group =
        CommandRun.of("--host", "sim:x86-6.12", "--json", "probe")
            .json()
            .get("groups")
            .get(0)
            .get("id")
            .asInt();
    var options = HostOptions.defaults().withGroupHeldBy(group, 815, "qemu-system-x86");
    var run = CommandRun.with(options, "--host", "sim:x86-6.12", "probe", Integer.toString(group));
    assertThat(run.status()).isEqualTo(1);
    assertThat(oneLine(run.out())).contains("EBUSY", "815 (qemu-system-x86)", "only one process");
  }

  @Test
  void tellsTheShortfallOfLockedMemoryInBytes() {
    var options = HostOptions.unprivileged().withGroupAccess();
    var run = CommandRun.with(options, "--host", "sim:pseries-5.10", "--json", "probe");
    assertThat(run.status()).isEqualTo(1);
    var attempt = attempt(run, "spapr-tce");
    assertThat(attempt.get("errno").asText()).isEqualTo("ENOMEM");
    assertThat(attempt.get("call").asText()).isEqualTo("VFIO_IOMMU_ENABLE");
    assertThat(attempt.get("meaning").asText())
        .contains(
            "1,073,741,824 bytes are needed",
            "65,536 are in use",
            "1,073,676,288 are missing",
            "prlimit");
  }

  private static JsonNode attempt(CommandRun run, String type) {
    return StreamSupport.stream(
            run.json().get("groups").get(0).get("attempts").spliterator(), false)
        .filter(attempt -> attempt.get("type").asText().equals(type))
        .findFirst()
        .orElseThrow();
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\s+", " ");
  }
}
