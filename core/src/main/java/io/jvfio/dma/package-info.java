// SPDX-License-Identifier: Apache-2.0
/** DMA spaces over domains: addresses, mappings, and the locked memory that they cost. */
package io.jvfio.dma;
