// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;

/**
 * A command that failed, in the controller's error log. Source: NVM Express Base Specification,
 * "Error Information".
 *
 * @param errorCount number of the error over the controller's life, from 1
 * @param submissionQueueId the queue of the command; 0xffff if it was not a command
 * @param commandId the command's identifier; 0xffff if it was not a command
 * @param status the status field without the phase tag
 * @param parameterErrorLocation the byte of the command that was wrong (bits 7:0) and the bit in it
 *     (10:8); 0xffff if none
 * @param lba the first block with the error
 * @param namespaceId the namespace
 * @param vendorLogPage the log page with more about it; 0 if none
 * @param commandSpecific what the command defines
 */
public record ErrorLogEntry(
    long errorCount,
    int submissionQueueId,
    int commandId,
    int status,
    int parameterErrorLocation,
    long lba,
    int namespaceId,
    int vendorLogPage,
    long commandSpecific) {

  static final int BYTES = 64;

  static ErrorLogEntry decode(MemorySegment page, long entry) {
    return new ErrorLogEntry(
        page.get(LE64, entry),
        Short.toUnsignedInt(page.get(LE16, entry + 8)),
        Short.toUnsignedInt(page.get(LE16, entry + 10)),
        Short.toUnsignedInt(page.get(LE16, entry + 12)) >>> 1,
        Short.toUnsignedInt(page.get(LE16, entry + 14)),
        page.get(LE64, entry + 16),
        page.get(LE32, entry + 24),
        Byte.toUnsignedInt(page.get(LE8, entry + 28)),
        page.get(LE64, entry + 32));
  }

  /** The status in words. */
  public String statusName() {
    return NvmeStatusException.name(status);
  }

  @Override
  public String toString() {
    return "error %d: command 0x%x of queue %d, namespace %s, block %s: %s (status 0x%x)"
        .formatted(
            errorCount,
            commandId,
            submissionQueueId,
            Integer.toUnsignedString(namespaceId),
            Long.toUnsignedString(lba),
            statusName(),
            status);
  }
}
