// SPDX-License-Identifier: Apache-2.0
/** The files that describe a simulated host, as sysfs, procfs and devtmpfs show them. */
package io.jvfio.sim.tree;
