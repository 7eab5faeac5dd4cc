// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.sim.SimulatedHosts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The example on every simulated host. */
class DeviceWritesTest {
  private static final Set<String> NOTHING_USABLE = Set.of("x86-noiommu", "pseries-6.12-noddw");
  private static final long BYTES = 256 << 20;

  static Stream<String> hosts() {
    return SimulatedHosts.names().stream().filter(name -> !NOTHING_USABLE.contains(name));
  }

  private static List<String> run(String host) throws IOException {
    return Output.of(() -> DeviceWrites.main(new String[] {"sim:" + host}));
  }

  private static MatchResult match(String regex, String line) {
    var matcher = Pattern.compile(regex).matcher(line);
    assertThat(matcher.matches()).as("'%s' matches %s", line, regex).isTrue();
    return matcher;
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void theDeviceWritesFromTheFirstByteToTheLast(String host) throws IOException {
    var lines = run(host);

    assertThat(lines).hasSize(4);
    var mapped = match("\\S+, IOMMU \\S+: .* 0x([0-9a-f]+)\\.\\.0x([0-9a-f]+) \\(.*", lines.get(0));
    long first = Long.parseUnsignedLong(mapped.group(1), 16);
    long last = Long.parseUnsignedLong(mapped.group(2), 16);
    assertThat(last - first + 1).isEqualTo(BYTES);
    var offsets = List.of(0L, BYTES / 2, BYTES - 512);
    for (int i = 0; i < offsets.size(); i++) {
      var write = match("IOVA 0x([0-9a-f]+): (5{16}), then (0{16})", lines.get(i + 1));
      assertThat(Long.parseUnsignedLong(write.group(1), 16)).isEqualTo(first + offsets.get(i));
    }
  }

  @Test
  void printsWhatTheReadmeShows() throws IOException {
    var host = "pseries-5.10";
    var shown =
        Files.readString(Path.of("../README.md"))
            .lines()
            .dropWhile(
                line -> !line.startsWith("    $ ") || !line.endsWith("DeviceWrites sim:" + host))
            .skip(1)
            .takeWhile(line -> !line.isEmpty())
            .map(String::strip)
            .toList();
    assertThat(run(host)).isEqualTo(shown);
  }

  @Test
  void withoutAUsableIommuItEndsWithTheReason() {
    assertThatThrownBy(() -> run("pseries-6.12-noddw"))
        .isInstanceOf(VfioException.class)
        .hasMessageContaining("The hypervisor offers no Dynamic DMA Windows");
  }
}
