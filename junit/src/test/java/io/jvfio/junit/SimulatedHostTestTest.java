// SPDX-License-Identifier: Apache-2.0
package io.jvfio.junit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.testkit.engine.EventConditions.displayName;
import static org.junit.platform.testkit.engine.EventConditions.event;
import static org.junit.platform.testkit.engine.EventConditions.finishedSuccessfully;
import static org.junit.platform.testkit.engine.EventConditions.finishedWithFailure;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.message;

import io.jvfio.HostDevice;
import io.jvfio.IommuType;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Events;

class SimulatedHostTestTest {
  private static Events run(Class<?> test) {
    return EngineTestKit.engine("junit-jupiter")
        .selectors(selectClass(test))
        .execute()
        .testEvents();
  }

  static class OnTwo {
    static final List<String> SEEN = new ArrayList<>();
    VfioHost before;

    @BeforeEach
    void remember(VfioHost host) {
      before = host;
    }

    @SimulatedHostTest({"x86-6.12", "pseries-5.10"})
    void getsWhatItAsksFor(
        SimulatedHost simulated, VfioHost host, VfioDevice device, FaultInjector kernel) {
      assertThat(host).isSameAs(before);
      assertThat(kernel.calls()).isNotEmpty();
      assertThat(simulated.resources().openDevices()).isEqualTo(1);
      SEEN.add(simulated.name() + " " + device.dmaSpace().type());
    }

    @AfterEach
    void isStillOpen(VfioDevice device) {
      assertThat(device.dmaSpace().allocate(4096).isMapped()).isTrue();
    }
  }

  @Test
  void runsOnEachHostThatIsNamedAndClosesTheDevice() {
    var events = run(OnTwo.class);

    events.assertStatistics(of -> of.succeeded(2).failed(0).aborted(0));
    events
        .assertThatEvents()
        .haveExactly(1, event(displayName("sim:x86-6.12"), finishedSuccessfully()));
    assertThat(OnTwo.SEEN).containsExactly("x86-6.12 type1v2", "pseries-5.10 spapr-tce");
  }

  static class OnARecording {
    @SimulatedHostTest("file:src/test/resources/recorded-host.json")
    void opensOnTheMachineOfTheReport(VfioDevice device) {
      assertThat(device.dmaSpace().type()).isEqualTo(IommuType.SPAPR_TCE);
    }
  }

  @Test
  void runsOnARecordedHost() {
    var events = run(OnARecording.class);

    events.assertStatistics(of -> of.succeeded(1).failed(0).aborted(0));
    events
        .assertThatEvents()
        .haveExactly(
            1,
            event(
                displayName("file:src/test/resources/recorded-host.json"), finishedSuccessfully()));
  }

  static class OnAll {
    @SimulatedHostTest
    void wantsAHost(VfioHost host) {
      assertThat(host.devices()).isNotEmpty();
    }

    @SimulatedHostTest
    void wantsADevice(VfioDevice device) {
      assertThat(device.name()).isNotBlank();
    }
  }

  @Test
  void runsOnAllHostsAndIsAbortedWhereNoIommuWorks() {
    int hosts = SimulatedHosts.names().size();
    var events = run(OnAll.class);

    assertThat(events.failed().list()).isEmpty();
    events.assertStatistics(of -> of.started(2L * hosts));
    assertThat(events.aborted().count()).isBetween(1L, hosts / 2L);
    assertThat(events.succeeded().count()).isEqualTo(2L * hosts - events.aborted().count());
  }

  static class Leaks {
    @SimulatedHostTest("x86-6.12")
    void leavesAGroupOpen(VfioHost host) {
      var first = host.devices().stream().filter(HostDevice::isBoundToVfio).findFirst();
      assertThat(host.open(first.orElseThrow().address())).isNotNull();
    }

    @SimulatedHostTest("x86-6.12")
    void fails(VfioHost host) {
      leavesAGroupOpen(host);
      throw new AssertionError("of its own");
    }
  }

  @Test
  void failsATestThatLeavesSomethingAndKeepsAFailureOfItsOwn() {
    var events = run(Leaks.class);

    events.assertStatistics(of -> of.failed(2));
    events
        .assertThatEvents()
        .haveExactly(
            1,
            event(finishedWithFailure(message(m -> m.contains("left something of sim:x86-6.12")))))
        .haveExactly(1, event(finishedWithFailure(message("of its own"))));
  }

  static class Faults {
    @SimulatedHostTest(value = "x86-6.12", failing = "VFIO_SET_IOMMU EPERM")
    void failsFromTheStart(VfioHost host) {
      var first = host.devices().stream().filter(HostDevice::isBoundToVfio).findFirst();
      assertThat(catchThrowable(() -> host.open(first.orElseThrow().address())))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("EPERM");
    }

    @SimulatedHostTest("x86-6.12")
    void failsWhenItIsTold(VfioDevice device, FaultInjector kernel) {
      kernel.failEvery("VFIO_IOMMU_MAP_DMA", Errno.ENOMEM);
      assertThat(catchThrowable(() -> device.dmaSpace().allocate(4096)))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("ENOMEM");
    }

    @SimulatedHostTest(value = "x86-6.12", failing = "VFIO_SET_IOMMU EOOPS")
    void isWrong(VfioHost host) {
      assertThat(host).isNull();
    }
  }

  @Test
  void hasCallsFail() {
    var events = run(Faults.class);

    events.assertStatistics(of -> of.succeeded(2).failed(1));
    events
        .assertThatEvents()
        .haveExactly(
            1, event(finishedWithFailure(message(m -> m.contains("is no operation and errno")))));
  }
}
