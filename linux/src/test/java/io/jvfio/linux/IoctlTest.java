// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The request numbers, pinned: they are the kernel's ABI and can never change. */
class IoctlTest {
  private static final Map<String, Long> GENERIC =
      Map.ofEntries(
          Map.entry("VFIO_GET_API_VERSION", 0x3b64L),
          Map.entry("VFIO_CHECK_EXTENSION", 0x3b65L),
          Map.entry("VFIO_SET_IOMMU", 0x3b66L),
          Map.entry("VFIO_GROUP_GET_STATUS", 0x3b67L),
          Map.entry("VFIO_GROUP_SET_CONTAINER", 0x3b68L),
          Map.entry("VFIO_GROUP_UNSET_CONTAINER", 0x3b69L),
          Map.entry("VFIO_GROUP_GET_DEVICE_FD", 0x3b6aL),
          Map.entry("VFIO_DEVICE_GET_INFO", 0x3b6bL),
          Map.entry("VFIO_DEVICE_GET_REGION_INFO", 0x3b6cL),
          Map.entry("VFIO_DEVICE_GET_IRQ_INFO", 0x3b6dL),
          Map.entry("VFIO_DEVICE_RESET", 0x3b6fL),
          Map.entry("VFIO_IOMMU_GET_INFO", 0x3b70L),
          Map.entry("VFIO_IOMMU_SPAPR_TCE_GET_INFO", 0x3b70L),
          Map.entry("VFIO_IOMMU_MAP_DMA", 0x3b71L),
          Map.entry("VFIO_IOMMU_UNMAP_DMA", 0x3b72L),
          Map.entry("VFIO_IOMMU_ENABLE", 0x3b73L),
          Map.entry("VFIO_IOMMU_DISABLE", 0x3b74L),
          Map.entry("VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 0x3b75L),
          Map.entry("VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY", 0x3b76L),
          Map.entry("VFIO_IOMMU_SPAPR_TCE_CREATE", 0x3b77L),
          Map.entry("VFIO_IOMMU_SPAPR_TCE_REMOVE", 0x3b78L),
          Map.entry("VFIO_IOMMU_DIRTY_PAGES", 0x3b75L),
          Map.entry("VFIO_EEH_PE_OP", 0x3b79L),
          Map.entry("VFIO_DEVICE_BIND_IOMMUFD", 0x3b76L),
          Map.entry("VFIO_DEVICE_ATTACH_IOMMUFD_PT", 0x3b77L),
          Map.entry("VFIO_DEVICE_DETACH_IOMMUFD_PT", 0x3b78L),
          Map.entry("VFIO_DEVICE_SET_IRQS", 0x3b6eL),
          Map.entry("VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", 0x3b70L),
          Map.entry("VFIO_DEVICE_PCI_HOT_RESET", 0x3b71L),
          Map.entry("VFIO_DEVICE_IOEVENTFD", 0x3b74L),
          Map.entry("VFIO_DEVICE_FEATURE", 0x3b75L),
          Map.entry("VFIO_MIG_GET_PRECOPY_INFO", 0x3b79L),
          Map.entry("IOMMU_DESTROY", 0x3b80L),
          Map.entry("IOMMU_IOAS_ALLOC", 0x3b81L),
          Map.entry("IOMMU_IOAS_ALLOW_IOVAS", 0x3b82L),
          Map.entry("IOMMU_IOAS_COPY", 0x3b83L),
          Map.entry("IOMMU_IOAS_IOVA_RANGES", 0x3b84L),
          Map.entry("IOMMU_IOAS_MAP", 0x3b85L),
          Map.entry("IOMMU_IOAS_UNMAP", 0x3b86L),
          Map.entry("IOMMU_OPTION", 0x3b87L),
          Map.entry("IOMMU_VFIO_IOAS", 0x3b88L),
          Map.entry("IOMMU_HWPT_ALLOC", 0x3b89L),
          Map.entry("IOMMU_GET_HW_INFO", 0x3b8aL),
          Map.entry("IOMMU_HWPT_SET_DIRTY_TRACKING", 0x3b8bL),
          Map.entry("IOMMU_HWPT_GET_DIRTY_BITMAP", 0x3b8cL),
          Map.entry("IOMMU_IOAS_MAP_FILE", 0x3b8fL));

  private static final List<Ioctl> COMMANDS =
      Stream.of(Vfio.COMMANDS, Iommufd.COMMANDS).flatMap(List::stream).toList();

  @Test
  void mostArchitecturesShareTheirNumbers() {
    for (var architecture :
        new Architecture[] {Architecture.X86_64, Architecture.AARCH64, Architecture.RISCV64}) {
      var numbers = new TreeMap<String, Long>();
      COMMANDS.forEach(command -> numbers.put(command.name(), command.requestNumber(architecture)));

      assertThat(numbers).as("%s", architecture).containsExactlyInAnyOrderEntriesOf(GENERIC);
    }
  }

  @Test
  void powerHasADirectionBitForNoData() {
    assertThat(Vfio.VFIO_DEVICE_GET_REGION_INFO.requestNumber(Architecture.PPC64LE))
        .isEqualTo(0x20003b6cL);
    GENERIC.forEach(
        (name, number) ->
            assertThat(COMMANDS)
                .filteredOn(command -> command.name().equals(name))
                .extracting(command -> command.requestNumber(Architecture.PPC64LE))
                .containsExactly(0x2000_0000L + number));
  }

  @Test
  void aCommandReadsAsItsName() {
    assertThat(Vfio.VFIO_SET_IOMMU).hasToString("VFIO_SET_IOMMU");
  }
}
