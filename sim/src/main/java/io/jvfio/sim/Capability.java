// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import io.jvfio.sim.setup.HostSettings;

/** The process capabilities that VFIO asks for. Source: {@code include/uapi/linux/capability.h}. */
public enum Capability {
  /** {@code CAP_IPC_LOCK}: locked memory is counted, but not limited. */
  IPC_LOCK(HostSettings.CAP_IPC_LOCK),
  /** {@code CAP_SYS_RAWIO}: may open devices that no IOMMU protects the host from. */
  SYS_RAWIO(HostSettings.CAP_SYS_RAWIO),
  /** {@code CAP_SYS_ADMIN}: sees physical addresses, and all of a device's configuration space. */
  SYS_ADMIN(HostSettings.CAP_SYS_ADMIN),
  /** {@code CAP_SYS_RESOURCE}: chooses where iommufd counts locked memory. */
  SYS_RESOURCE(HostSettings.CAP_SYS_RESOURCE);

  private final int number;

  Capability(int number) {
    this.number = number;
  }

  long bit() {
    return 1L << number;
  }
}
