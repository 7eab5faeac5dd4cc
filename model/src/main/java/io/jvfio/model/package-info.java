// SPDX-License-Identifier: Apache-2.0
/**
 * PCI device models and what they are made of: configuration space, BARs, a DMA port.
 *
 * @since 0.1.0
 */
package io.jvfio.model;
