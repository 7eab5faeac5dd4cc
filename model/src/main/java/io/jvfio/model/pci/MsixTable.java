// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.pci;

import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_ENTRY_CTRL_MASKBIT;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_ENTRY_DATA;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_ENTRY_SIZE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_ENTRY_VECTOR_CTRL;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The MSI-X table: address, data and mask of each vector. Source: PCI Local Bus Specification 3.0,
 * section 6.8.2.
 */
public final class MsixTable {
  private final int vectors;
  private final ByteBuffer entries;

  /**
   * A table with all vectors masked.
   *
   * @param vectors how many: 1 to 2048
   */
  public MsixTable(int vectors) {
    this.vectors = vectors;
    entries = ByteBuffer.allocate(vectors * PCI_MSIX_ENTRY_SIZE).order(ByteOrder.LITTLE_ENDIAN);
    reset();
  }

  /** Its size in bytes: 16 a vector. */
  public int byteSize() {
    return entries.capacity();
  }

  /** Reads the dword at {@code offset}, a multiple of 4 inside of the table. */
  public int read32(int offset) {
    return entries.getInt(offset);
  }

  /** Writes the dword at {@code offset}; of Vector Control only the mask bit. */
  public void write32(int offset, int value) {
    boolean isControl = offset % PCI_MSIX_ENTRY_SIZE == PCI_MSIX_ENTRY_VECTOR_CTRL;
    entries.putInt(offset, isControl ? value & PCI_MSIX_ENTRY_CTRL_MASKBIT : value);
  }

  /** Masks all vectors, and clears their addresses. */
  public void reset() {
    for (int vector = 0; vector < vectors; vector++) {
      int entry = vector * PCI_MSIX_ENTRY_SIZE;
      entries.putLong(entry, 0).putInt(entry + PCI_MSIX_ENTRY_DATA, 0);
      entries.putInt(entry + PCI_MSIX_ENTRY_VECTOR_CTRL, PCI_MSIX_ENTRY_CTRL_MASKBIT);
    }
  }
}
