// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.FileStatus;
import io.jvfio.linux.GuardedMemory;
import io.jvfio.linux.Kernel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaLease;
import io.jvfio.model.DmaPort;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The memory that a client has told its server of, as the device reaches it: mapped where a
 * descriptor came, by messages where none did.
 *
 * <p>The client keeps its descriptors and may make a file shorter at any time. What is then missing
 * is a fault of the one access that wanted it ({@link GuardedMemory}).
 *
 * <p>Maps are changed by one thread, while nobody reads, writes or begins a lease: a server
 * quiesces its device for that. Otherwise accesses may come from several threads, as far as {@link
 * DmaMessages} can take them. A lease may end at any time, on any thread. Nothing is allocated for
 * an access that succeeds, nor for a lease.
 */
final class ClientMemory implements DmaPort, AutoCloseable {
  /** What every address, size and file offset is a multiple of, as the protocol has it. */
  static final long PAGE_SIZE = 4096;

  /**
   * How many mappings all clients of this process have. The kernel counts a process's mappings, and
   * a JVM that gets no more ends; so clients together get half of them.
   */
  private static final AtomicInteger MAPPINGS = new AtomicInteger();

  private static final int INITIAL_CAPACITY = 16;
  private static final Range NOWHERE = new Range(0, 0, false, false, null);

  private final Kernel kernel;
  private final int mostMappings;
  private final BooleanSupplier isBusMaster;
  private final DmaMessages messages;
  private final int maxMaps;
  private final DirtyLog log = new DirtyLog();

  /**
   * First addresses in ascending order; addresses are unsigned, so their highest bit is inverted.
   */
  private long[] keys = new long[INITIAL_CAPACITY];

  private Range[] ranges = new Range[INITIAL_CAPACITY];
  private int count;

  /** Where an access was found last. Any thread may write it, since what it says is always true. */
  private Range recent = NOWHERE;

  /** How memory is reached of which the client shares no file. */
  interface DmaMessages {
    /**
     * Reads what is at {@code iova} into a part of {@code target}: 0, or a negated errno.
     *
     * @param byteSize at least 1, and as long as the device likes
     */
    int read(long iova, MemorySegment target, long offset, long byteSize);

    /** Writes a part of {@code source} to {@code iova}: 0, or a negated errno. */
    int write(long iova, MemorySegment source, long offset, long byteSize);
  }

  /** One map of the client's. */
  private record Range(
      long start, long byteSize, boolean readable, boolean writable, @Nullable Mapping mapping) {
    Range with(Mapping file) {
      return new Range(start, byteSize, readable, writable, file);
    }

    boolean holds(long iova) {
      return Long.compareUnsigned(iova - start, byteSize) < 0;
    }
  }

  /**
   * A file in this process's memory, and all leases of it at once.
   *
   * <p>The addresses are given back when both the client's map and the last lease have ended. If
   * the map ends first, nobody can reach the client's memory by them from then on, but nobody else
   * gets them either: a system call that still has one answers EFAULT, and cannot write into what
   * has come to be there instead.
   */
  private static final class Mapping implements DmaLease {
    private static final System.Logger LOG = System.getLogger("io.jvfio");

    /** What the client's map covers of it. */
    final MemorySegment memory;

    private final Kernel kernel;
    private final long iova;
    private final DirtyLog log;
    private final Arena lifetime = Arena.ofShared();

    /** Of all that is mapped, which may be more. */
    private final long address;

    private final long byteSize;

    /** How many leases there are, and one for the client's map. */
    private final AtomicInteger users = new AtomicInteger(1);

    /**
     * What is mapped at {@code address}.
     *
     * @param delta where in it the client's map begins
     */
    Mapping(Kernel kernel, Range range, long address, long byteSize, long delta, DirtyLog log) {
      this.kernel = kernel;
      this.iova = range.start();
      this.address = address;
      this.byteSize = byteSize;
      this.log = log;
      memory = kernel.memory(address + delta, range.byteSize(), lifetime);
    }

    /** One lease more; while the client's map is there. */
    void begin() {
      users.incrementAndGet();
    }

    boolean isLeased() {
      return users.get() > 1;
    }

    @Override
    public long address(long at) {
      return memory.address() + (at - iova);
    }

    @Override
    public void end(long at, long length, boolean wasWritten) {
      // Marked afterwards: a page that is told of in between is told of again.
      if (wasWritten && log.isRunning()) {
        log.wrote(at, length);
      }
      leave();
    }

    /** The client's map has ended. */
    void close() {
      // Whoever is still at it gets an exception from here on, instead of ending the JVM.
      lifetime.close();
      if (isLeased()) {
        long result = kernel.remapInaccessible(address, byteSize);
        if (result < 0) {
          LOG.log(
              Level.WARNING,
              "{0} bytes of a client''s memory stay within reach until a transfer has ended: {1}",
              byteSize,
              Errno.ofResult(result));
        }
      }
      leave();
    }

    private void leave() {
      if (users.decrementAndGet() == 0) {
        kernel.munmap(address, byteSize);
        MAPPINGS.decrementAndGet();
      }
    }
  }

  /**
   * Memory of a client that has told of none yet.
   *
   * @param kernel makes the system calls
   * @param isBusMaster whether the device may reach memory at all
   * @param messages for what comes without a descriptor
   * @param maxMaps how many maps there may be at once
   */
  ClientMemory(Kernel kernel, BooleanSupplier isBusMaster, DmaMessages messages, int maxMaps) {
    this.kernel = kernel;
    mostMappings = mostMappings();
    this.isBusMaster = isBusMaster;
    this.messages = messages;
    this.maxMaps = maxMaps;
  }

  private int mostMappings() {
    try {
      return Integer.parseInt(kernel.readText("/proc/sys/vm/max_map_count")) / 2;
    } catch (ErrnoException | NumberFormatException e) {
      return 65_530 / 2; // what Linux has by default
    }
  }

  /** Which pages the device has written, as long as somebody wants to know. */
  DirtyLog log() {
    return log;
  }

  /** How many maps there are. */
  int count() {
    return count;
  }

  /**
   * Adds a map.
   *
   * @param fd the file, which this call takes over whatever comes of it; -1 if none came
   * @param fileOffset where in the file the memory begins
   * @return 0, or a negated errno: EEXIST where a part of it is mapped, ENOSPC if there are too
   *     many maps, EINVAL for what cannot be meant, or what the kernel says of the file
   */
  int map(int fd, long fileOffset, long iova, long byteSize, boolean readable, boolean writable) {
    try {
      int refused = refuse(fileOffset, iova, byteSize);
      if (refused < 0) {
        return refused;
      }
      if (fd < 0) {
        insert(new Range(iova, byteSize, readable, writable, null));
        return 0;
      }
      return mapFile(fd, fileOffset, iova, byteSize, readable, writable);
    } finally {
      if (fd >= 0) {
        kernel.close(fd);
      }
    }
  }

  private int refuse(long fileOffset, long iova, long byteSize) {
    boolean aligned = ((fileOffset | iova | byteSize) & (PAGE_SIZE - 1)) == 0;
    boolean wraps = Long.compareUnsigned(iova + byteSize - 1, iova) < 0;
    if (!aligned || byteSize <= 0 || wraps || fileOffset < 0) {
      return Errno.EINVAL.result();
    }
    int index = firstBehind(iova);
    boolean overlaps =
        (index > 0 && ranges[index - 1].holds(iova))
            || (index < count && Long.compareUnsigned(ranges[index].start() - iova, byteSize) < 0);
    if (overlaps) {
      return Errno.EEXIST.result();
    }
    return count == maxMaps ? Errno.ENOSPC.result() : 0;
  }

  private int mapFile(
      int fd, long fileOffset, long iova, long byteSize, boolean readable, boolean writable) {
    FileStatus status;
    try {
      status = kernel.status(fd);
    } catch (ErrnoException e) {
      return e.errno().result();
    }
    if (status.regular() && fileOffset > status.byteSize() - byteSize) {
      return Errno.EINVAL.result(); // memory that is not there before the client has done anything
    }
    // Huge pages are mapped whole, from a multiple of their size: more than the client told of.
    long unit = Math.max(kernel.pageSize(), Long.highestOneBit(status.blockSize()));
    long mappedOffset = fileOffset & -unit;
    long delta = fileOffset - mappedOffset;
    long mappedSize = (delta + byteSize + unit - 1) & -unit;
    if (mappedSize <= 0) {
      return Errno.EINVAL.result();
    }
    if (MAPPINGS.incrementAndGet() > mostMappings) {
      MAPPINGS.decrementAndGet();
      return Errno.ENOSPC.result();
    }
    int protection = Kernel.PROT_READ | (writable ? Kernel.PROT_WRITE : 0);
    long address = kernel.mmap(mappedSize, protection, Kernel.MAP_SHARED, fd, mappedOffset);
    if (address < 0) {
      MAPPINGS.decrementAndGet();
      return (int) address;
    }
    try {
      var range = new Range(iova, byteSize, readable, writable, null);
      insert(range.with(new Mapping(kernel, range, address, mappedSize, delta, log)));
      return 0;
    } catch (RuntimeException | Error e) {
      kernel.munmap(address, mappedSize); // there is no map that would
      MAPPINGS.decrementAndGet();
      throw e;
    }
  }

  private static long key(long iova) {
    return iova ^ Long.MIN_VALUE;
  }

  /** Where the first map is that begins behind {@code iova}. */
  private int firstBehind(long iova) {
    int index = Arrays.binarySearch(keys, 0, count, key(iova));
    return index < 0 ? -index - 1 : index + 1;
  }

  private void insert(Range range) {
    if (count == keys.length) {
      // All or nothing, should there be no memory.
      long[] moreKeys = Arrays.copyOf(keys, count * 2);
      ranges = Arrays.copyOf(ranges, count * 2);
      keys = moreKeys;
    }
    int index = firstBehind(range.start());
    System.arraycopy(keys, index, keys, index + 1, count - index);
    System.arraycopy(ranges, index, ranges, index + 1, count - index);
    keys[index] = key(range.start());
    ranges[index] = range;
    count++;
  }

  /**
   * Removes every map of a range, as Type1 does: QEMU behind a guest's IOMMU gives back a range of
   * addresses when the guest changes its tables, whatever is mapped there.
   *
   * @return 0, or a negated errno: ENOENT if nothing is mapped there, or a map only in part;
   *     nothing is removed then
   */
  int unmap(long iova, long byteSize) {
    if (!canUnmap(iova, byteSize)) {
      return Errno.ENOENT.result();
    }
    int from = firstOf(iova);
    int end = firstBehind(iova + byteSize - 1);
    var removed = Arrays.copyOfRange(ranges, from, end);
    System.arraycopy(keys, end, keys, from, count - end);
    System.arraycopy(ranges, end, ranges, from, count - end);
    Arrays.fill(ranges, count - removed.length, count, NOWHERE); // so that nothing is kept by them
    count -= removed.length;
    for (var range : removed) {
      release(range);
    }
    return 0;
  }

  /** Whether there are maps in a range, and none of them only in part. */
  boolean canUnmap(long iova, long byteSize) {
    long last = iova + byteSize - 1;
    if (byteSize == 0 || Long.compareUnsigned(last, iova) < 0) {
      return false;
    }
    int from = firstOf(iova);
    int end = firstBehind(last);
    return from < end
        && isWithin(ranges[from], iova, last)
        && isWithin(ranges[end - 1], iova, last);
  }

  /** The first map that holds this address, or is behind it. */
  private int firstOf(long iova) {
    int behind = firstBehind(iova);
    return behind > 0 && ranges[behind - 1].holds(iova) ? behind - 1 : behind;
  }

  private static boolean isWithin(Range range, long first, long last) {
    return Long.compareUnsigned(range.start(), first) >= 0
        && Long.compareUnsigned(range.start() + range.byteSize() - 1, last) <= 0;
  }

  /** Whether anything is leased of the maps that have a part in a range. */
  boolean isLeased(long iova, long byteSize) {
    int end = firstBehind(iova + byteSize - 1);
    for (int i = firstOf(iova); i < end; i++) {
      var mapping = ranges[i].mapping();
      if (mapping != null && mapping.isLeased()) {
        return true;
      }
    }
    return false;
  }

  /**
   * Has the log count as written what is leased of the maps of a range: what will come of that is
   * not known yet.
   */
  void markLeased(long iova, long byteSize) {
    int end = firstBehind(iova + byteSize - 1);
    for (int i = firstOf(iova); i < end; i++) {
      var range = ranges[i];
      var mapping = range.mapping();
      if (mapping != null && range.writable() && mapping.isLeased()) {
        log.wrote(range.start(), range.byteSize());
      }
    }
  }

  /** Removes all maps. */
  void unmapAll() {
    while (count > 0) {
      count--;
      var removed = ranges[count];
      ranges[count] = NOWHERE;
      release(removed);
    }
  }

  private void release(Range range) {
    recent = NOWHERE;
    var mapping = range.mapping();
    if (mapping != null) {
      mapping.close();
    }
  }

  private Range find(long iova) {
    var range = recent;
    return range.holds(iova) ? range : search(iova);
  }

  private Range search(long iova) {
    int index = firstBehind(iova) - 1;
    if (index >= 0 && ranges[index].holds(iova)) {
      recent = ranges[index];
      return recent;
    }
    return NOWHERE;
  }

  @Override
  public void read(long iova, MemorySegment target) throws DmaFaultException {
    read(iova, target, 0, target.byteSize());
  }

  @Override
  public void write(long iova, MemorySegment source) throws DmaFaultException {
    write(iova, source, 0, source.byteSize());
  }

  @Override
  public void read(long iova, MemorySegment target, long offset, long length)
      throws DmaFaultException {
    Objects.checkFromIndexSize(offset, length, target.byteSize());
    checkBusMaster(iova);
    long done = 0;
    while (done < length) {
      long at = iova + done;
      var range = find(at);
      long size = Math.min(length - done, range.byteSize() - (at - range.start()));
      checkReach(iova, at, range, range.readable());
      var mapping = range.mapping();
      if (mapping == null) {
        checkAnswer(at, messages.read(at, target, offset + done, size));
      } else {
        try {
          GuardedMemory.copy(mapping.memory, at - range.start(), target, offset + done, size);
        } catch (InternalError e) {
          throw missing(at, e);
        }
      }
      done += size;
    }
  }

  @Override
  public void write(long iova, MemorySegment source, long offset, long length)
      throws DmaFaultException {
    Objects.checkFromIndexSize(offset, length, source.byteSize());
    checkBusMaster(iova);
    long done = 0;
    while (done < length) {
      long at = iova + done;
      var range = find(at);
      long size = Math.min(length - done, range.byteSize() - (at - range.start()));
      checkReach(iova, at, range, range.writable());
      var mapping = range.mapping();
      if (mapping == null) {
        checkAnswer(at, messages.write(at, source, offset + done, size));
      } else {
        try {
          GuardedMemory.copy(source, offset + done, mapping.memory, at - range.start(), size);
        } catch (InternalError e) {
          throw missing(at, e);
        }
      }
      // Marked afterwards: a page that is told of in between is told of again.
      if (log.isRunning()) {
        log.wrote(at, size);
      }
      done += size;
    }
  }

  /**
   * Lends memory that is mapped here as one piece; see {@link DmaPort#lease}.
   *
   * @return null where it comes by messages, or by several maps
   */
  @Override
  public @Nullable DmaLease lease(long iova, long byteSize, boolean isWritten)
      throws DmaFaultException {
    if (byteSize < 1) {
      throw new IllegalArgumentException("memory of %d bytes cannot be lent".formatted(byteSize));
    }
    checkBusMaster(iova);
    var range = find(iova);
    checkReach(iova, iova, range, isWritten ? range.writable() : range.readable());
    var mapping = range.mapping();
    if (mapping == null || byteSize > range.byteSize() - (iova - range.start())) {
      return null;
    }
    mapping.begin();
    return mapping;
  }

  private void checkBusMaster(long iova) throws DmaFaultException {
    if (!isBusMaster.getAsBoolean()) {
      throw new DmaFaultException(iova, "bus mastering is off");
    }
  }

  /** Refuses what is not mapped, not mapped so, or goes on at address 0 after the last one. */
  private static void checkReach(long iova, long at, Range range, boolean permitted)
      throws DmaFaultException {
    if (range.byteSize() == 0 || Long.compareUnsigned(at, iova) < 0) {
      throw new DmaFaultException(at, "the client has mapped nothing there");
    }
    if (!permitted) {
      throw new DmaFaultException(at, "the client has not mapped it for this direction");
    }
  }

  private static void checkAnswer(long iova, int result) throws DmaFaultException {
    if (result < 0) {
      throw new DmaFaultException(iova, "the client answers " + Errno.ofResult(result).symbol());
    }
  }

  private static DmaFaultException missing(long iova, InternalError cause) {
    var fault =
        new DmaFaultException(iova, "the client has made the file shorter that it had mapped");
    fault.initCause(cause);
    return fault;
  }

  /** Removes all maps. */
  @Override
  public void close() {
    unmapAll();
  }
}
