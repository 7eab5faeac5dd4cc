package io.jvfio.nvme;

import static io.jvfio.nvme.LittleEndian.LE16;
import static io.jvfio.nvme.LittleEndian.LE32;
import static io.jvfio.nvme.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * What a controller says of itself. Source: NVM Express Base Specification, "Identify Controller
 * data structure".
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
    String subsystemName) {

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
  private static final long ELPE = 262;
  private static final long NN = 516;
  private static final long VWC = 525;
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
        text(page, SUBNQN, SUBNQN_LENGTH));
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
