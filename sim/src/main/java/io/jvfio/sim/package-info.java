// SPDX-License-Identifier: Apache-2.0
/**
 * Simulated hosts, each answering as one real kernel on one kind of machine does.
 *
 * @since 0.1.0
 */
package io.jvfio.sim;
