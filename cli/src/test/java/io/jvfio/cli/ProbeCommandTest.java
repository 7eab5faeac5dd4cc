package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.jvfio.sim.HostOptions;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
    assertThat(run.status()).isEqualTo(1);
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
