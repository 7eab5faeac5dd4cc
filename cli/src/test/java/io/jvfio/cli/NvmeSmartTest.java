// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.cli.output.Output;
import io.jvfio.nvme.ErrorLogEntry;
import io.jvfio.nvme.SmartLog;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.math.BigInteger;
import java.util.List;
import org.junit.jupiter.api.Test;

class NvmeSmartTest {
  private static final String HOST = "pseries-5.10";

  @Test
  void tellsHowAControllerIsDoing() {
    var device = CommandRun.controller(HOST);
    var run = CommandRun.of("--host", "sim:" + HOST, "nvme", "smart", device);
    assertThat(run.err()).isEmpty();
    assertThat(run.out())
        .contains("serial jvfio0", "Critical warning  none", "Spare capacity    100 %")
        .contains("The error log is empty.");
    var json = CommandRun.of("--host", "sim:" + HOST, "--json", "nvme", "smart", device).json();
    assertThat(json.get("smart").get("criticalWarnings")).isEmpty();
    assertThat(json.get("smart").get("temperatureCelsius").asInt()).isBetween(1, 100);
    assertThat(json.get("smart").get("bytesWritten").asLong()).isZero();
    assertThat(json.get("smart").get("powerCycles").asLong()).isPositive();
    assertThat(json.get("errors")).isEmpty();
  }

  @Test
  void tellsCommandsThatFailed() {
    var out = new StringWriter();
    NvmeSmart.print(
        new Output(new PrintWriter(out), new PrintWriter(new StringWriter()), false),
        List.of(
            new ErrorLogEntry(18, 2, 77, 0x4080, 0xffff, 4711, 1, 0, 0),
            new ErrorLogEntry(17, 0xffff, 0xffff, 0x0281, 0xffff, 0, -1, 0, 0)));
    assertThat(out.toString().replaceAll(" +", " "))
        .contains("18 2 77 1 4711 LBA Out of Range", "17 - - all 0 Unrecovered Read Error");
  }

  private static String printed(SmartLog smart) {
    var out = new StringWriter();
    NvmeSmart.print(
        new Output(new PrintWriter(out), new PrintWriter(new StringWriter()), false), smart);
    return out.toString();
  }

  @Test
  void saysInWordsWhatIsCritical() {
    var text = printed(log(0b101101, 273 + 85, 255));
    assertThat(text)
        .contains(
            "the spare capacity is below its threshold; reliability is degraded",
            "read-only",
            "85 \u00b0C",
            "sensor 2        41 \u00b0C",
            "255 % or more",
            "Data written      512 TB",
            "Too hot           12 minutes, of which critically 5",
            "heavily 2 times for 30 s",
            "18,446,744,073,709,551,616 hours")
        .doesNotContain("temperature is beyond");
    assertThat(printed(log(0, 0, 3))).contains("Critical warning  none", "not told", "3 %\n");
  }

  private static SmartLog log(int warnings, int kelvin, int percentageUsed) {
    var some = BigInteger.valueOf(1000);
    return new SmartLog(
        warnings,
        kelvin,
        4,
        10,
        percentageUsed,
        0,
        some,
        BigInteger.valueOf(1_000_000_000),
        some,
        some,
        some,
        some,
        BigInteger.TWO.pow(64),
        some,
        some,
        some,
        7,
        5,
        List.of(0, 273 + 41, 0, 0, 0, 0, 0, 0),
        0,
        2,
        0,
        30);
  }
}
