// SPDX-License-Identifier: Apache-2.0
/** The PCI devices of a simulated host and their groups, closed and open. */
package io.jvfio.sim.device;
