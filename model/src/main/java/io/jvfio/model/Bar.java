package io.jvfio.model;

/**
 * A base address register of a device.
 *
 * @param index 0 to 5; a 64-bit BAR takes the next index too
 * @param byteSize a power of two, at least 16
 * @param is64Bit whether it takes two registers
 * @param prefetchable whether reads have no side effects
 */
public record Bar(int index, long byteSize, boolean is64Bit, boolean prefetchable) {}
