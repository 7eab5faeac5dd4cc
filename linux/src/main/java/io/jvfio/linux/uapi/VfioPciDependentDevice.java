package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_pci_dependent_device}: a device that a hot reset would hit. */
public final class VfioPciDependentDevice {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("group_id"),
              Layouts.U16.withName("segment"),
              Layouts.U8.withName("bus"),
              Layouts.U8.withName("devfn"))
          .withName("vfio_pci_dependent_device");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long GROUP_ID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("group_id"));
  private static final long SEGMENT_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("segment"));
  private static final long BUS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("bus"));
  private static final long DEVFN_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("devfn"));

  private VfioPciDependentDevice() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /**
   * Reads {@code group_id}: its group; with VFIO_PCI_HOT_RESET_FLAG_DEV_ID its number in the
   * iommufd.
   */
  public static int groupId(MemorySegment struct) {
    return struct.get(Layouts.U32, GROUP_ID_OFFSET);
  }

  /** Writes {@code group_id}. */
  public static void groupId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, GROUP_ID_OFFSET, value);
  }

  /** Reads {@code segment}: PCI domain. */
  public static short segment(MemorySegment struct) {
    return struct.get(Layouts.U16, SEGMENT_OFFSET);
  }

  /** Writes {@code segment}. */
  public static void segment(MemorySegment struct, short value) {
    struct.set(Layouts.U16, SEGMENT_OFFSET, value);
  }

  /** Reads {@code bus}: PCI bus. */
  public static byte bus(MemorySegment struct) {
    return struct.get(Layouts.U8, BUS_OFFSET);
  }

  /** Writes {@code bus}. */
  public static void bus(MemorySegment struct, byte value) {
    struct.set(Layouts.U8, BUS_OFFSET, value);
  }

  /** Reads {@code devfn}: PCI device and function. */
  public static byte devfn(MemorySegment struct) {
    return struct.get(Layouts.U8, DEVFN_OFFSET);
  }

  /** Writes {@code devfn}. */
  public static void devfn(MemorySegment struct, byte value) {
    struct.set(Layouts.U8, DEVFN_OFFSET, value);
  }
}
