// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.IommuType;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.MemorySegment;

/** sPAPR TCE version 1: one window, charged whole at ENABLE, memory pinned by each MAP. */
public final class SpaprV1Domain extends SpaprDomain {

  public SpaprV1Domain(OpenContainer container) {
    super(IommuType.SPAPR_TCE, Locking.WHOLE_WINDOW, container);
  }

  @Override
  void accept(MemorySegment info) {
    // version 1 has nothing but the default window
  }

  @Override
  public void enable() throws Refusal {
    int result = file().ioctl(Vfio.VFIO_IOMMU_ENABLE, 0);
    if (result != 0) {
      var window = defaultWindow();
      throw refusal(
          Vfio.VFIO_IOMMU_ENABLE,
          result,
          errno ->
              explanations()
                  .memory(
                      errno,
                      window.last() - window.start() + 1,
                      "sPAPR version 1, which charges its whole window at once"));
    }
  }
}
