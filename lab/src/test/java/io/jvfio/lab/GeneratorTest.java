// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.uapi.Vfio;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.Resources;
import io.jvfio.sim.SimulatedHosts;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Generated sequences on simulated hosts, which are all there is without a real kernel. */
class GeneratorTest {
  /** All hosts whose devices are in groups of an IOMMU. */
  static final List<String> HOSTS =
      SimulatedHosts.names().stream().filter(name -> !name.equals("x86-noiommu")).toList();

  private static final int CALLS = 4000;

  @ParameterizedTest
  @FieldSource("HOSTS")
  void aSeedIsOneSequence(String host) {
    var one = new Generator(Ground.of(host));
    var other = new Generator(Ground.of(host));

    for (long seed = 1; seed <= 1000; seed++) {
      assertThat(one.sequenceOf(seed)).isEqualTo(other.sequenceOf(seed));
      assertThat(one.sequenceOf(seed).steps()).hasSizeBetween(12, 50);
    }
    assertThat(one.sequenceOf(1).steps()).isNotEqualTo(one.sequenceOf(2).steps());
  }

  @ParameterizedTest
  @FieldSource("HOSTS")
  void twoHostsOfANameNeverDiffer(String name) throws Exception {
    for (long seed : new long[] {1, Generator.SPOILING_SEEDS}) {
      try (var one = SimulatedHosts.open(name);
          var other = SimulatedHosts.open(name)) {
        var out = new ByteArrayOutputStream();
        var campaign =
            new Campaign(
                new Runner(one.kernel(), Machine.discover(one.kernel())),
                new Runner(other.kernel(), Machine.discover(other.kernel())),
                Campaign.Alarms.NONE,
                Transcript.Progress.NONE,
                new PrintStream(out, true, StandardCharsets.UTF_8));
        var tally =
            campaign.run(
                new Campaign.Extent(seed, CALLS, Duration.ofMinutes(1)),
                new Generator(Ground.of(name))::sequenceOf);

        assertThat(out.toString(StandardCharsets.UTF_8)).isEmpty();
        assertThat(tally.calls()).isGreaterThanOrEqualTo(CALLS);
        assertThat(tally.differences()).isZero();
      }
    }
  }

  @ParameterizedTest
  @FieldSource("HOSTS")
  void nothingIsLeftBehind(String name) throws Exception {
    for (var options :
        List.of(HostOptions.defaults(), HostOptions.unprivileged().withGroupAccess())) {
      try (var host = SimulatedHosts.open(name, options)) {
        var runner = new Runner(host.kernel(), Machine.discover(host.kernel()));
        var generator = new Generator(Ground.of(name));
        var before = host.resources();
        for (long seed = 1; seed <= 150; seed++) {
          var answers = runner.run(generator.sequenceOf(seed), _ -> {});

          assertThat(answers)
              .as("seed %d", seed)
              .noneMatch(answer -> answer.result().equals("threw"));
          assertThat(settled(host.resources())).as("seed %d", seed).isEqualTo(settled(before));
        }
      }
    }
  }

  /** Windows that cannot be made keep their charge, and with it memory stays mapped. */
  private static Resources settled(Resources resources) {
    return new Resources(
        resources.openFiles(),
        0,
        resources.deviceMappings(),
        resources.dmaMappedBytes(),
        0,
        resources.hugePageBytes(),
        resources.openDevices(),
        resources.interrupts(),
        resources.attachedGroups(),
        resources.drivers());
  }

  @ParameterizedTest
  @FieldSource("HOSTS")
  void mostCallsSucceedAndNoneIsNeverMade(String name) throws Exception {
    try (var host = SimulatedHosts.open(name)) {
      var runner = new Runner(host.kernel(), Machine.discover(host.kernel()));
      var generator = new Generator(Ground.of(name));
      var succeeded = new HashSet<String>();
      int calls = 0;
      int successes = 0;
      for (long seed = 1; seed <= 200; seed++) {
        var sequence = generator.sequenceOf(seed);
        var answers = runner.run(sequence, _ -> {});
        for (int i = 0; i < answers.size(); i++) {
          calls++;
          if (!answers.get(i).result().startsWith("E")) {
            successes++;
            succeeded.add(kind(sequence.steps().get(i)));
          }
        }
      }

      assertThat(100 * successes / calls).isBetween(50, 80);
      assertThat(succeeded)
          .contains(
              "Open",
              "Close",
              "VFIO_CHECK_EXTENSION",
              "VFIO_SET_IOMMU",
              "VFIO_GROUP_SET_CONTAINER",
              "VFIO_GROUP_UNSET_CONTAINER",
              "VFIO_GROUP_GET_DEVICE_FD",
              "VFIO_DEVICE_GET_INFO",
              "VFIO_DEVICE_GET_REGION_INFO",
              "VFIO_DEVICE_GET_IRQ_INFO",
              "VFIO_DEVICE_RESET",
              "Read",
              "Write",
              "MapDevice");
      if (Ground.of(name).types().contains(Vfio.VFIO_TYPE1v2_IOMMU)) {
        assertThat(succeeded)
            .contains("VFIO_IOMMU_MAP_DMA", "VFIO_IOMMU_UNMAP_DMA", "VFIO_IOMMU_DIRTY_PAGES");
      }
      if (Ground.of(name).types().contains(Vfio.VFIO_SPAPR_TCE_v2_IOMMU)) {
        assertThat(succeeded)
            .contains(
                "VFIO_IOMMU_SPAPR_REGISTER_MEMORY",
                "VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY",
                "VFIO_IOMMU_SPAPR_TCE_REMOVE");
      }
      if (!name.endsWith("5.10")) {
        assertThat(succeeded).contains("VFIO_DEVICE_FEATURE");
      }
      if (name.startsWith("powernv")) {
        assertThat(succeeded)
            .contains("VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", "VFIO_DEVICE_PCI_HOT_RESET");
      }
      if (Ground.of(name).hasIommufd()) {
        assertThat(succeeded)
            .contains(
                "IOMMU_DESTROY",
                "IOMMU_IOAS_ALLOC",
                "IOMMU_IOAS_ALLOW_IOVAS",
                "IOMMU_IOAS_COPY",
                "IOMMU_IOAS_IOVA_RANGES",
                "IOMMU_IOAS_MAP",
                "IOMMU_IOAS_UNMAP",
                "IOMMU_OPTION",
                "IOMMU_VFIO_IOAS",
                "IOMMU_HWPT_ALLOC",
                "IOMMU_GET_HW_INFO",
                "VFIO_DEVICE_BIND_IOMMUFD",
                "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
                "VFIO_DEVICE_DETACH_IOMMUFD_PT");
      }
      if (name.equals("pseries-6.12")) {
        assertThat(succeeded)
            .contains("VFIO_IOMMU_MAP_DMA", "VFIO_IOMMU_UNMAP_DMA", "VFIO_IOMMU_SPAPR_TCE_CREATE");
      }
    }
  }

  private static String kind(Step step) {
    return switch (step) {
      case Step.Command command -> command.command().toString();
      case Step.Structured structured -> structured.command().toString();
      case Step.Named named -> named.command().toString();
      default -> step.getClass().getSimpleName();
    };
  }
}
