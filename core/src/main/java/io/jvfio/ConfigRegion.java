package io.jvfio;

import io.jvfio.kernel.MessageCheck;
import io.jvfio.linux.uapi.PciRegs;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Configuration space as the region that VFIO makes of it. */
final class ConfigRegion implements PciConfigSpace {
  private static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

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
    try (var arena = Arena.ofConfined()) {
      return Byte.toUnsignedInt(read(arena, offset, 1).get(ValueLayout.JAVA_BYTE, 0));
    }
  }

  @Override
  public int read16(int offset) {
    try (var arena = Arena.ofConfined()) {
      return Short.toUnsignedInt(read(arena, offset, 2).get(LE16, 0));
    }
  }

  @Override
  public int read32(int offset) {
    try (var arena = Arena.ofConfined()) {
      return read(arena, offset, 4).get(LE32, 0);
    }
  }

  @Override
  public void write8(int offset, int value) {
    try (var arena = Arena.ofConfined()) {
      region.write(aligned(offset, 1), arena.allocateFrom(ValueLayout.JAVA_BYTE, (byte) value));
    }
    written(offset, value);
  }

  @Override
  public void write16(int offset, int value) {
    try (var arena = Arena.ofConfined()) {
      region.write(aligned(offset, 2), arena.allocateFrom(LE16, (short) value));
    }
    written(offset, value);
  }

  @Override
  public void write32(int offset, int value) {
    try (var arena = Arena.ofConfined()) {
      region.write(aligned(offset, 4), arena.allocateFrom(LE32, value));
    }
    written(offset, value);
  }

  private void written(int offset, int value) {
    if (offset == PciRegs.PCI_COMMAND) {
      messages.commandWritten(value);
    }
  }

  private MemorySegment read(Arena arena, int offset, int width) {
    var value = arena.allocate(width, width);
    region.read(aligned(offset, width), value);
    return value;
  }

  private static int aligned(int offset, int width) {
    if (offset % width != 0) {
      throw new IllegalArgumentException(
          "offset %d is not a multiple of %d".formatted(offset, width));
    }
    return offset;
  }
}
