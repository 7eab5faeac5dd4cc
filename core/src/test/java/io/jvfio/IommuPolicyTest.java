// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class IommuPolicyTest {

  @Test
  void triesEverySafeTypeByDefault() {
    assertThat(IommuPolicy.automatic().candidates())
        .containsExactly(
            IommuType.IOMMUFD,
            IommuType.TYPE1V2,
            IommuType.TYPE1,
            IommuType.SPAPR_TCE_V2,
            IommuType.SPAPR_TCE);
  }

  @Test
  void takesOnlyARequiredType() {
    assertThat(IommuPolicy.require(IommuType.NOIOMMU).candidates())
        .containsExactly(IommuType.NOIOMMU);
  }

  @Test
  void putsPreferredTypesFirstAndKeepsTheOthers() {
    assertThat(IommuPolicy.prefer(List.of(IommuType.TYPE1_NESTING, IommuType.TYPE1)).candidates())
        .containsExactly(
            IommuType.TYPE1_NESTING,
            IommuType.TYPE1,
            IommuType.IOMMUFD,
            IommuType.TYPE1V2,
            IommuType.SPAPR_TCE_V2,
            IommuType.SPAPR_TCE);
  }

  @Test
  void neverTriesForbiddenTypesEvenIfPreferred() {
    var policy =
        new IommuPolicy(
            Optional.empty(), List.of(IommuType.TYPE1), Set.of(IommuType.TYPE1, IommuType.IOMMUFD));
    assertThat(policy.candidates())
        .containsExactly(IommuType.TYPE1V2, IommuType.SPAPR_TCE_V2, IommuType.SPAPR_TCE);
  }

  @Test
  void knowsThatNoGroupHasTheTypeOfASocket() {
    var socket = IommuType.of("vfio-user");
    for (Runnable naming :
        List.<Runnable>of(
            () -> IommuPolicy.require(socket),
            () -> IommuPolicy.prefer(List.of(socket)),
            () -> IommuPolicy.forbid(Set.of(socket)))) {
      assertThatIllegalArgumentException()
          .isThrownBy(naming::run)
          .withMessageContaining("no IOMMU group has type vfio-user");
    }
  }

  @Test
  void refusesToLeaveNothing() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> IommuPolicy.forbid(Set.copyOf(IommuPolicy.DEFAULT_ORDER)))
        .withMessageContaining("leaves no IOMMU type");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> new IommuPolicy(Optional.of(IommuType.TYPE1), List.of(), Set.of(IommuType.TYPE1)))
        .withMessageContaining("only type1 is allowed");
  }
}
