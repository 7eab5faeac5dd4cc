// SPDX-License-Identifier: Apache-2.0
/**
 * VFIO for the JVM, one step of the way to a type: host, group, negotiation, DMA space, device.
 *
 * @since 0.1.0
 */
package io.jvfio;
