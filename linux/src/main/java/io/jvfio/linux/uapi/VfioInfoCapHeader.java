package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_info_cap_header}: the head of each entry of a capability chain. */
public final class VfioInfoCapHeader {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U16.withName("id"),
              Layouts.U16.withName("version"),
              Layouts.U32.withName("next"))
          .withName("vfio_info_cap_header");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("id"));
  private static final long VERSION_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("version"));
  private static final long NEXT_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("next"));

  private VfioInfoCapHeader() {}

  /** Reads {@code id}: which capability. */
  public static short id(MemorySegment struct) {
    return struct.get(Layouts.U16, ID_OFFSET);
  }

  /** Writes {@code id}. */
  public static void id(MemorySegment struct, short value) {
    struct.set(Layouts.U16, ID_OFFSET, value);
  }

  /** Reads {@code version}: its version. */
  public static short version(MemorySegment struct) {
    return struct.get(Layouts.U16, VERSION_OFFSET);
  }

  /** Writes {@code version}. */
  public static void version(MemorySegment struct, short value) {
    struct.set(Layouts.U16, VERSION_OFFSET, value);
  }

  /** Reads {@code next}: the next entry, from the start of the info struct; 0 ends the chain. */
  public static int next(MemorySegment struct) {
    return struct.get(Layouts.U32, NEXT_OFFSET);
  }

  /** Writes {@code next}. */
  public static void next(MemorySegment struct, int value) {
    struct.set(Layouts.U32, NEXT_OFFSET, value);
  }
}
