package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_USER_DEVICE_GET_REGION_IO_FDS}, command and reply: in the reply {@link SubRegion}s
 * follow.
 */
public final class RegionIoFds {
  /** Size of the message without what follows, in bytes. */
  public static final int SIZE = Header.SIZE + 16;

  private static final long ARGSZ_OFFSET = Header.SIZE + 0;
  private static final long FLAGS_OFFSET = Header.SIZE + 4;
  private static final long INDEX_OFFSET = Header.SIZE + 8;
  private static final long COUNT_OFFSET = Header.SIZE + 12;

  private RegionIoFds() {}

  /**
   * The most bytes of payload that the sender takes as a reply; in a reply, those that it takes.
   */
  public static int argsz(MemorySegment message) {
    return message.get(Layouts.U32, ARGSZ_OFFSET);
  }

  /** Writes {@code argsz}. */
  public static void argsz(MemorySegment message, int value) {
    message.set(Layouts.U32, ARGSZ_OFFSET, value);
  }

  /** Zero. */
  public static int flags(MemorySegment message) {
    return message.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment message, int value) {
    message.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** The index of the region. */
  public static int index(MemorySegment message) {
    return message.get(Layouts.U32, INDEX_OFFSET);
  }

  /** Writes {@code index}. */
  public static void index(MemorySegment message, int value) {
    message.set(Layouts.U32, INDEX_OFFSET, value);
  }

  /** How many parts follow. */
  public static int count(MemorySegment message) {
    return message.get(Layouts.U32, COUNT_OFFSET);
  }

  /** Writes {@code count}. */
  public static void count(MemorySegment message, int value) {
    message.set(Layouts.U32, COUNT_OFFSET, value);
  }
}
