// SPDX-License-Identifier: Apache-2.0
/**
 * What maps memory for devices on a simulated host: containers, iommufds, and the IOMMUs and page
 * tables behind them.
 */
package io.jvfio.sim.iommu;
