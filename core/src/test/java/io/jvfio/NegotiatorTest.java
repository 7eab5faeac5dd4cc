// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.kernel.HostFacts;
import io.jvfio.linux.LinuxKernel;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class NegotiatorTest {
  /** A type that has no extension number is not taken for iommufd. */
  @Test
  void refusesToNegotiateTheTypeThatNoGroupHas() {
    var facts = new HostFacts(LinuxKernel.instance(), Map.of());
    var group = new IommuGroup(7, false, List.of());
    try (var negotiator =
        new Negotiator(facts, group, IommuPolicy.automatic(), Optional.of(IommuType.VFIO_USER))) {
      assertThatThrownBy(negotiator::negotiate)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("no group has IOMMU type vfio-user");
    }
  }
}
