// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** One region of a device: a BAR, the expansion ROM, or configuration space. */
public interface Region {
  /** The kernel's description of the region. */
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
   * Whether what is mapped of it is memory, which another process looks at, as on the way to a
   * vfio-user server: an access takes no longer than one of memory, and neither a bus nor a
   * hypervisor sees it.
   */
  default boolean isMemory() {
    return false;
  }

  /** Maps an area with opaque accesses, as {@link #map(MappableArea, RegisterOrder)} does. */
  default Registers map(MappableArea area) {
    return map(area, RegisterOrder.OPAQUE);
  }

  /**
   * Maps one mappable area. Offsets in the result count from the start of the area. The mapping
   * ends with the device at the latest.
   *
   * <p>An access that the device does not answer with an error on the bus throws {@link
   * VfioException}: its memory decoding is off, it is asleep, or on some machines it is gone. On
   * others a device that is gone reads as all ones, as one does that EEH has stopped: a register of
   * 32 or 64 bits with this value has the device asked whether it works, and the access throws if
   * not. Narrower registers and bulk copies do not ask; {@link PciDevice#isPresent()} does.
   *
   * @param order of the accesses
   * @throws VfioException if the kernel refuses
   * @throws IllegalArgumentException if {@code area} is not one of {@link #mappableAreas()}
   */
  Registers map(MappableArea area, RegisterOrder order);

  /**
   * Gives access to the registers with opaque accesses, as {@link #registers(RegisterOrder)} does.
   */
  default Registers registers() {
    return registers(RegisterOrder.OPAQUE);
  }

  /**
   * The whole region as registers: mapped where all of it can be, through the kernel otherwise. To
   * be closed by the caller, and closed with the device at the latest.
   *
   * @param order of the accesses; those through the kernel are always ordered
   */
  Registers registers(RegisterOrder order);

  /**
   * Has the kernel write a register whenever an eventfd is signalled: a doorbell for who has only a
   * descriptor, such as a virtual machine monitor. It ends with the device at the latest.
   *
   * @param offset from the start of the region, which is a BAR
   * @param width 1, 2 or 4 bytes, or 8 where the kernel can
   * @param value what to write, little-endian; the upper bytes that do not fit are ignored
   * @throws VfioException if the kernel refuses: there is one like it, or the region is no BAR
   * @throws UnsupportedOperationException on a way to the device that has no such thing
   */
  default IoEventFd ioEventFd(long offset, int width, long value) {
    throw new UnsupportedOperationException("eventfds that write registers");
  }
}
