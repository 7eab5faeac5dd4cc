// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The health of a controller. Source: NVM Express Base Specification, "SMART / Health Information".
 *
 * @param criticalWarning a bit for each warning: 0 spare below threshold, 1 temperature, 2
 *     reliability degraded, 3 read-only, 4 volatile memory backup failed, 5 persistent memory
 *     region read-only
 * @param temperatureKelvin composite temperature, in kelvins
 * @param availableSparePercent spare capacity left, in percent
 * @param spareThresholdPercent below this the spare capacity is a critical warning, in percent
 * @param percentageUsed of the life that the maker expects; 255 stands for 255 and more
 * @param enduranceGroupWarning a bit for each critical warning of an endurance group
 * @param dataUnitsRead data read, in thousands of 512 bytes, rounded up
 * @param dataUnitsWritten data written, in thousands of 512 bytes, rounded up
 * @param hostReadCommands reads (and compares) that completed
 * @param hostWriteCommands writes that completed
 * @param controllerBusyMinutes minutes that I/O commands were in progress
 * @param powerCycles how often it was powered on
 * @param powerOnHours hours that it was powered on
 * @param unsafeShutdowns how often it lost power without being shut down
 * @param mediaErrors unrecovered data integrity errors
 * @param errorLogEntries entries that the error log ever had
 * @param warningTemperatureMinutes minutes above the warning threshold
 * @param criticalTemperatureMinutes minutes above the critical threshold
 * @param temperatureSensorsKelvin what sensors 1 to 8 read, in kelvins; 0 where there is none
 * @param thermalTransitions1 how often it throttled lightly
 * @param thermalTransitions2 how often it throttled heavily
 * @param thermalSeconds1 seconds that it throttled lightly
 * @param thermalSeconds2 seconds that it throttled heavily
 */
public record SmartLog(
    int criticalWarning,
    int temperatureKelvin,
    int availableSparePercent,
    int spareThresholdPercent,
    int percentageUsed,
    int enduranceGroupWarning,
    BigInteger dataUnitsRead,
    BigInteger dataUnitsWritten,
    BigInteger hostReadCommands,
    BigInteger hostWriteCommands,
    BigInteger controllerBusyMinutes,
    BigInteger powerCycles,
    BigInteger powerOnHours,
    BigInteger unsafeShutdowns,
    BigInteger mediaErrors,
    BigInteger errorLogEntries,
    long warningTemperatureMinutes,
    long criticalTemperatureMinutes,
    List<Integer> temperatureSensorsKelvin,
    long thermalTransitions1,
    long thermalTransitions2,
    long thermalSeconds1,
    long thermalSeconds2) {

  static final int BYTES = 512;

  private static final int KELVIN_AT_ZERO_CELSIUS = 273;
  private static final int COUNTER_BYTES = 16;
  private static final int SENSORS = 8;
  private static final long COUNTERS = 32;
  private static final long TIMES = 192;
  private static final long SENSOR_1 = 200;
  private static final long THERMAL = 216;

  /** Keeps a copy of the sensors. */
  public SmartLog {
    temperatureSensorsKelvin = List.copyOf(temperatureSensorsKelvin);
  }

  static SmartLog decode(MemorySegment page) {
    return new SmartLog(
        Byte.toUnsignedInt(page.get(LE8, 0)),
        // The only field of 16 bits that lies at an odd offset.
        Byte.toUnsignedInt(page.get(LE8, 1)) | Byte.toUnsignedInt(page.get(LE8, 2)) << 8,
        Byte.toUnsignedInt(page.get(LE8, 3)),
        Byte.toUnsignedInt(page.get(LE8, 4)),
        Byte.toUnsignedInt(page.get(LE8, 5)),
        Byte.toUnsignedInt(page.get(LE8, 6)),
        counter(page, 0),
        counter(page, 1),
        counter(page, 2),
        counter(page, 3),
        counter(page, 4),
        counter(page, 5),
        counter(page, 6),
        counter(page, 7),
        counter(page, 8),
        counter(page, 9),
        unsigned32(page, TIMES),
        unsigned32(page, TIMES + 4),
        IntStream.range(0, SENSORS)
            .mapToObj(i -> Short.toUnsignedInt(page.get(LE16, SENSOR_1 + 2L * i)))
            .toList(),
        unsigned32(page, THERMAL),
        unsigned32(page, THERMAL + 4),
        unsigned32(page, THERMAL + 8),
        unsigned32(page, THERMAL + 12));
  }

  private static long unsigned32(MemorySegment page, long offset) {
    return Integer.toUnsignedLong(page.get(LE32, offset));
  }

  private static BigInteger counter(MemorySegment page, int index) {
    byte[] bytes =
        page.asSlice(COUNTERS + (long) index * COUNTER_BYTES, COUNTER_BYTES)
            .toArray(ValueLayout.JAVA_BYTE);
    byte[] bigEndian = new byte[COUNTER_BYTES];
    for (int i = 0; i < COUNTER_BYTES; i++) {
      bigEndian[i] = bytes[COUNTER_BYTES - 1 - i];
    }
    return new BigInteger(1, bigEndian);
  }

  /** The composite temperature in degrees Celsius, as whole as the controller tells it. */
  public int temperatureCelsius() {
    return temperatureKelvin - KELVIN_AT_ZERO_CELSIUS;
  }
}
