package io.jvfio.model;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The MSI-X table: address, data and mask of each vector. Source: PCI Local Bus Specification 3.0,
 * section 6.8.2.
 */
final class MsixTable {
  static final int ENTRY_SIZE = 16;

  private static final int VECTOR_CONTROL_OFFSET = 12;
  private static final int MASKED = 1;

  private final int vectors;
  private final ByteBuffer entries;

  MsixTable(int vectors) {
    this.vectors = vectors;
    entries = ByteBuffer.allocate(vectors * ENTRY_SIZE).order(ByteOrder.LITTLE_ENDIAN);
    reset();
  }

  int byteSize() {
    return entries.capacity();
  }

  int read32(int offset) {
    return entries.getInt(offset);
  }

  void write32(int offset, int value) {
    boolean isControl = offset % ENTRY_SIZE == VECTOR_CONTROL_OFFSET;
    entries.putInt(offset, isControl ? value & MASKED : value);
  }

  /** All vectors masked, no addresses. */
  void reset() {
    for (int vector = 0; vector < vectors; vector++) {
      int entry = vector * ENTRY_SIZE;
      entries.putLong(entry, 0).putInt(entry + 8, 0);
      entries.putInt(entry + VECTOR_CONTROL_OFFSET, MASKED);
    }
  }
}
