// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.EehEndpoint;
import io.jvfio.HostDevice;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.PciAddress;
import io.jvfio.Sharing;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.proof.Flight;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import jdk.jfr.consumer.RecordedEvent;
import org.junit.jupiter.api.Test;

/** What a recording says of negotiations, mappings, interrupts and resets. */
class EventsTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  private final Flight flight = Flight.bySettings("1 ms");

  private static PciAddress first(VfioHost host) {
    return host.devices().stream()
        .filter(HostDevice::isBoundToVfio)
        .findFirst()
        .orElseThrow()
        .address();
  }

  private List<RecordedEvent> end() {
    try (flight) {
      return flight.end();
    }
  }

  private static RecordedEvent only(List<RecordedEvent> events, String name) {
    var found = Flight.of(events, name);
    assertThat(found).as(name).hasSize(1);
    return found.getFirst();
  }

  @Test
  void anOpenedGroupTellsItsAttemptsAndTheirMeaning() {
    try (var simulated = SimulatedHosts.open("pseries-5.10")) {
      var host = VfioHost.of("sim", simulated.kernel());
      host.open(first(host)).close();
    }
    var events = end();

    var negotiation = only(events, "Negotiation");
    assertThat(negotiation.getString("group")).startsWith("group 0 (0000:00:00.0");
    assertThat(negotiation.getString("purpose")).isEqualTo("open");
    assertThat(negotiation.getString("chosen")).isEqualTo("spapr-tce");
    assertThat(negotiation.getString("usable")).isEqualTo("spapr-tce");
    assertThat(negotiation.getInt("attempts")).isEqualTo(5);
    assertThat(negotiation.getString("failure")).isNull();
    assertThat(negotiation.getStackTrace()).isNotNull();

    var attempts = Flight.of(events, "NegotiationAttempt");
    assertThat(attempts)
        .extracting(each -> each.getString("type") + " " + each.getString("outcome"))
        .containsExactly(
            "iommufd refused",
            "type1v2 refused",
            "type1 refused",
            "spapr-tce-v2 refused",
            "spapr-tce usable");
    var second = attempts.get(3);
    assertThat(second.getString("group")).isEqualTo(negotiation.getString("group"));
    assertThat(second.getString("reached")).isEqualTo("accepted");
    assertThat(second.getString("call")).isEqualTo("VFIO_SET_IOMMU");
    assertThat(second.getString("errno")).isEqualTo("EPERM");
    assertThat(second.getString("meaning")).contains("Version 1 is the one to use here");
    var negotiated = Duration.ZERO;
    for (var attempt : attempts) {
      negotiated = negotiated.plus(attempt.getDuration());
    }
    assertThat(negotiation.getDuration()).isGreaterThanOrEqualTo(negotiated);
  }

  @Test
  void aGroupThatCannotBeOpenedTellsWhy() {
    try (var simulated = SimulatedHosts.open("x86-6.12")) {
      var host =
          VfioHost.of(
              "sim",
              new FaultInjector(simulated.kernel())
                  .failEvery("VFIO_GROUP_SET_CONTAINER", Errno.EBUSY));
      var group = host.device(first(host)).group().orElseThrow();
      host.probe(List.of(group), IommuPolicy.automatic());
      assertThatExceptionOfType(VfioException.class).isThrownBy(() -> host.open(first(host)));
    }
    var told = Flight.of(end(), "Negotiation");
    assertThat(told).extracting(each -> each.getString("purpose")).contains("probe", "open");
    assertThat(told)
        .allSatisfy(
            each -> {
              assertThat(each.getString("chosen")).isNull();
              assertThat(each.getString("failure")).contains("EBUSY");
            });
  }

  @Test
  void aMappingTellsItsAddressSizeAndMaker() {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      var buffer = open.space.allocate(8192);
      long iova = buffer.iova();
      buffer.close();
      open.injector.failEvery("VFIO_IOMMU_MAP_DMA", Errno.ENOMEM);
      assertThatExceptionOfType(VfioException.class).isThrownBy(() -> open.space.allocate(4096));
      open.injector.failNone();
      var events = end();

      var maps = Flight.of(events, "DmaMap");
      var map = maps.get(maps.size() - 2); // the first is the trial of the negotiation
      assertThat(map.getString("space")).contains("IOMMU type type1v2");
      assertThat(map.getLong("iova")).isEqualTo(iova);
      assertThat(map.getLong("size")).isEqualTo(8192);
      assertThat(map.getString("access")).isEqualTo("read-write");
      assertThat(map.getString("place")).contains("EventsTest.java:");
      assertThat(map.getString("failure")).isNull();
      assertThat(maps.getLast().getString("failure")).isEqualTo("VFIO_IOMMU_MAP_DMA: ENOMEM");

      var unmaps = Flight.of(events, "DmaUnmap");
      var unmap = unmaps.getLast();
      assertThat(unmap.getLong("iova")).isEqualTo(iova);
      assertThat(unmap.getLong("size")).isEqualTo(8192);
      assertThat(unmap.getInt("mappings")).isEqualTo(1);
      assertThat(unmap.getString("failure")).isNull();
    }
  }

  @Test
  void aSpaceThatIsClosedUnmapsAllByOneCall() {
    try (var open = OpenSpace.open("x86-6.12 type1v2")) {
      for (int i = 0; i < 3; i++) {
        var _ = open.space.allocate(4096);
      }
      open.space.close();
    }
    var unmap = Flight.of(end(), "DmaUnmap").getLast();
    assertThat(unmap.getInt("mappings")).isEqualTo(3);
    assertThat(unmap.getLong("size")).isEqualTo(3 * 4096);
    assertThat(unmap.getLong("iova")).isZero();
  }

  private static VfioDevice open(SimulatedHost simulated) {
    var host = VfioHost.of("sim", simulated.kernel());
    var device = host.open(first(host));
    device.enableBusMaster();
    return device;
  }

  @Test
  void anInterruptTellsHowLongItWasWaitedForAndHowLongItsHandlerRan() throws Exception {
    var options = HostOptions.defaults().withModels(_ -> new Bell(2));
    try (var simulated = SimulatedHosts.open("x86-6.12", options);
        var device = open(simulated);
        var vectors = device.interrupts().enableMsix(2);
        var registers = device.region(0).registers()) {
      registers.write32(Bell.MESSAGE, 1);
      assertThat(vectors.vector(1).await(LONG)).isEqualTo(1);
      assertThat(vectors.vector(1).await(Duration.ofMillis(20))).isZero();
      registers.write32(Bell.MESSAGE, 1);
      assertThat(vectors.vector(1).poll()).isEqualTo(1);
      assertThat(vectors.vector(1).await(Duration.ZERO)).isZero();

      var handled = new CountDownLatch(1);
      vectors.vector(0).handle(_ -> handled.countDown());
      registers.write32(Bell.MESSAGE, 0);
      assertThat(handled.await(1, TimeUnit.MINUTES)).isTrue();
      vectors.vector(0).unhandle();
    }
    var events = end();

    var waits = Flight.of(events, "InterruptWait");
    assertThat(waits).extracting(each -> each.getLong("signals")).containsExactly(1L, 0L);
    assertThat(waits)
        .extracting(each -> each.getString("interrupt"))
        .allMatch(name -> name.endsWith("MSI-X interrupt 1"));
    assertThat(waits.getLast().getDuration()).isGreaterThanOrEqualTo(Duration.ofMillis(20));
    var run = only(events, "InterruptHandler");
    assertThat(run.getString("interrupt")).endsWith("MSI-X interrupt 0");
    assertThat(run.getLong("signals")).isEqualTo(1);
  }

  @Test
  void aResetTellsItsKind() {
    String name;
    try (var simulated = SimulatedHosts.open("powernv-6.12");
        var device = open(simulated)) {
      name = device.name();
      if (device.canReset()) {
        device.reset();
      }
      device.eeh().orElseThrow().assertReset(EehEndpoint.Reset.HOT);
      device.eeh().orElseThrow().deassertReset();
    }
    var resets = Flight.of(end(), "DeviceReset");
    assertThat(resets).extracting(each -> each.getString("device")).containsOnly(name);
    assertThat(resets)
        .extracting(each -> each.getString("kind"))
        .containsExactly("function", "eeh-hot", "close");
    assertThat(resets).extracting(each -> each.getString("failure")).containsOnlyNulls();
  }

  @Test
  void aResetThatFailsTellsItsErrno() {
    try (var simulated = SimulatedHosts.open("x86-6.12")) {
      var injector = new FaultInjector(simulated.kernel());
      var host = VfioHost.of("sim", injector);
      try (var groups =
          host.openGroups(
              List.of(host.device(first(host)).group().orElseThrow()),
              IommuPolicy.require(IommuType.TYPE1V2),
              Sharing.WHERE_POSSIBLE)) {
        var device = groups.device(first(host));
        injector.failEvery("VFIO_DEVICE_RESET", Errno.EAGAIN);
        assertThatExceptionOfType(VfioException.class).isThrownBy(device::reset);
        injector.failNone();
      }
    }
    var reset = Flight.of(end(), "DeviceReset").getFirst();
    assertThat(reset.getString("kind")).isEqualTo("function");
    assertThat(reset.getString("failure")).isEqualTo("EAGAIN");
  }

  @Test
  void nothingIsToldThatIsTurnedOff() {
    flight.close();
    try (var nothing = Flight.ofNothing();
        var simulated = SimulatedHosts.open("x86-6.12")) {
      var device = open(simulated);
      device.dmaSpace().allocate(4096).close();
      device.close();
      assertThat(nothing.end()).isEmpty();
    }
  }
}
