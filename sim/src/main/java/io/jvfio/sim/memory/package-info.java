// SPDX-License-Identifier: Apache-2.0
/**
 * The memory of the process on a simulated host: what is mapped, locked and pinned, and what an
 * ioctl copies in and out.
 */
package io.jvfio.sim.memory;
