// SPDX-License-Identifier: Apache-2.0
/**
 * The process on a simulated host and its open files: descriptors, nodes by path, and what can be
 * waited for.
 */
package io.jvfio.sim.files;
