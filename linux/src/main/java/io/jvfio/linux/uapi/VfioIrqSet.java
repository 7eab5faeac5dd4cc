package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_irq_set}: head of SET_IRQS: what to do with interrupts of one index. The data
 * follows: a byte (BOOL) or a descriptor (EVENTFD) for each interrupt.
 */
public final class VfioIrqSet {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("index"),
              Layouts.U32.withName("start"),
              Layouts.U32.withName("count"))
          .withName("vfio_irq_set");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long INDEX_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("index"));
  private static final long START_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("start"));
  private static final long COUNT_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("count"));

  private VfioIrqSet() {}

  /** Reads {@code argsz}. */
  public static int argsz(MemorySegment struct) {
    return struct.get(Layouts.U32, ARGSZ_OFFSET);
  }

  /** Writes {@code argsz}. */
  public static void argsz(MemorySegment struct, int value) {
    struct.set(Layouts.U32, ARGSZ_OFFSET, value);
  }

  /** A zeroed struct with {@code argsz} set to its size. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    var struct = allocator.allocate(LAYOUT);
    argsz(struct, (int) SIZE);
    return struct;
  }

  /** Reads {@code flags}: one VFIO_IRQ_SET_DATA_ bit and one VFIO_IRQ_SET_ACTION_ bit. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code index}: the interrupt index. */
  public static int index(MemorySegment struct) {
    return struct.get(Layouts.U32, INDEX_OFFSET);
  }

  /** Writes {@code index}. */
  public static void index(MemorySegment struct, int value) {
    struct.set(Layouts.U32, INDEX_OFFSET, value);
  }

  /** Reads {@code start}: the first interrupt. */
  public static int start(MemorySegment struct) {
    return struct.get(Layouts.U32, START_OFFSET);
  }

  /** Writes {@code start}. */
  public static void start(MemorySegment struct, int value) {
    struct.set(Layouts.U32, START_OFFSET, value);
  }

  /** Reads {@code count}: number of interrupts. */
  public static int count(MemorySegment struct) {
    return struct.get(Layouts.U32, COUNT_OFFSET);
  }

  /** Writes {@code count}. */
  public static void count(MemorySegment struct, int value) {
    struct.set(Layouts.U32, COUNT_OFFSET, value);
  }
}
