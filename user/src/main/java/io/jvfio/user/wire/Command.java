// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Struct;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The commands of the protocol. Source: "Commands". */
@SuppressWarnings("ImmutableEnumChecker") // a struct is a record of copied lists
public enum Command {
  /** Proposes a version and capabilities; the first message of a connection. */
  VERSION(1, VersionMessage.STRUCT),
  /** Tells the server of memory that it may reach. */
  DMA_MAP(2, DmaMapMessage.STRUCT),
  /** Takes memory away from the server. */
  DMA_UNMAP(3, DmaUnmapMessage.STRUCT),
  /** Asks for the number of regions and interrupt indexes. */
  DEVICE_GET_INFO(4, DeviceInfoMessage.STRUCT),
  /** Asks for a region. */
  DEVICE_GET_REGION_INFO(5, RegionInfoMessage.STRUCT),
  /** Asks for the descriptors by which parts of a region can be written. */
  DEVICE_GET_REGION_IO_FDS(6, RegionIoFds.STRUCT),
  /** Asks for an interrupt index. */
  DEVICE_GET_IRQ_INFO(7, IrqInfoMessage.STRUCT),
  /** Sets where interrupts are signalled; masks, unmasks and triggers them. */
  DEVICE_SET_IRQS(8, SetIrqsMessage.STRUCT),
  /** Reads a region. */
  REGION_READ(9, RegionAccess.STRUCT),
  /** Writes a region. */
  REGION_WRITE(10, RegionAccess.STRUCT),
  /** Reads the client's memory; sent by the server. */
  DMA_READ(11, DmaAccessMessage.STRUCT),
  /** Writes the client's memory; sent by the server. */
  DMA_WRITE(12, DmaAccessMessage.STRUCT),
  /** Resets the device. */
  DEVICE_RESET(13, Struct.named("vfio_user_device_reset", Header.SIZE).build()),
  /** Several short writes of regions in one message. */
  REGION_WRITE_MULTI(15, WriteMulti.STRUCT),
  /** Gets, sets or probes a feature. */
  DEVICE_FEATURE(16, FeatureMessage.STRUCT),
  /** Reads what a migration carries. */
  MIG_DATA_READ(17, MigrationData.STRUCT),
  /** Writes what a migration carries. */
  MIG_DATA_WRITE(18, MigrationData.STRUCT);

  private static final @Nullable Command[] BY_NUMBER = byNumber();

  private final int number;
  private final Struct struct;
  private final int leastSize;

  Command(int number, Struct struct) {
    this.number = number;
    this.struct = struct;
    this.leastSize = Header.SIZE + (int) struct.byteSize();
  }

  private static @Nullable Command[] byNumber() {
    int last = Arrays.stream(values()).mapToInt(Command::number).max().getAsInt();
    var commands = new @Nullable Command[last + 1];
    for (var command : values()) {
      commands[command.number] = command;
    }
    return commands;
  }

  /** The number in the header. */
  public int number() {
    return number;
  }

  /** The payload of the command, without what follows. */
  public Struct struct() {
    return struct;
  }

  /** The size of the shortest such command with its header, in bytes. */
  public int leastSize() {
    return leastSize;
  }

  /** The command with this number, or null if the protocol has none. */
  public static @Nullable Command of(int number) {
    return number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
  }

  /** Whether it goes from the server to the client. */
  public boolean isFromServer() {
    return this == DMA_READ || this == DMA_WRITE;
  }
}
