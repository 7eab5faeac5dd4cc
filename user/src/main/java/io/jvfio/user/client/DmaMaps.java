// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.DmaAccess;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.Header;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory that a server may reach, and its commands to read and write it by messages.
 *
 * <p>A command is carried out under the lock that takes memory away, so none touches what was taken
 * away. Nothing is allocated for a command. The lock is held for the time of a copy and never while
 * waiting for the server.
 */
final class DmaMaps {
  private static final int FIRST_ROOM = 16;

  private final Kernel kernel;

  /** Where memory begins, ascending; the other arrays are parallel to it. All guarded by this. */
  private long[] starts = new long[FIRST_ROOM];

  private @Nullable Entry[] entries = new @Nullable Entry[FIRST_ROOM];
  private int count;

  /**
   * Memory that the server may reach.
   *
   * @param iova where it finds it
   * @param fd the memory file that it is, or -1
   * @param memory as its owner has it, who may end it too early
   * @param raw the same without a lifetime, for memory that only its owner's thread may touch
   */
  record Entry(long iova, int fd, MemorySegment memory, MemorySegment raw, DmaAccess access) {
    long byteSize() {
      return memory.byteSize();
    }

    private boolean permits(boolean isRead) {
      return isRead ? access.isReadable() : access.isWritable();
    }

    /** What to copy from or to; an exception if it is freed. */
    private MemorySegment accessible() {
      if (!memory.scope().isAlive()) {
        throw new IllegalStateException("memory was freed before it was unmapped");
      }
      return memory.isAccessibleBy(Thread.currentThread()) ? memory : raw;
    }
  }

  DmaMaps(Kernel kernel) {
    this.kernel = kernel;
  }

  Entry entry(int fd, MemorySegment memory, long iova, DmaAccess access) {
    return new Entry(
        iova,
        fd,
        memory,
        kernel.memory(memory.address(), memory.byteSize(), Arena.global()),
        access);
  }

  /** Lets the server reach memory; false if it overlaps other memory. */
  synchronized boolean add(Entry entry) {
    int at = firstAfter(entry.iova);
    boolean overlaps =
        (at > 0 && overlaps(requireEntry(at - 1), entry))
            || (at < count && overlaps(entry, requireEntry(at)));
    if (overlaps) {
      return false;
    }
    if (count == starts.length) {
      starts = Arrays.copyOf(starts, 2 * count);
      entries = Arrays.copyOf(entries, 2 * count);
    }
    System.arraycopy(starts, at, starts, at + 1, count - at);
    System.arraycopy(entries, at, entries, at + 1, count - at);
    starts[at] = entry.iova;
    entries[at] = entry;
    count++;
    return true;
  }

  private static boolean overlaps(Entry lower, Entry higher) {
    return Long.compareUnsigned(higher.iova - lower.iova, lower.byteSize()) < 0;
  }

  /** From now on no command reaches this memory; those under way have ended when this returns. */
  synchronized @Nullable Entry remove(long iova) {
    int at = firstAfter(iova) - 1;
    if (at < 0 || starts[at] != iova) {
      return null;
    }
    var entry = entries[at];
    System.arraycopy(starts, at + 1, starts, at, count - at - 1);
    System.arraycopy(entries, at + 1, entries, at, count - at - 1);
    count--;
    entries[count] = null;
    return entry;
  }

  /** All of it, ascending. */
  synchronized List<Entry> all() {
    var all = new ArrayList<Entry>(count);
    for (int i = 0; i < count; i++) {
      all.add(requireEntry(i));
    }
    return all;
  }

  /** The index of the first entry that begins after {@code iova}. */
  private int firstAfter(long iova) {
    int low = 0;
    int high = count;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(starts[middle], iova) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private Entry requireEntry(int at) {
    var entry = entries[at];
    if (entry == null) {
      throw new AssertionError("no entry at " + at);
    }
    return entry;
  }

  /**
   * Carries out a command of the server's and writes the reply.
   *
   * @param size of the command in bytes
   * @param reply where to; with room for as many bytes of data as {@code mostRead}
   * @param mostRead the longest data that the server takes, in bytes
   * @return the size of the reply in bytes
   */
  int answer(MemorySegment command, int size, MemorySegment reply, long mostRead) {
    int number = Header.command(command);
    boolean isRead = number == Command.DMA_READ.number();
    if (!isRead && number != Command.DMA_WRITE.number()) {
      return refuse(command, reply, Errno.EOPNOTSUPP);
    }
    if (size < DmaAccessMessage.BYTES) {
      return refuse(command, reply, Errno.EINVAL);
    }
    long address = DmaAccessMessage.ADDRESS.get(command);
    long byteCount = DmaAccessMessage.COUNT.get(command);
    int data = size - DmaAccessMessage.BYTES;
    boolean fits = isRead ? data == 0 && byteCount <= mostRead : data == byteCount;
    if (!fits || byteCount <= 0) {
      return refuse(command, reply, Errno.EINVAL);
    }
    var errno = access(address, byteCount, isRead, isRead ? reply : command);
    if (errno != null) {
      return refuse(command, reply, errno);
    }
    long replySize = DmaAccessMessage.BYTES + (isRead ? byteCount : 0);
    Header.writeReply(reply, Header.id(command), number, replySize);
    DmaAccessMessage.ADDRESS.set(reply, address);
    DmaAccessMessage.COUNT.set(reply, byteCount);
    return (int) replySize;
  }

  private static int refuse(MemorySegment command, MemorySegment reply, Errno errno) {
    Header.writeError(reply, Header.id(command), Header.command(command), errno.number());
    return Header.SIZE;
  }

  /**
   * Copies between memory and a message.
   *
   * @return null, or why nothing was copied
   */
  private synchronized @Nullable Errno access(
      long address, long byteCount, boolean isRead, MemorySegment message) {
    int first = firstAfter(address) - 1;
    var refusal = refusal(first, address, byteCount, isRead);
    if (refusal != null) {
      return refusal;
    }
    try {
      long done = 0;
      for (int i = first; done < byteCount; i++) {
        var entry = requireEntry(i);
        long offset = address + done - entry.iova;
        long part = Math.min(entry.byteSize() - offset, byteCount - done);
        long at = DmaAccessMessage.BYTES + done;
        if (isRead) {
          MemorySegment.copy(entry.accessible(), offset, message, at, part);
        } else {
          MemorySegment.copy(message, at, entry.accessible(), offset, part);
        }
        done += part;
      }
      return null;
    } catch (IllegalStateException | UnsupportedOperationException | InternalError e) {
      // Freed or read-only memory of the user's, or the end of a file that was cut short.
      return Errno.EFAULT;
    }
  }

  /** Why a range cannot be accessed; null if it can. It may lie in several maps. */
  private @Nullable Errno refusal(int first, long address, long byteCount, boolean isRead) {
    if (first < 0 || Long.compareUnsigned(address + byteCount - 1, address) < 0) {
      return Errno.EFAULT;
    }
    long done = 0;
    for (int i = first; done < byteCount; i++) {
      if (i == count) {
        return Errno.EFAULT;
      }
      var entry = requireEntry(i);
      long offset = address + done - entry.iova;
      if (Long.compareUnsigned(offset, entry.byteSize()) >= 0) {
        return Errno.EFAULT;
      }
      if (!entry.permits(isRead)) {
        return Errno.EACCES;
      }
      done += Math.min(entry.byteSize() - offset, byteCount - done);
    }
    return null;
  }
}
