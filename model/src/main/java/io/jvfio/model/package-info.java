// SPDX-License-Identifier: Apache-2.0
/** PCI device models and what they are made of: configuration space, BARs, a DMA port. */
package io.jvfio.model;
