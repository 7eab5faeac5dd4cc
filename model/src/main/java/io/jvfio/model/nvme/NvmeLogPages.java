// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import io.jvfio.model.DmaFaultException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The counters of the controller, and the log pages that tell them: error information, SMART,
 * firmware slots, changed namespaces, commands supported and their effects. Source: NVM Express
 * Base Specification, "Get Log Page command".
 */
final class NvmeLogPages {
  static final int ERROR_INFORMATION = 0x01;
  static final int SMART = 0x02;
  static final int FIRMWARE_SLOTS = 0x03;
  static final int CHANGED_NAMESPACES = 0x04;
  static final int COMMAND_EFFECTS = 0x05;

  static final int ERROR_ENTRIES = 4;
  static final int WARNING_KELVIN = 343;
  static final int CRITICAL_KELVIN = 373;

  private static final int ERROR_ENTRY_SIZE = 64;
  private static final int ERROR_SIZE = ERROR_ENTRIES * ERROR_ENTRY_SIZE;
  private static final int SMART_SIZE = 512;
  private static final int PAGE_SIZE = 4096;
  static final int NORMAL_KELVIN = 323;

  private static final int WARNING_TEMPERATURE = 1 << 1;
  private static final int WARNING_RELIABILITY = 1 << 2;
  private static final int SUPPORTED = 1;
  private static final int CHANGES_DATA = 1 << 1;
  private static final int IO_COMMANDS_OFFSET = 1024;

  private static final List<Integer> ADMIN_COMMANDS =
      List.of(
          NvmeAdmin.DELETE_SUBMISSION_QUEUE,
          NvmeAdmin.CREATE_SUBMISSION_QUEUE,
          NvmeAdmin.GET_LOG_PAGE,
          NvmeAdmin.DELETE_COMPLETION_QUEUE,
          NvmeAdmin.CREATE_COMPLETION_QUEUE,
          NvmeAdmin.IDENTIFY,
          NvmeAdmin.ABORT,
          NvmeAdmin.SET_FEATURES,
          NvmeAdmin.GET_FEATURES,
          NvmeAdmin.ASYNC_EVENT_REQUEST);

  private final NvmeModelOptions.Settings options;
  private final NvmeData data;
  private final NvmeFeatures features;
  private final List<NvmeNamespace> namespaces;
  private final MemorySegment page;
  private final MemorySegment errors;
  private int temperature = NORMAL_KELVIN;
  private long errorCount;
  private long bytesRead;
  private long bytesWritten;
  private long readCommands;
  private long writeCommands;
  private long mediaErrors;

  NvmeLogPages(
      NvmeModelOptions.Settings options,
      NvmeData data,
      NvmeFeatures features,
      List<NvmeNamespace> namespaces,
      Arena arena) {
    this.options = options;
    this.data = data;
    this.features = features;
    this.namespaces = namespaces;
    page = arena.allocate(PAGE_SIZE, Long.BYTES);
    errors = arena.allocate(ERROR_SIZE, Long.BYTES);
  }

  void countRead(long bytes) {
    readCommands++;
    bytesRead += bytes;
  }

  void countWrite(long bytes) {
    writeCommands++;
    bytesWritten += bytes;
  }

  /** What keeps the data has failed. */
  void countMediaError() {
    mediaErrors++;
  }

  /** Whether data that was taken may be lost. */
  boolean hasLostWrites() {
    for (int i = 0; i < namespaces.size(); i++) {
      if (namespaces.get(i).storage().hasLostWrites()) {
        return true;
      }
    }
    return false;
  }

  /** The composite temperature is this from now on. */
  void changeTemperature(int kelvin) {
    temperature = kelvin;
  }

  /** Whether the temperature is one to warn of. */
  boolean isBeyondThreshold() {
    return features.isBeyondThreshold(temperature);
  }

  int temperature() {
    return temperature;
  }

  /**
   * Puts a failed command at the top of the error log.
   *
   * @param status as it is reported
   */
  void recordError(NvmeCommand command, int status) {
    errorCount++;
    MemorySegment.copy(errors, 0, errors, ERROR_ENTRY_SIZE, ERROR_SIZE - ERROR_ENTRY_SIZE);
    errors.asSlice(0, ERROR_ENTRY_SIZE).fill((byte) 0);
    errors.set(LE64, 0, errorCount);
    errors.set(LE16, 8, (short) command.queueId());
    errors.set(LE16, 10, (short) command.id());
    errors.set(LE16, 12, (short) (status << 1));
    errors.set(LE16, 14, (short) 0xffff);
    errors.set(LE64, 16, hasBlocks(command) ? command.cdw10And11() : 0);
    errors.set(LE32, 24, command.namespaceId());
  }

  /** Whether dwords 10 and 11 of a command are a block. */
  private static boolean hasBlocks(NvmeCommand command) {
    return command.queueId() != 0 && command.opcode() != NvmeIo.DATASET_MANAGEMENT;
  }

  /** Get Log Page: writes the part asked for to the host. */
  int get(NvmeCommand command) throws DmaFaultException {
    page.fill((byte) 0);
    int size;
    switch (command.cdw10() & 0xff) {
      case ERROR_INFORMATION -> {
        page.copyFrom(errors);
        size = ERROR_SIZE;
      }
      case SMART -> {
        fillSmart();
        size = SMART_SIZE;
      }
      case FIRMWARE_SLOTS -> {
        page.set(LE8, 0, (byte) 1);
        NvmeIdentifyPages.putText(page, 8, 8, options.firmware);
        size = SMART_SIZE;
      }
      // None ever changes.
      case CHANGED_NAMESPACES -> size = PAGE_SIZE;
      case COMMAND_EFFECTS -> {
        fillEffects();
        size = PAGE_SIZE;
      }
      default -> {
        return NvmeStatus.INVALID_LOG_PAGE;
      }
    }
    long dwords = 1 + ((command.cdw10() >>> 16) | Integer.toUnsignedLong(command.cdw11() << 16));
    long offset = Integer.toUnsignedLong(command.cdw12()) | ((long) command.cdw13() << 32);
    if ((offset & 3) != 0 || Long.compareUnsigned(offset, size) >= 0) {
      return NvmeStatus.INVALID_FIELD;
    }
    // What lies behind the end of a log page is undefined; it is left as it was.
    return data.write(command, page, offset, Math.min(dwords * Integer.BYTES, size - offset));
  }

  private void fillSmart() {
    int hot = isBeyondThreshold() ? WARNING_TEMPERATURE : 0;
    page.set(LE8, 0, (byte) (hot | (hasLostWrites() ? WARNING_RELIABILITY : 0)));
    page.set(LE8, 1, (byte) temperature);
    page.set(LE8, 2, (byte) (temperature >> 8));
    page.set(LE8, 3, (byte) 100); // available spare, per cent
    page.set(LE8, 4, (byte) 10); // its threshold
    page.set(LE64, 32, dataUnits(bytesRead));
    page.set(LE64, 48, dataUnits(bytesWritten));
    page.set(LE64, 64, readCommands);
    page.set(LE64, 80, writeCommands);
    page.set(LE64, 112, 1); // power cycles
    page.set(LE64, 160, mediaErrors);
    page.set(LE64, 176, errorCount);
  }

  /** Thousands of 512 bytes, rounded up. */
  private static long dataUnits(long bytes) {
    return (bytes + 511_999) / 512_000;
  }

  private void fillEffects() {
    for (int opcode : ADMIN_COMMANDS) {
      page.setAtIndex(LE32, opcode, SUPPORTED);
    }
    if (options.hasShadowDoorbells) {
      page.setAtIndex(LE32, NvmeAdmin.DOORBELL_BUFFER_CONFIG, SUPPORTED);
    }
    putIoEffect(NvmeIo.FLUSH, 0);
    putIoEffect(NvmeIo.READ, 0);
    putIoEffect(NvmeIo.WRITE, CHANGES_DATA);
    if (options.hasOptionalCommands) {
      putIoEffect(NvmeIo.COMPARE, 0);
      putIoEffect(NvmeIo.VERIFY, 0);
      putIoEffect(NvmeIo.WRITE_ZEROES, CHANGES_DATA);
      putIoEffect(NvmeIo.DATASET_MANAGEMENT, CHANGES_DATA);
      putIoEffect(NvmeIo.COPY, CHANGES_DATA);
    }
  }

  private void putIoEffect(int opcode, int effects) {
    page.set(LE32, IO_COMMANDS_OFFSET + 4L * opcode, SUPPORTED | effects);
  }

  /** Forgets all counts, as after power-on. */
  void reset() {
    errors.fill((byte) 0);
    errorCount = 0;
    bytesRead = 0;
    bytesWritten = 0;
    readCommands = 0;
    writeCommands = 0;
    mediaErrors = 0;
  }
}
