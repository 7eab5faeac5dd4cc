// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.IommuGroup;
import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.kernel.OpenFile;
import java.util.Optional;

/**
 * The files that are open for one or several groups: a container and group nodes, or an iommufd and
 * the nodes of devices. The one place where the two ways differ for those who open devices.
 */
public sealed interface GroupAccess extends AutoCloseable permits OpenContainer, OpenIommufd {
  /**
   * Opens a device of these groups, ready for DMA.
   *
   * @throws VfioException if it is none of theirs, or the kernel refuses
   */
  OpenFile openDevice(PciAddress address);

  /**
   * Takes a further group in, to share the domain.
   *
   * @return whether the kernel lets it; otherwise nothing has changed
   * @throws VfioException if the group could not be opened on its own either
   */
  boolean join(IommuGroup group);

  /** The file of a group, where groups have any: what proves to a hot reset that it is ours. */
  Optional<OpenFile> groupFile(int group);

  /** The file for operations on the endpoint of the group, where the kernel has such. */
  Optional<OpenFile> eeh();

  /** Closes everything. Devices and mappings are gone by then. */
  @Override
  void close();
}
