// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * A base address register of an open device.
 *
 * @param index 0 to 5; one of 64 bits takes the next index too
 * @param io whether it is of I/O ports, and not of memory
 * @param wide whether it has 64 bits
 * @param prefetchable whether reads have no side effects
 * @param byteSize length of what is behind it, in bytes
 */
public record PciBar(int index, boolean io, boolean wide, boolean prefetchable, long byteSize) {}
