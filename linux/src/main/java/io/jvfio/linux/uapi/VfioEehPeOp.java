package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_eeh_pe_op}: an operation of Enhanced Error Handling on the partitionable
 * endpoint of a sPAPR container.
 */
public final class VfioEehPeOp {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("op"),
              MemoryLayout.paddingLayout(4),
              MemoryLayout.structLayout(
                      Layouts.U32.withName("type"),
                      Layouts.U32.withName("func"),
                      Layouts.U64.withName("addr"),
                      Layouts.U64.withName("mask"))
                  .withName("err"))
          .withName("vfio_eeh_pe_op");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long OP_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("op"));
  private static final long ERR_TYPE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("err"), PathElement.groupElement("type"));
  private static final long ERR_FUNC_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("err"), PathElement.groupElement("func"));
  private static final long ERR_ADDR_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("err"), PathElement.groupElement("addr"));
  private static final long ERR_MASK_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("err"), PathElement.groupElement("mask"));

  private VfioEehPeOp() {}

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

  /** Reads {@code flags}: must be 0. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code op}: VFIO_EEH_PE_ operation. */
  public static int op(MemorySegment struct) {
    return struct.get(Layouts.U32, OP_OFFSET);
  }

  /** Writes {@code op}. */
  public static void op(MemorySegment struct, int value) {
    struct.set(Layouts.U32, OP_OFFSET, value);
  }

  /** Reads {@code err.type}: VFIO_EEH error type: 0 is 32-bit, 1 is 64-bit. */
  public static int errType(MemorySegment struct) {
    return struct.get(Layouts.U32, ERR_TYPE_OFFSET);
  }

  /** Writes {@code err.type}. */
  public static void errType(MemorySegment struct, int value) {
    struct.set(Layouts.U32, ERR_TYPE_OFFSET, value);
  }

  /** Reads {@code err.func}: error function. */
  public static int errFunc(MemorySegment struct) {
    return struct.get(Layouts.U32, ERR_FUNC_OFFSET);
  }

  /** Writes {@code err.func}. */
  public static void errFunc(MemorySegment struct, int value) {
    struct.set(Layouts.U32, ERR_FUNC_OFFSET, value);
  }

  /** Reads {@code err.addr}: address of the error. */
  public static long errAddr(MemorySegment struct) {
    return struct.get(Layouts.U64, ERR_ADDR_OFFSET);
  }

  /** Writes {@code err.addr}. */
  public static void errAddr(MemorySegment struct, long value) {
    struct.set(Layouts.U64, ERR_ADDR_OFFSET, value);
  }

  /** Reads {@code err.mask}: mask of the address. */
  public static long errMask(MemorySegment struct) {
    return struct.get(Layouts.U64, ERR_MASK_OFFSET);
  }

  /** Writes {@code err.mask}. */
  public static void errMask(MemorySegment struct, long value) {
    struct.set(Layouts.U64, ERR_MASK_OFFSET, value);
  }
}
