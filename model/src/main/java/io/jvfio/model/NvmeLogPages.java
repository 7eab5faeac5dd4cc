package io.jvfio.model;

import static io.jvfio.model.LittleEndian.LE16;
import static io.jvfio.model.LittleEndian.LE32;
import static io.jvfio.model.LittleEndian.LE64;
import static io.jvfio.model.LittleEndian.LE8;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What the controller counted, and the log pages that tell it: error information, SMART, firmware
 * slots. Source: NVM Express Base Specification, "Get Log Page command".
 */
final class NvmeLogPages {
  static final int ERROR_INFORMATION = 0x01;
  static final int SMART = 0x02;
  static final int FIRMWARE_SLOTS = 0x03;

  static final int ERROR_ENTRIES = 4;

  private static final int ERROR_ENTRY_SIZE = 64;
  private static final int PAGE_SIZE = 512;
  private static final int TEMPERATURE_KELVIN = 323;

  private final MemorySegment page;
  private final MemorySegment errors;
  private final String firmware;
  private long errorCount;
  private long bytesRead;
  private long bytesWritten;
  private long readCommands;
  private long writeCommands;

  NvmeLogPages(Arena arena, String firmware) {
    this.firmware = firmware;
    page = arena.allocate(PAGE_SIZE, Long.BYTES);
    errors = arena.allocate((long) ERROR_ENTRIES * ERROR_ENTRY_SIZE, Long.BYTES);
  }

  void countRead(long bytes) {
    readCommands++;
    bytesRead += bytes;
  }

  void countWrite(long bytes) {
    writeCommands++;
    bytesWritten += bytes;
  }

  /** Puts a failed command at the top of the error log. */
  void recordError(NvmeCommand command, int status) {
    errorCount++;
    long older = (long) (ERROR_ENTRIES - 1) * ERROR_ENTRY_SIZE;
    MemorySegment.copy(errors, 0, errors, ERROR_ENTRY_SIZE, older);
    errors.asSlice(0, ERROR_ENTRY_SIZE).fill((byte) 0);
    errors.set(LE64, 0, errorCount);
    errors.set(LE16, 8, (short) command.queueId());
    errors.set(LE16, 10, (short) command.id());
    errors.set(LE16, 12, (short) (NvmeStatus.reported(status) << 1));
    errors.set(LE16, 14, (short) 0xffff);
    errors.set(LE64, 16, command.queueId() == 0 ? 0 : command.cdw10And11());
    errors.set(LE32, 24, command.namespaceId());
  }

  /** Get Log Page: writes the part asked for to the memory that {@code prp} finds. */
  int get(NvmeCommand command, NvmePrp prp, int pageSize) throws DmaFaultException {
    int id = command.cdw10() & 0xff;
    switch (id) {
      case ERROR_INFORMATION -> page.fill((byte) 0).copyFrom(errors);
      case SMART -> fillSmart();
      case FIRMWARE_SLOTS -> fillFirmwareSlots();
      default -> {
        return NvmeStatus.INVALID_LOG_PAGE;
      }
    }
    long dwords = 1 + ((command.cdw10() >>> 16) | Integer.toUnsignedLong(command.cdw11() << 16));
    long offset = Integer.toUnsignedLong(command.cdw12()) | ((long) command.cdw13() << 32);
    if ((offset & 3) != 0 || Long.compareUnsigned(offset, page.byteSize()) >= 0) {
      return NvmeStatus.INVALID_FIELD;
    }
    // What lies behind the end of a log page is undefined; it is left as it was.
    long length = Math.min(dwords * Integer.BYTES, page.byteSize() - offset);
    int status = prp.map(command, length, pageSize);
    if (status == NvmeStatus.SUCCESS) {
      prp.write(page.asSlice(offset));
    }
    return status;
  }

  private void fillSmart() {
    page.fill((byte) 0);
    page.set(LE8, 1, (byte) TEMPERATURE_KELVIN);
    page.set(LE8, 2, (byte) (TEMPERATURE_KELVIN >> 8));
    page.set(LE8, 3, (byte) 100); // available spare, per cent
    page.set(LE8, 4, (byte) 10); // its threshold
    page.set(LE64, 32, dataUnits(bytesRead));
    page.set(LE64, 48, dataUnits(bytesWritten));
    page.set(LE64, 64, readCommands);
    page.set(LE64, 80, writeCommands);
    page.set(LE64, 112, 1); // power cycles
    page.set(LE64, 176, errorCount);
  }

  /** Thousands of 512 bytes, rounded up. */
  private static long dataUnits(long bytes) {
    return (bytes + 511_999) / 512_000;
  }

  private void fillFirmwareSlots() {
    page.fill((byte) 0);
    page.set(LE8, 0, (byte) 1);
    NvmeIdentifyPages.putText(page, 8, 8, firmware);
  }

  /** Forgets all counts, as after power-on. */
  void reset() {
    errors.fill((byte) 0);
    errorCount = 0;
    bytesRead = 0;
    bytesWritten = 0;
    readCommands = 0;
    writeCommands = 0;
  }
}
