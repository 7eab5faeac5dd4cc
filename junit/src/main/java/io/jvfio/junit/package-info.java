// SPDX-License-Identifier: Apache-2.0
/**
 * {@link io.jvfio.junit.SimulatedHostTest}: a test runs on simulated hosts, once on each.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
package io.jvfio.junit;
