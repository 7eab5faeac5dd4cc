// SPDX-License-Identifier: Apache-2.0
/**
 * Findings on a host: what keeps its devices from being used, and what mends it.
 *
 * @since 0.1.0
 */
package io.jvfio.ops;
