// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A controller's description of itself. Source: NVM Express Base Specification, "Identify
 * Controller data structure".
 *
 * @param vendorId PCI vendor
 * @param subsystemVendorId PCI subsystem vendor
 * @param serial serial number
 * @param model model number
 * @param firmware firmware revision
 * @param controllerId number of the controller within its NVM subsystem
 * @param version the NVMe version that it follows, such as {@code 1.4.0}
 * @param mdtsBytes bytes that one command can transfer at most; 0 if there is no limit
 * @param namespaceCount the largest namespace identifier
 * @param volatileWriteCache whether written data can be lost with power before a flush
 * @param shutdownMicros how long an orderly shutdown can take, in microseconds; 0 if not reported
 * @param errorLogEntries errors that it remembers at most
 * @param maxAsyncEvents requests for asynchronous events that it holds at most
 * @param optionalAdminCommands OACS: a bit for each kind of optional admin command
 * @param optionalIoCommands ONCS: a bit for each kind of optional I/O command
 * @param optionalAsyncEvents OAES: a bit for each optional asynchronous event
 * @param logPageAttributes LPA: what its log pages can do
 * @param sglSupport SGLS: whether and which SGLs it takes
 * @param retryDelays CRDT1 to CRDT3: what a status means that asks for a delay before the next
 *     attempt, in units of 100 ms
 * @param subsystemName NVMe qualified name of the NVM subsystem; empty if not reported
 */
public record IdentifyController(
    int vendorId,
    int subsystemVendorId,
    String serial,
    String model,
    String firmware,
    int controllerId,
    String version,
    long mdtsBytes,
    long namespaceCount,
    boolean volatileWriteCache,
    long shutdownMicros,
    int errorLogEntries,
    int maxAsyncEvents,
    int optionalAdminCommands,
    int optionalIoCommands,
    int optionalAsyncEvents,
    int logPageAttributes,
    int sglSupport,
    List<Integer> retryDelays,
    String subsystemName) {

  private static final int SGLS_SUPPORTED = 3;
  private static final int OACS_FORMAT = 1 << 1;
  private static final int OACS_DOORBELL_BUFFERS = 1 << 8;
  private static final int LPA_EXTENDED_DATA = 1 << 2;
  private static final int STATUS_DELAY_SHIFT = 11;
  private static final int STATUS_DELAY_MASK = 3;
  private static final long RETRY_DELAY_NANOS = 100_000_000;

  private static final long VID = 0;
  private static final long SSVID = 2;
  private static final long SN = 4;
  private static final int SN_LENGTH = 20;
  private static final long MN = 24;
  private static final int MN_LENGTH = 40;
  private static final long FR = 64;
  private static final int FR_LENGTH = 8;
  private static final long MDTS = 77;
  private static final long CNTLID = 78;
  private static final long VER = 80;
  private static final long RTD3E = 88;
  private static final long OAES = 92;
  private static final long CRDT1 = 128;
  private static final long OACS = 256;
  private static final long AERL = 259;
  private static final long LPA = 261;
  private static final long ELPE = 262;
  private static final long NN = 516;
  private static final long ONCS = 520;
  private static final long VWC = 525;
  private static final long SGLS = 536;
  private static final long SUBNQN = 768;
  private static final int SUBNQN_LENGTH = 256;

  /**
   * Decodes the 4096 bytes of the data structure.
   *
   * @param versionRegister the VS register, for controllers before 1.2 that have no version here
   */
  static IdentifyController decode(MemorySegment page, int versionRegister, int pageSize) {
    int mdts = Byte.toUnsignedInt(page.get(LE8, MDTS));
    int version = page.get(LE32, VER);
    return new IdentifyController(
        Short.toUnsignedInt(page.get(LE16, VID)),
        Short.toUnsignedInt(page.get(LE16, SSVID)),
        text(page, SN, SN_LENGTH),
        text(page, MN, MN_LENGTH),
        text(page, FR, FR_LENGTH),
        Short.toUnsignedInt(page.get(LE16, CNTLID)),
        versionText(version == 0 ? versionRegister : version),
        // A shift beyond any memory is no limit either.
        mdts == 0 || mdts >= Integer.SIZE ? 0 : (long) pageSize << mdts,
        Integer.toUnsignedLong(page.get(LE32, NN)),
        (page.get(LE8, VWC) & 1) != 0,
        Integer.toUnsignedLong(page.get(LE32, RTD3E)),
        Byte.toUnsignedInt(page.get(LE8, ELPE)) + 1,
        Byte.toUnsignedInt(page.get(LE8, AERL)) + 1,
        Short.toUnsignedInt(page.get(LE16, OACS)),
        Short.toUnsignedInt(page.get(LE16, ONCS)),
        page.get(LE32, OAES),
        Byte.toUnsignedInt(page.get(LE8, LPA)),
        page.get(LE32, SGLS),
        List.of(delay(page, 0), delay(page, 1), delay(page, 2)),
        text(page, SUBNQN, SUBNQN_LENGTH));
  }

  private static int delay(MemorySegment page, int index) {
    return Short.toUnsignedInt(page.get(LE16, CRDT1 + 2L * index));
  }

  /** Whether it takes SGLs for the data of I/O commands. */
  public boolean supportsSgls() {
    return (sglSupport & SGLS_SUPPORTED) != 0;
  }

  /** Whether it can be told of doorbells in memory. */
  public boolean supportsDoorbellBuffers() {
    return (optionalAdminCommands & OACS_DOORBELL_BUFFERS) != 0;
  }

  /** Whether it can format namespaces. */
  public boolean supportsFormat() {
    return (optionalAdminCommands & OACS_FORMAT) != 0;
  }

  /** Whether log pages can be read from the middle. */
  public boolean supportsLogOffsets() {
    return (logPageAttributes & LPA_EXTENDED_DATA) != 0;
  }

  /** How long to wait before the next attempt, as a failed command's status asks for. */
  long retryDelayNanos(int status) {
    int which = (status >> STATUS_DELAY_SHIFT) & STATUS_DELAY_MASK;
    return which == 0 ? 0 : retryDelays.get(which - 1) * RETRY_DELAY_NANOS;
  }

  private static String versionText(int version) {
    return "%d.%d.%d".formatted(version >>> 16, (version >> 8) & 0xff, version & 0xff);
  }

  /** ASCII, padded with spaces or ended by zero. */
  private static String text(MemorySegment page, long offset, int length) {
    byte[] bytes = page.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
    String text = new String(bytes, StandardCharsets.US_ASCII);
    int end = text.indexOf('\0');
    return (end < 0 ? text : text.substring(0, end)).strip();
  }
}
