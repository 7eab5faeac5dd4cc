package io.jvfio.user.wire;

import org.jspecify.annotations.Nullable;

/** The commands of the protocol. Source: "Commands". */
public enum Command {
  /** Proposes a version and capabilities; the first message of a connection. */
  VERSION(1),
  /** Tells the server of memory that it may reach. */
  DMA_MAP(2),
  /** Takes memory away from the server. */
  DMA_UNMAP(3),
  /** Asks for the number of regions and interrupt indexes. */
  DEVICE_GET_INFO(4),
  /** Asks for a region. */
  DEVICE_GET_REGION_INFO(5),
  /** Asks for the descriptors by which parts of a region can be written. */
  DEVICE_GET_REGION_IO_FDS(6),
  /** Asks for an interrupt index. */
  DEVICE_GET_IRQ_INFO(7),
  /** Sets where interrupts are signalled; masks, unmasks and triggers them. */
  DEVICE_SET_IRQS(8),
  /** Reads a region. */
  REGION_READ(9),
  /** Writes a region. */
  REGION_WRITE(10),
  /** Reads the client's memory; sent by the server. */
  DMA_READ(11),
  /** Writes the client's memory; sent by the server. */
  DMA_WRITE(12),
  /** Resets the device. */
  DEVICE_RESET(13),
  /** Several short writes of regions in one message. */
  REGION_WRITE_MULTI(15),
  /** Gets, sets or probes a feature. */
  DEVICE_FEATURE(16),
  /** Reads what a migration carries. */
  MIG_DATA_READ(17),
  /** Writes what a migration carries. */
  MIG_DATA_WRITE(18);

  private static final @Nullable Command[] BY_NUMBER = byNumber();

  private final int number;

  Command(int number) {
    this.number = number;
  }

  private static @Nullable Command[] byNumber() {
    var commands = new @Nullable Command[MIG_DATA_WRITE.number + 1];
    for (var command : values()) {
      commands[command.number] = command;
    }
    return commands;
  }

  /** The number in the header. */
  public int number() {
    return number;
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
