// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field;
import io.jvfio.linux.uapi.Struct;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A payload that may be wrong in any way: structs of the protocol one behind the other, with what
 * values one likes, and bytes behind them. For those who try out what the other side makes of it.
 */
public final class Payload {
  private static final int SHORT = 64;

  private ByteBuffer bytes = ByteBuffer.allocate(SHORT).order(ByteOrder.nativeOrder());

  /** Where the last struct would have to begin for its fields to be where they say. */
  private int struct;

  private Payload() {}

  /** No payload. */
  public static Payload empty() {
    return new Payload();
  }

  /** Just these bytes. */
  public static Payload of(byte... bytes) {
    return new Payload().bytes(bytes);
  }

  /** A struct of zeros but for the field that holds its size, if it has one. */
  public static Payload of(Struct struct) {
    return new Payload().then(struct);
  }

  /** One more struct, behind what there is; {@link #with} writes its fields from now on. */
  public Payload then(Struct next) {
    struct = bytes.position() - (int) next.start();
    zeros((int) next.byteSize());
    next.sized().ifPresent(field -> with(field, next.byteSize()));
    return this;
  }

  /** Writes a field of the last struct. */
  public Payload with(Field field, long value) {
    field.put(bytes, struct, value);
    return this;
  }

  /** Bytes behind what there is. */
  public Payload bytes(byte... values) {
    if (bytes.remaining() < values.length) {
      var more = ByteBuffer.allocate(2 * bytes.capacity() + values.length);
      bytes = more.order(ByteOrder.nativeOrder()).put(bytes.flip());
    }
    bytes.put(values);
    return this;
  }

  /** So many zeros behind what there is. */
  public Payload zeros(int count) {
    return bytes(new byte[count]);
  }

  /** What there is but its last bytes, so that so many are left. */
  public Payload cutTo(int size) {
    bytes.position(Math.min(size, bytes.position()));
    return this;
  }

  /** How many bytes there are. */
  public int size() {
    return bytes.position();
  }

  /** The bytes. */
  public byte[] toBytes() {
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /** A message with this payload. */
  public byte[] message(int id, int command, int flags) {
    return message(id, command, flags, Header.SIZE + (long) bytes.position());
  }

  /** A message that tells of some size, whatever it has. */
  public byte[] message(int id, int command, int flags, long size) {
    return message(id, command, flags, size, 0);
  }

  /** A message with this payload that tells of an errno. */
  public byte[] message(int id, int command, int flags, long size, int errno) {
    return of(Header.STRUCT)
        .with(Header.ID, id)
        .with(Header.NUMBER, command)
        .with(Header.MESSAGE_SIZE, size)
        .with(Header.FLAGS, flags)
        .with(Header.ERRNO, errno)
        .bytes(toBytes())
        .toBytes();
  }

  /** A reply to a command that failed. */
  public static byte[] error(int id, int command, int errno) {
    return empty().message(id, command, Header.REPLY | Header.ERROR, Header.SIZE, errno);
  }

  /** What asks for the device, with room for so many bytes. */
  public static Payload deviceInfo(int argsz) {
    return of(DeviceInfoMessage.STRUCT).with(DeviceInfoMessage.ARGSZ, argsz);
  }

  /** What asks for a region, with room for so many bytes. */
  public static Payload regionInfo(int argsz, int index) {
    return of(RegionInfoMessage.STRUCT)
        .with(RegionInfoMessage.ARGSZ, argsz)
        .with(RegionInfoMessage.INDEX, index);
  }

  /** What asks for an interrupt index, with room for so many bytes. */
  public static Payload irqInfo(int argsz, int index) {
    return of(IrqInfoMessage.STRUCT)
        .with(IrqInfoMessage.ARGSZ, argsz)
        .with(IrqInfoMessage.INDEX, index);
  }

  /** What reads a region, or writes it where data are put behind it. */
  public static Payload access(long offset, int region, int count) {
    return of(RegionAccess.STRUCT)
        .with(RegionAccess.OFFSET, offset)
        .with(RegionAccess.REGION, region)
        .with(RegionAccess.COUNT, count);
  }

  /** What sets interrupts. */
  public static Payload setIrqs(int flags, int index, int start, int count, byte... data) {
    return of(SetIrqsMessage.STRUCT)
        .with(SetIrqsMessage.ARGSZ, SetIrqsMessage.STRUCT.byteSize() + data.length)
        .with(SetIrqsMessage.FLAGS, flags)
        .with(SetIrqsMessage.INDEX, index)
        .with(SetIrqsMessage.START, start)
        .with(SetIrqsMessage.COUNT, count)
        .bytes(data);
  }

  /** What maps memory. */
  public static Payload map(int flags, long offset, long address, long size) {
    return of(DmaMapMessage.STRUCT)
        .with(DmaMapMessage.FLAGS, flags)
        .with(DmaMapMessage.OFFSET, offset)
        .with(DmaMapMessage.ADDRESS, address)
        .with(DmaMapMessage.SIZE, size);
  }

  /** What takes memory away. */
  public static Payload unmap(int flags, long address, long size) {
    return of(DmaUnmapMessage.STRUCT)
        .with(DmaUnmapMessage.FLAGS, flags)
        .with(DmaUnmapMessage.ADDRESS, address)
        .with(DmaUnmapMessage.SIZE, size);
  }

  /** The same, where a bitmap of the pages that were written is wanted. */
  public static Payload dirtyUnmap(int flags, long address, long size, long page, long bits) {
    return unmap(DmaUnmapMessage.GET_DIRTY_BITMAP | flags, address, size)
        .with(DmaUnmapMessage.ARGSZ, DirtyBitmap.BYTES - Header.SIZE + Long.BYTES)
        .then(DirtyBitmap.STRUCT)
        .with(DirtyBitmap.PAGE_SIZE, page)
        .with(DirtyBitmap.BYTE_SIZE, bits)
        .zeros(Long.BYTES);
  }

  /** What gets, sets or probes a feature, whose data go behind it. */
  public static Payload feature(int argsz, int flags) {
    return of(FeatureMessage.STRUCT)
        .with(FeatureMessage.ARGSZ, argsz)
        .with(FeatureMessage.FLAGS, flags);
  }

  /** What reads migration data, or writes it where data are put behind it. */
  public static Payload migrationData(int argsz, int size) {
    return of(MigrationData.STRUCT).with(MigrationData.ARGSZ, argsz).with(MigrationData.SIZE, size);
  }

  /** What proposes a version, with a text behind it. */
  public static Payload version(int major, int minor, byte... text) {
    return of(VersionMessage.STRUCT)
        .with(VersionMessage.MAJOR, major)
        .with(VersionMessage.MINOR, minor)
        .bytes(text);
  }
}
