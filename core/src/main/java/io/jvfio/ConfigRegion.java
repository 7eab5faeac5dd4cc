// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.MessageCheck;
import io.jvfio.linux.uapi.LittleEndian;
import io.jvfio.linux.uapi.PciRegs;
import java.lang.foreign.Arena;

/** Configuration space as the region that VFIO makes of it. */
final class ConfigRegion implements PciConfigSpace {
  private final Region region;
  private final MessageCheck messages;

  /**
   * The configuration space of a device.
   *
   * @param messages who is told of what is written to COMMAND
   */
  ConfigRegion(Region region, MessageCheck messages) {
    this.region = region;
    this.messages = messages;
  }

  @Override
  public int byteSize() {
    return (int) region.info().byteSize();
  }

  @Override
  public int read8(int offset) {
    return read(offset, 1);
  }

  @Override
  public int read16(int offset) {
    return read(offset, 2);
  }

  @Override
  public int read32(int offset) {
    return read(offset, 4);
  }

  @Override
  public void write8(int offset, int value) {
    write(offset, 1, value);
  }

  @Override
  public void write16(int offset, int value) {
    write(offset, 2, value);
  }

  @Override
  public void write32(int offset, int value) {
    write(offset, 4, value);
  }

  private int read(int offset, int width) {
    try (var arena = Arena.ofConfined()) {
      var bytes = arena.allocate(width, width);
      region.read(aligned(offset, width), bytes);
      return (int) LittleEndian.load(bytes, 0, width);
    }
  }

  private void write(int offset, int width, int value) {
    try (var arena = Arena.ofConfined()) {
      var bytes = arena.allocate(width, width);
      LittleEndian.store(bytes, 0, width, value);
      region.write(aligned(offset, width), bytes);
    }
    if (offset == PciRegs.PCI_COMMAND) {
      messages.commandWritten(value);
    }
  }

  private static int aligned(int offset, int width) {
    if (offset % width != 0) {
      throw new IllegalArgumentException(
          "offset %d is not a multiple of %d".formatted(offset, width));
    }
    return offset;
  }
}
