// SPDX-License-Identifier: Apache-2.0
/**
 * What a simulated host is told to be: its machine, its kernel, and the rights of the process on
 * it.
 */
package io.jvfio.sim.setup;
