// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.user.client.DmaMaps.Entry;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.FeatureMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MigrationData;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.SetIrqsMessage;
import io.jvfio.user.wire.WriteMulti;
import java.lang.foreign.MemorySegment;

/**
 * The commands of a client, one method each, on one link: the command is written, sent, and its
 * reply checked in every respect. A reply that no server may give ends the link.
 *
 * <p>Results are 0 or a count; the negated errno of an error reply; or {@link #LOST} or {@link
 * #LOST_UNSENT}.
 */
public final class Calls {
  /** The link failed; the server may have carried the command out, or not. */
  static final int LOST = Integer.MIN_VALUE;

  /** The link failed before the command was sent as a whole, so nobody has carried it out. */
  static final int LOST_UNSENT = Integer.MIN_VALUE + 1;

  private static final int MOST_ERRNO = 4095;

  private Calls() {}

  /** Whether a result says that the link failed. */
  static boolean isLost(long result) {
    return result == LOST || result == LOST_UNSENT;
  }

  /**
   * Sends a command and takes its reply.
   *
   * @param size of the command in bytes
   * @param fds how many descriptors go with it
   * @param least the size of the shortest reply that is no error, in bytes
   * @param most that of the longest
   */
  public static int call(Link link, Request request, long size, int fds, long least, long most) {
    if (link.exchange(request, size, fds) != 0) {
      return request.wasSent ? LOST : LOST_UNSENT;
    }
    var reply = request.reply();
    if (Header.isError(reply)) {
      int number = Header.error(reply);
      // The number is optional.
      return number > 0 && number <= MOST_ERRNO ? -number : Errno.EIO.result();
    }
    int replySize = request.replySize();
    if (replySize < least || replySize > most) {
      return senseless(
          link, request, "%,d bytes, not %,d to %,d".formatted(replySize, least, most));
    }
    return 0;
  }

  /** Ends the link for what a reply has. */
  public static int senseless(Link link, Request request, String what) {
    link.senseless(
        "its reply to %s has %s".formatted(String.valueOf(Command.of(request.command)), what));
    return LOST;
  }

  /**
   * Reads a part of a region.
   *
   * @param count no more than the peer takes
   * @return how many bytes were read
   */
  static int readRegion(
      Link link, int region, long offset, MemorySegment target, long at, int count) {
    var request = link.begin(Command.REGION_READ);
    try {
      writeAccess(request.message(), region, offset, count);
      int result =
          call(
              link,
              request,
              RegionAccess.BYTES,
              0,
              RegionAccess.BYTES,
              RegionAccess.BYTES + (long) count);
      if (result < 0) {
        return result;
      }
      var reply = request.reply();
      int told = RegionAccess.COUNT.get(reply);
      if (told != request.replySize() - RegionAccess.BYTES) {
        return senseless(link, request, "data of another length than it says");
      }
      if (isOther(reply, region, offset)) {
        return senseless(link, request, "another place than was asked for");
      }
      MemorySegment.copy(reply, RegionAccess.BYTES, target, at, told);
      return told;
    } finally {
      link.end(request);
    }
  }

  private static void writeAccess(MemorySegment message, int region, long offset, int count) {
    RegionAccess.OFFSET.set(message, offset);
    RegionAccess.REGION.set(message, region);
    RegionAccess.COUNT.set(message, count);
  }

  private static boolean isOther(MemorySegment reply, int region, long offset) {
    return RegionAccess.OFFSET.get(reply) != offset || RegionAccess.REGION.get(reply) != region;
  }

  /**
   * Writes a part of a region.
   *
   * @param count no more than the peer takes
   * @param posted whether to wait for no reply
   * @return how many bytes were written, or sent
   */
  static int writeRegion(
      Link link,
      int region,
      long offset,
      MemorySegment source,
      long at,
      int count,
      boolean posted) {
    var request = link.begin(Command.REGION_WRITE);
    try {
      long size = RegionAccess.BYTES + (long) count;
      var message = request.message(size);
      writeAccess(message, region, offset, count);
      MemorySegment.copy(source, at, message, RegionAccess.BYTES, count);
      if (posted) {
        return link.post(request, size) == 0 ? count : LOST_UNSENT;
      }
      int result = call(link, request, size, 0, RegionAccess.BYTES, RegionAccess.BYTES);
      if (result < 0) {
        return result;
      }
      int told = RegionAccess.COUNT.get(request.reply());
      if (Integer.compareUnsigned(told, count) > 0) {
        return senseless(link, request, "more data than were sent");
      }
      if (isOther(request.reply(), region, offset)) {
        return senseless(link, request, "another place than was asked for");
      }
      return told;
    } finally {
      link.end(request);
    }
  }

  /**
   * Writes registers that lie behind each other.
   *
   * @param width of each, in bytes
   * @param count how many, no more than a message has room for
   * @return how many were written, or sent
   */
  static int writeMany(
      Link link,
      int region,
      long offset,
      MemorySegment source,
      long at,
      int width,
      int count,
      boolean posted) {
    var request = link.begin(Command.REGION_WRITE_MULTI);
    try {
      long size = WriteMulti.BYTES + (long) count * WriteMulti.Entry.BYTES;
      var message = request.message(size);
      message.asSlice(0, size).fill((byte) 0); // what is not a register's bytes
      WriteMulti.COUNT.set(message, count);
      for (int i = 0; i < count; i++) {
        long place = (long) i * width;
        WriteMulti.Entry.write(message, i, offset + place, region, width);
        MemorySegment.copy(source, at + place, message, WriteMulti.Entry.data(i), width);
      }
      if (posted) {
        return link.post(request, size) == 0 ? count : LOST_UNSENT;
      }
      int result = call(link, request, size, 0, WriteMulti.BYTES, WriteMulti.BYTES);
      if (result < 0) {
        return result;
      }
      long told = WriteMulti.COUNT.get(request.reply());
      return told < 0 || told > count
          ? senseless(link, request, "more writes than were sent")
          : (int) told;
    } finally {
      link.end(request);
    }
  }

  /** Lets the server reach memory. */
  static int map(Link link, Peer peer, Entry entry) {
    var request = link.begin(Command.DMA_MAP);
    try {
      var message = request.message(DmaMapMessage.STRUCT);
      DmaMapMessage.FLAGS.set(
          message,
          (entry.access().isReadable() ? DmaMapMessage.READABLE : 0)
              | (entry.access().isWritable() ? DmaMapMessage.WRITABLE : 0));
      DmaMapMessage.ADDRESS.set(message, entry.iova());
      DmaMapMessage.SIZE.set(message, entry.byteSize());
      // A server that takes no descriptors reaches the memory by messages.
      int fds = entry.fd() >= 0 && peer.maxFds() > 0 ? 1 : 0;
      request.sent[0] = entry.fd();
      return call(link, request, DmaMapMessage.BYTES, fds, Header.SIZE, Header.SIZE);
    } finally {
      link.end(request);
    }
  }

  /** Takes memory away from the server. */
  static int unmap(Link link, long iova, long byteSize) {
    var request = link.begin(Command.DMA_UNMAP);
    try {
      var message = request.message(DmaUnmapMessage.STRUCT);
      DmaUnmapMessage.ADDRESS.set(message, iova);
      DmaUnmapMessage.SIZE.set(message, byteSize);
      int result =
          call(
              link,
              request,
              DmaUnmapMessage.BYTES,
              0,
              DmaUnmapMessage.BYTES,
              DmaUnmapMessage.BYTES);
      if (result == 0
          && (DmaUnmapMessage.ADDRESS.get(request.reply()) != iova
              || DmaUnmapMessage.SIZE.get(request.reply()) != byteSize)) {
        return senseless(link, request, "other memory than was to be unmapped");
      }
      return result;
    } finally {
      link.end(request);
    }
  }

  /**
   * One message of SET_IRQS.
   *
   * @param flags as the kernel's struct has them
   * @param data descriptors for {@code DATA_EVENTFD} from index {@code first}, a boolean each for
   *     {@code DATA_BOOL}; not looked at otherwise
   * @param fds how many of the descriptors go with it: all, or none to take interrupts away
   * @param bools how many booleans go with it
   */
  static int setIrqs(
      Link link,
      int flags,
      int index,
      int start,
      int count,
      int[] data,
      int first,
      int fds,
      int bools) {
    var request = link.begin(Command.DEVICE_SET_IRQS);
    try {
      long size = SetIrqsMessage.BYTES + (long) bools;
      var message = request.message(size);
      SetIrqsMessage.ARGSZ.set(message, (int) size - Header.SIZE);
      SetIrqsMessage.FLAGS.set(message, flags);
      SetIrqsMessage.INDEX.set(message, index);
      SetIrqsMessage.START.set(message, start);
      SetIrqsMessage.COUNT.set(message, count);
      for (int i = 0; i < bools; i++) {
        message.set(Layouts.U8, SetIrqsMessage.BYTES + i, (byte) data[first + i]);
      }
      System.arraycopy(data, first, request.sent, 0, fds);
      return call(link, request, size, fds, Header.SIZE, Header.SIZE);
    } finally {
      link.end(request);
    }
  }

  /** Resets the device. */
  static int reset(Link link) {
    var request = link.begin(Command.DEVICE_RESET);
    try {
      return call(link, request, Header.SIZE, 0, Header.SIZE, Header.SIZE);
    } finally {
      link.end(request);
    }
  }

  /**
   * A feature.
   *
   * @param flags the feature and what to do with it
   * @param data what goes with it
   * @param answer where to put what comes back, which has just its size
   */
  static int feature(Link link, int flags, MemorySegment data, MemorySegment answer) {
    var request = link.begin(Command.DEVICE_FEATURE);
    try {
      long head = FeatureMessage.BYTES;
      long size = head + data.byteSize();
      long replySize = head + answer.byteSize();
      var message = request.message(Math.max(size, replySize));
      FeatureMessage.ARGSZ.set(message, (int) Math.max(size, replySize) - Header.SIZE);
      FeatureMessage.FLAGS.set(message, flags);
      MemorySegment.copy(data, 0, message, head, data.byteSize());
      int result = call(link, request, size, 0, replySize, replySize);
      if (result == 0) {
        MemorySegment.copy(request.reply(), head, answer, 0, answer.byteSize());
      }
      return result;
    } finally {
      link.end(request);
    }
  }

  /**
   * Reads migration data.
   *
   * @param target where to, no more than the peer sends at once
   * @return how many bytes there were
   */
  static int readMigration(Link link, MemorySegment target) {
    var request = link.begin(Command.MIG_DATA_READ);
    try {
      int count = (int) target.byteSize();
      var message = request.message();
      MigrationData.ARGSZ.set(message, MigrationData.BYTES - Header.SIZE + count);
      MigrationData.SIZE.set(message, count);
      int result =
          call(
              link,
              request,
              MigrationData.BYTES,
              0,
              MigrationData.BYTES,
              MigrationData.BYTES + (long) count);
      if (result < 0) {
        return result;
      }
      int told = MigrationData.SIZE.get(request.reply());
      // A reply may be longer than its data: libvfio-user sends as much as was asked for.
      if (told < 0 || told > request.replySize() - MigrationData.BYTES) {
        return senseless(link, request, "less data than it says");
      }
      MemorySegment.copy(request.reply(), MigrationData.BYTES, target, 0, told);
      return told;
    } finally {
      link.end(request);
    }
  }

  /**
   * Writes migration data.
   *
   * @param source no more than the peer takes at once
   * @return how many bytes, which is all
   */
  static int writeMigration(Link link, MemorySegment source) {
    var request = link.begin(Command.MIG_DATA_WRITE);
    try {
      int count = (int) source.byteSize();
      long size = MigrationData.BYTES + (long) count;
      var message = request.message(size);
      MigrationData.ARGSZ.set(message, (int) size - Header.SIZE);
      MigrationData.SIZE.set(message, count);
      MemorySegment.copy(source, 0, message, MigrationData.BYTES, count);
      int result = call(link, request, size, 0, Header.SIZE, Header.SIZE);
      return result < 0 ? result : count;
    } finally {
      link.end(request);
    }
  }
}
