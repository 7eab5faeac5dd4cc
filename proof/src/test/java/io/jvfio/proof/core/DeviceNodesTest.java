// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.Attempt;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.sim.SimulatedHosts;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a negotiation says of iommufd, by whether the kernel gives devices nodes of their own. */
class DeviceNodesTest {

  @Test
  void areMissingOnThisHost() {
    try (var simulated = SimulatedHosts.open("x86-6.12")) {
      var attempt = iommufd(simulated.kernel());
      assertThat(attempt.advertised()).isFalse();
      assertThat(attempt.outcome()).isEqualTo(Attempt.Outcome.REFUSED);
      assertThat(attempt.meaning()).contains("no /dev/vfio/devices node");
    }
  }

  @Test
  void areOfNoUseWithoutIommufdAndTheContainerTakesTheirPlace() {
    try (var simulated = SimulatedHosts.open("x86-6.12")) {
      var attempt = iommufd(withDeviceNodes(simulated.kernel()));
      assertThat(attempt.advertised()).isTrue();
      assertThat(attempt.outcome()).isEqualTo(Attempt.Outcome.REFUSED);
      assertThat(attempt.call()).contains("open(/dev/iommu)");
      assertThat(attempt.errno()).contains(Errno.ENOENT);
      assertThat(attempt.meaning()).contains("modprobe iommufd");
    }
  }

  private static Attempt iommufd(Kernel kernel) {
    var probe = VfioHost.of("sim:x86-6.12", kernel).probe(List.of(), IommuPolicy.automatic());
    var negotiation = probe.groups().getFirst().negotiation();
    assertThat(negotiation.chosen()).contains(IommuType.TYPE1V2);
    return negotiation.attempts().getFirst();
  }

  private static Kernel withDeviceNodes(Kernel kernel) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (_, method, arguments) -> {
              if (method.getName().equals("list")
                  && arguments[0] instanceof String directory
                  && (directory.equals("/dev/vfio/devices") || directory.endsWith("/vfio-dev"))) {
                return List.of("vfio0");
              }
              try {
                return method.invoke(kernel, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
