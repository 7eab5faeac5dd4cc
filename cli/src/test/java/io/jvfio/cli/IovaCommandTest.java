// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class IovaCommandTest {
  private static final String X86 = "x86-6.12";

  @Test
  void drawsRangesAndHolesInTheOrderOfAddresses() {
    var run = run(X86);
    assertThat(run.status()).isZero();
    assertThat(run.err()).isEmpty();
    assertThat(rows(run))
        .containsExactly(
            "=== 0x0 0xfedfffff 3.98 GiB valid range 1, in pages of 4 KiB",
            "x 0xfee00000 0xfeefffff 1 MiB reserved (msi): message-signalled interrupts",
            "===== 0xfef00000 0xffffffffffff 256 TiB valid range 2, in pages of 4 KiB",
            "........ 0x1000000000000 0xffffffffffffffff 16 EiB not translated: beyond the 48"
                + " address bits of the IOMMU");
  }

  @Test
  void drawsLiveMapsWhereTheyAre() {
    assertThat(rows(run(X86, "--map", "2MiB@0x200000", "--map", "0x1000@4194304")))
        .startsWith(
            "=== 0x0 0xfedfffff 3.98 GiB valid range 1, in pages of 4 KiB",
            "== 0x0 0x1fffff 2 MiB free",
            "## 0x200000 0x3fffff 2 MiB live map, read+write: by --map 2MiB@0x200000",
            "# 0x400000 0x400fff 4 KiB live map, read+write: by --map 0x1000@4194304",
            "=== 0x401000 0xfedfffff 3.98 GiB free");
  }

  @Test
  void drawsManyLiveMapsAsOne() {
    var rows = rows(run(X86, maps(200, "4K")));
    assertThat(rows).hasSize(7);
    assertThat(rows.get(2)).contains("800 KiB 200 live maps: 800 KiB in all, without a gap");
  }

  @Test
  void drawsAWindowThatFillsUp() {
    assertThat(rows(run("pseries-5.10", "--map", "1GiB@0")))
        .containsExactly(
            "=== 0x0 0x3fffffff 1 GiB DMA window 1, in pages of 4 KiB",
            "### 0x0 0x3fffffff 1 GiB live map, read+write: by --map 1GiB@0",
            "........ 0x40000000 0xffffffffffffffff 16 EiB not translated: in no DMA window");
  }

  @Test
  void drawsTheWindowThatALargeMapNeeds() {
    var run = run("powernv-6.12", "--map", "3GiB");
    assertThat(run.out())
        .contains("DMA windows: 2 of 2. Another one can be created once one is removed.");
    assertThat(rows(run))
        .contains(
            "=== 0x0 0x7fffffff 2 GiB DMA window 1, in pages of 4 KiB",
            "=== 0x800000000000000 0x8000001ffffffff 8 GiB DMA window 2, in pages of 64 KiB",
            "### 0x800000000000000 0x8000000bfffffff 3 GiB live map, read+write: by --map 3GiB");
  }

  @Test
  void callsNothingFreeWithoutAnIommu() {
    var run = run("x86-noiommu", "--iommu", "noiommu", "--map", "64K");
    assertThat(run.out()).contains("There is no IOMMU: the device reaches all memory");
    var rows = rows(run);
    assertThat(rows.getFirst())
        .isEqualTo("======== 0x0 0xffffffffffffffff 16 EiB physical addresses, in pages of 4 KiB");
    assertThat(rows.getLast()).endsWith("not mapped by this process");
  }

  @ParameterizedTest
  @MethodSource("usableHosts")
  void fitsATerminalOf100Columns(String host) {
    var run =
        run(host, "--map", "64K", "--fits", "1MiB", "--fits", "4EiB", "--explain", "0xfee00000");
    assertThat(run.out().lines())
        .allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(100));
  }

  static Stream<String> usableHosts() {
    return SimulatedHosts.names().stream()
        .filter(host -> !host.equals("x86-noiommu") && !host.equals("pseries-6.12-noddw"));
  }

  @ParameterizedTest
  @MethodSource("usableHosts")
  void tellsTheSameAsJson(String host) {
    var json = run(host, "--json", "--map", "64K").json();
    assertThat(json.fieldNames())
        .toIterable()
        .containsExactly(
            "host",
            "address",
            "iommu",
            "windows",
            "dynamicWindows",
            "reserved",
            "mappings",
            "entriesLeft",
            "lockedBytes",
            "lockableBytes",
            "explain",
            "fits");
    assertThat(json.get("host").asText()).isEqualTo("sim:" + host);
    assertThat(json.get("windows").get(0).get("start").asText()).isEqualTo("0x0");
    assertThat(json.get("mappings")).hasSize(1);
    var map = json.get("mappings").get(0);
    assertThat(map.get("iova").asText()).startsWith("0x");
    assertThat(map.get("byteSize").asLong()).isEqualTo(64 << 10);
    assertThat(map.get("access").asText()).isEqualTo("read+write");
    assertThat(map.get("mapped").asBoolean()).isTrue();
    assertThat(map.get("place").asText()).contains("IovaCommand.java");
    assertThat(json.get("explain").isNull()).isTrue();
    assertThat(json.get("fits")).isEmpty();
  }

  @Test
  void tellsHolesAndWindowsAsJson() {
    var x86 = run(X86, "--json").json();
    assertThat(x86.get("iommu").asText()).isEqualTo("type1v2");
    assertThat(x86.get("windows").get(1).get("last").asText()).isEqualTo("0xffffffffffff");
    assertThat(x86.get("windows").get(1).get("pageSize").asLong()).isEqualTo(4096);
    assertThat(x86.get("reserved").get(0).get("start").asText()).isEqualTo("0xfee00000");
    assertThat(x86.get("reserved").get(0).get("last").asText()).isEqualTo("0xfeefffff");
    assertThat(x86.get("reserved").get(0).get("kind").asText()).isEqualTo("msi");
    assertThat(x86.get("dynamicWindows").isNull()).isTrue();
    assertThat(x86.get("entriesLeft").asLong()).isEqualTo(65535);
    assertThat(x86.get("lockableBytes").isNull()).isTrue();

    var windows = run("powernv-6.12", "--json").json().get("dynamicWindows");
    assertThat(windows.get("limit").asInt()).isEqualTo(2);
    assertThat(windows.get("levels").asInt()).isEqualTo(5);
    assertThat(windows.get("pageSizes"))
        .extracting(JsonNode::asLong)
        .containsExactly(4096L, 65536L, 2L << 20, 1L << 30);
  }

  @ParameterizedTest
  @CsvSource({
    "a hole,               0xfee00000,             reserved range,         0xfef00000",
    "no multiple of pages, 0x1001+4K,              no multiple of 0x1000,  0x2000",
    "a length that is not, 0x1000+100,             100 bytes are no,       0x1000",
    "past the end,         0xfedff000+8K,          pass the end of,        0xfef00000",
    "a live map,           0x200000+4K,            overlaps the mapping,   0x400000",
    "into a live map,      0x1ff000+8K,            overlaps the mapping,   0x400000",
    "beyond the IOMMU,     281474976710656,        in no valid range,      0x1000",
    "a wrap-around,        0xfffffffffffff000+8K,  no range of addresses,  0x1000",
  })
  void explainsARefusal(String why, String asked, String reason, String next) {
    var json = run(X86, "--json", "--map", "2MiB@0x200000", "--explain", asked).json();
    var answer = json.get("explain");
    assertThat(answer.get("free").asBoolean()).as(why).isFalse();
    assertThat(answer.get("reason").asText()).contains(reason);
    assertThat(answer.get("nextFree").asText()).isEqualTo(next);

    var run = run(X86, "--map", "2MiB@0x200000", "--explain", asked);
    assertThat(run.status()).isZero();
    assertThat(oneLine(run.out()))
        .contains(": refused", reason, "The next free address for that size is " + next + ".");
  }

  @Test
  void explainsAFreeAddressAndASizeThatIsNowhereFree() {
    var free = run(X86, "--json", "--explain", "0xfef00000").json().get("explain");
    assertThat(free.get("free").asBoolean()).isTrue();
    assertThat(free.get("byteSize").asLong()).as("one IOMMU page").isEqualTo(4096);
    assertThat(free.get("nextFree").asText()).isEqualTo("0xfef00000");

    var run = run(X86, "--explain", "0+512TiB");
    assertThat(run.out()).contains("No address is free for that size.");
  }

  @Test
  void takesThePageOfTheWindowThatAnAddressIsIn() {
    var json =
        run("powernv-6.12", "--json", "--map", "3GiB", "--explain", "0x8000000c0000000").json();
    assertThat(json.get("explain").get("byteSize").asLong()).isEqualTo(64 << 10);
    assertThat(json.get("explain").get("free").asBoolean()).isTrue();
  }

  @Test
  void tellsWhatWouldFit() {
    var fits = run(X86, "--json", "--fits", "64K", "--fits", "4K@0xfee00000").json().get("fits");
    assertThat(fits).hasSize(2);
    assertThat(fits.get(0).get("fits").asBoolean()).isTrue();
    assertThat(fits.get(0).get("at").isNull()).isTrue();
    assertThat(fits.get(0).get("iova").asText()).startsWith("0x");
    assertThat(fits.get(0).get("lockedBytesNeeded").asLong()).isEqualTo(64 << 10);
    assertThat(fits.get(0).get("lockedBytesAvailable").isNull()).isTrue();
    assertThat(fits.get(0).get("entriesNeeded").asLong()).isOne();
    assertThat(fits.get(0).get("entriesAvailable").asLong()).isEqualTo(65535);
    assertThat(fits.get(0).get("changes")).isEmpty();
    assertThat(fits.get(1).get("fits").asBoolean()).isFalse();
    assertThat(fits.get(1).get("at").asText()).isEqualTo("0xfee00000");
    assertThat(fits.get(1).get("iova").isNull()).isTrue();
    assertThat(fits.get(1).get("changes").get(0).asText()).contains("reserved range");
  }

  @Test
  void tellsWhatLockedMemoryIsMissing() {
    var options = HostOptions.unprivileged().withGroupAccess();
    var run = CommandRun.with(options, command(X86, "--fits", "1MiB", "--fits", "16K"));
    assertThat(run.status()).isZero();
    assertThat(oneLine(run.out()))
        .contains("1MiB: does not fit")
        .contains("locked memory: 1,048,576 bytes needed, 65,536 available")
        .contains("prlimit")
        .contains("16K: fits at 0x");
  }

  @Test
  void tellsThatNoEntryIsLeft() {
    var options = HostOptions.defaults().withDmaEntryLimit(2);
    var run =
        CommandRun.with(
            options, command(X86, "--map", "4K", "--map", "4K", "--fits", "4K", "--json"));
    var fit = run.json().get("fits").get(0);
    assertThat(run.json().get("entriesLeft").asLong()).isZero();
    assertThat(fit.get("fits").asBoolean()).isFalse();
    assertThat(fit.get("changes").get(0).asText()).contains("dma_entry_limit");
  }

  @Test
  void foreseesAWindowWhoseStartThePlatformChooses() {
    var run = run("powernv-6.12", "--fits", "3GiB");
    assertThat(run.out()).contains("3GiB: fits, at an address that shows when it is mapped");
  }

  @Test
  void failsWhenAMapFails(@TempDir Path directory) {
    var picture = directory.resolve("none.svg");
    var run = run(X86, "--map", "4K@0xfee00000", "--svg", picture.toString());
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).startsWith("jvfio: map on ").contains("reserved range");
    assertThat(run.out()).isEmpty();
    assertThat(picture).doesNotExist();
  }

  @Test
  void writesAPictureBesideTheText(@TempDir Path directory) throws IOException {
    var picture = directory.resolve("space.svg");
    var run = run(X86, "--json", "--svg", picture.toString());
    assertThat(run.json().get("iommu").asText()).isEqualTo("type1v2");
    assertThat(Files.readString(picture)).startsWith("<?xml").contains("DMA space of");

    var nowhere = run(X86, "--svg", directory.resolve("no/space.svg").toString());
    assertThat(nowhere.status()).isEqualTo(1);
    assertThat(nowhere.err()).startsWith("jvfio: cannot write the picture");
  }

  @ParameterizedTest
  @CsvSource({
    "--explain, msi,                  is no address",
    "--explain, 0x1ffffffffffffffff,  is no address",
    "--explain, 18446744073709551616, more than 64 bits",
    "--explain, -1,                   is no address",
    "--explain, 0x1000+lots,          is no size",
    "--explain, 0x1000+0,             no byte at all",
    "--map,     0,                    is no size of memory",
    "--map,     0x7fffffffffffffff,   is no size of memory",
    "--map,     0x8000000000000000,   more than 8 EiB",
    "--map,     4K@,                  is no address",
    "--fits,    4X,                   is no size",
  })
  void tellsWrongUsage(String option, String value, String message) {
    var run = run(X86, option + "=" + value);
    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err()).startsWith("jvfio: ").contains(message);
    assertThat(run.out()).isEmpty();
  }

  @Test
  void takesTheIommuTypeThatTheUserChooses() {
    var json = run("pseries-6.12", "--json", "--iommu", "spapr-tce").json();
    assertThat(json.get("iommu").asText()).isEqualTo("spapr-tce");
    assertThat(json.get("dynamicWindows").isNull()).isTrue();
  }

  private static CommandRun run(String host, String... options) {
    return CommandRun.of(command(host, options));
  }

  private static String[] command(String host, String... options) {
    var command = new ArrayList<>(List.of("--host", "sim:" + host, "iova"));
    command.addAll(List.of(options));
    command.add(CommandRun.controller(host));
    return command.toArray(String[]::new);
  }

  private static String[] maps(int count, String size) {
    return Collections.nCopies(count, size).stream()
        .flatMap(one -> Stream.of("--map", one))
        .toArray(String[]::new);
  }

  /** The rows of the table, without padding, each in one line. */
  private static List<String> rows(CommandRun run) {
    var rows = new ArrayList<String>();
    for (var line : run.out().lines().dropWhile(line -> !line.contains("FIRST")).skip(1).toList()) {
      if (line.isEmpty()) {
        break;
      }
      if (line.startsWith(" ")) {
        rows.set(rows.size() - 1, rows.getLast() + " " + line.strip());
      } else {
        rows.add(oneLine(line));
      }
    }
    return rows;
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\s+", " ");
  }
}
