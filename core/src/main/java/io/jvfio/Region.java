package io.jvfio;

import io.jvfio.linux.Registers;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** One region of a device: a BAR, the expansion ROM, or configuration space. */
public interface Region {
  /** What the kernel says of the region. */
  RegionInfo info();

  /**
   * Reads bytes through the kernel, in device (little-endian) order.
   *
   * @throws VfioException if the region is not readable, or its decoding is off
   * @throws IndexOutOfBoundsException outside of the region
   */
  void read(long offset, MemorySegment target);

  /**
   * Writes bytes through the kernel, in device (little-endian) order.
   *
   * @throws VfioException if the region is not writable, or its decoding is off
   * @throws IndexOutOfBoundsException outside of the region
   */
  void write(long offset, MemorySegment source);

  /** The parts that can be mapped: the whole region, some of it, or none. */
  List<MappableArea> mappableAreas();

  /**
   * Maps one mappable area. Offsets in the result count from the start of the area. The mapping
   * ends with the device at the latest.
   *
   * @throws VfioException if the kernel refuses
   * @throws IllegalArgumentException if {@code area} is not one of {@link #mappableAreas()}
   */
  Registers map(MappableArea area);

  /**
   * The whole region as registers: mapped where all of it can be, through the kernel otherwise. To
   * be closed by the caller, and closed with the device at the latest.
   */
  Registers registers();
}
