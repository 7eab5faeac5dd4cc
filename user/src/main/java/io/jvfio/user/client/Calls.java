package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.VfioDeviceFeature;
import io.jvfio.linux.uapi.VfioIrqSet;
import io.jvfio.user.client.DmaMaps.Entry;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MigrationData;
import io.jvfio.user.wire.RegionAccess;
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
              RegionAccess.SIZE,
              0,
              RegionAccess.SIZE,
              RegionAccess.SIZE + (long) count);
      if (result < 0) {
        return result;
      }
      var reply = request.reply();
      int told = RegionAccess.count(reply);
      if (told != request.replySize() - RegionAccess.SIZE) {
        return senseless(link, request, "data of another length than it says");
      }
      if (isOther(reply, region, offset)) {
        return senseless(link, request, "another place than was asked for");
      }
      MemorySegment.copy(reply, RegionAccess.SIZE, target, at, told);
      return told;
    } finally {
      link.end(request);
    }
  }

  private static void writeAccess(MemorySegment message, int region, long offset, int count) {
    RegionAccess.offset(message, offset);
    RegionAccess.region(message, region);
    RegionAccess.count(message, count);
  }

  private static boolean isOther(MemorySegment reply, int region, long offset) {
    return RegionAccess.offset(reply) != offset || RegionAccess.region(reply) != region;
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
      long size = RegionAccess.SIZE + (long) count;
      var message = request.message(size);
      writeAccess(message, region, offset, count);
      MemorySegment.copy(source, at, message, RegionAccess.SIZE, count);
      if (posted) {
        return link.post(request, size) == 0 ? count : LOST_UNSENT;
      }
      int result = call(link, request, size, 0, RegionAccess.SIZE, RegionAccess.SIZE);
      if (result < 0) {
        return result;
      }
      int told = RegionAccess.count(request.reply());
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
      long size = WriteMulti.SIZE + (long) count * WriteMulti.ENTRY_SIZE;
      var message = request.message(size);
      message.asSlice(0, size).fill((byte) 0); // what is not a register's bytes
      WriteMulti.count(message, count);
      for (int i = 0; i < count; i++) {
        long place = (long) i * width;
        WriteMulti.entry(message, i, offset + place, region, width);
        MemorySegment.copy(source, at + place, message, WriteMulti.dataOffset(i), width);
      }
      if (posted) {
        return link.post(request, size) == 0 ? count : LOST_UNSENT;
      }
      int result = call(link, request, size, 0, WriteMulti.SIZE, WriteMulti.SIZE);
      if (result < 0) {
        return result;
      }
      long told = WriteMulti.count(request.reply());
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
      var message = request.message();
      DmaMapMessage.argsz(message, DmaMapMessage.SIZE - Header.SIZE);
      DmaMapMessage.flags(
          message,
          (entry.access().isReadable() ? DmaMapMessage.READABLE : 0)
              | (entry.access().isWritable() ? DmaMapMessage.WRITABLE : 0));
      DmaMapMessage.offset(message, 0);
      DmaMapMessage.address(message, entry.iova());
      DmaMapMessage.size(message, entry.byteSize());
      // A server that takes no descriptors reaches the memory by messages.
      int fds = entry.fd() >= 0 && peer.maxFds() > 0 ? 1 : 0;
      request.sent[0] = entry.fd();
      return call(link, request, DmaMapMessage.SIZE, fds, Header.SIZE, Header.SIZE);
    } finally {
      link.end(request);
    }
  }

  /** Takes memory away from the server. */
  static int unmap(Link link, long iova, long byteSize) {
    var request = link.begin(Command.DMA_UNMAP);
    try {
      var message = request.message();
      DmaUnmapMessage.argsz(message, DmaUnmapMessage.SIZE - Header.SIZE);
      DmaUnmapMessage.flags(message, 0);
      DmaUnmapMessage.address(message, iova);
      DmaUnmapMessage.size(message, byteSize);
      int result =
          call(link, request, DmaUnmapMessage.SIZE, 0, DmaUnmapMessage.SIZE, DmaUnmapMessage.SIZE);
      if (result == 0
          && (DmaUnmapMessage.address(request.reply()) != iova
              || DmaUnmapMessage.size(request.reply()) != byteSize)) {
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
      long payload = VfioIrqSet.BYTES + bools;
      var message = request.message(Header.SIZE + payload);
      var set = message.asSlice(Header.SIZE, payload);
      VfioIrqSet.ARGSZ.set(set, (int) payload);
      VfioIrqSet.FLAGS.set(set, flags);
      VfioIrqSet.INDEX.set(set, index);
      VfioIrqSet.START.set(set, start);
      VfioIrqSet.COUNT.set(set, count);
      for (int i = 0; i < bools; i++) {
        set.set(Layouts.U8, VfioIrqSet.BYTES + i, (byte) data[first + i]);
      }
      System.arraycopy(data, first, request.sent, 0, fds);
      return call(link, request, Header.SIZE + payload, fds, Header.SIZE, Header.SIZE);
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
      long head = Header.SIZE + VfioDeviceFeature.BYTES;
      long size = head + data.byteSize();
      long replySize = head + answer.byteSize();
      var message = request.message(Math.max(size, replySize));
      var struct = message.asSlice(Header.SIZE, size - Header.SIZE);
      VfioDeviceFeature.ARGSZ.set(
          struct, (int) (VfioDeviceFeature.BYTES + Math.max(data.byteSize(), answer.byteSize())));
      VfioDeviceFeature.FLAGS.set(struct, flags);
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
      MigrationData.argsz(message, MigrationData.SIZE - Header.SIZE + count);
      MigrationData.size(message, count);
      int result =
          call(
              link,
              request,
              MigrationData.SIZE,
              0,
              MigrationData.SIZE,
              MigrationData.SIZE + (long) count);
      if (result < 0) {
        return result;
      }
      int told = MigrationData.size(request.reply());
      // A reply may be longer than its data: libvfio-user sends as much as was asked for.
      if (told < 0 || told > request.replySize() - MigrationData.SIZE) {
        return senseless(link, request, "less data than it says");
      }
      MemorySegment.copy(request.reply(), MigrationData.SIZE, target, 0, told);
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
      long size = MigrationData.SIZE + (long) count;
      var message = request.message(size);
      MigrationData.argsz(message, (int) size - Header.SIZE);
      MigrationData.size(message, count);
      MemorySegment.copy(source, 0, message, MigrationData.SIZE, count);
      int result = call(link, request, size, 0, Header.SIZE, Header.SIZE);
      return result < 0 ? result : count;
    } finally {
      link.end(request);
    }
  }
}
