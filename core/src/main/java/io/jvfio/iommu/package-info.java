// SPDX-License-Identifier: Apache-2.0
/** Containers and iommufds, and the DMA domains in them: a class for each IOMMU type. */
package io.jvfio.iommu;
