// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;

/** The IOMMU of a container that has a type: what the kernel calls an IOMMU driver's data. */
interface Iommu extends DmaTranslation {
  /** Takes a group in; a negated errno leaves everything as it was. */
  int attach(IommuGroup group);

  /** Lets a group go. */
  void detach(IommuGroup group);

  /** Whether it has an extension. */
  int checkExtension(long extension);

  /** Answers all other commands of the container. */
  int ioctl(int command, UserArgument argument) throws UserFault;

  /** The last group has left. */
  void release();

  /** Bytes that devices can reach. */
  long mappedBytes();
}
