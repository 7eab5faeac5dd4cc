// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import io.jvfio.sim.SimulatedHosts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** What commands print with {@code --json} is what docs/schemas says, and no more. */
class SchemasTest {
  private static final Path SCHEMAS = Path.of("../docs/schemas");

  private static JsonSchema schema(String command) throws IOException {
    return JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012)
        .getSchema(Files.readString(SCHEMAS.resolve(command + ".json")));
  }

  private static void check(String command, String... args) throws IOException {
    var run = CommandRun.of(args);
    if (!run.out().isEmpty()) { // a failure that is told on standard error alone
      assertThat(schema(command).validate(run.json())).as(String.join(" ", args)).isEmpty();
    }
  }

  private static void checkDone(String command, String... args) throws IOException {
    assertThat(CommandRun.of(args).out()).as(command).isNotEmpty();
    var again = args.clone();
    if (command.equals("record-host")) {
      again[again.length - 1] += "-again"; // it overwrites nothing
    }
    check(command, again);
  }

  static List<String> hosts() {
    return SimulatedHosts.names();
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void whatHostsShowFits(String name) throws IOException {
    var host = HostOpener.SIMULATED + name;
    check("list", "--host", host, "--json", "list");
    check("probe", "--host", host, "--json", "probe");
    check("doctor", "--host", host, "--json", "doctor", "--memory", "1TiB");
    check("topology", "--host", host, "--json", "topology");
    for (var type : List.of("type1", "type1-nesting", "spapr-tce", "noiommu", "iommufd")) {
      check("probe", "--host", host, "--json", "probe", "--iommu", type);
    }
    for (var device : CommandRun.of("--host", host, "--json", "list").json().get("devices")) {
      var address = device.get("address").asText();
      check("doctor", "--host", host, "--json", "doctor", address);
      for (var policy : List.of(List.<String>of(), List.of("--iommu", "noiommu"))) {
        check("show", with(policy, "--host", host, "--json", "show", address));
        check(
            "iova",
            with(
                policy,
                "--host",
                host,
                "--json",
                "iova",
                address,
                "--map",
                "64k",
                "--fits",
                "1M",
                "--explain",
                "0x1000"));
      }
    }
  }

  private static String[] with(List<String> policy, String... args) {
    return Stream.concat(Stream.of(args), policy.stream()).toArray(String[]::new);
  }

  @Test
  void whatCommandsTellOfAControllerFits(@TempDir Path folder) throws IOException {
    var device = CommandRun.controller("x86-6.12");
    var common = List.of("--host", "sim:x86-6.12", "--json", "nvme");
    var input = Files.write(folder.resolve("in"), new byte[8192]).toString();
    var output = folder.resolve("out").toString();
    checkDone("nvme-identify", of(common, "identify", device));
    checkDone("nvme-smart", of(common, "smart", device));
    checkDone("nvme-read", of(common, "read", device, "--output", output));
    checkDone("nvme-write", of(common, "write", device, "--input", input));
    checkDone("nvme-verify", of(common, "verify", device, "--size", "1M", "--overwrite"));
    checkDone("nvme-bench", of(common, "bench", device, "--time", "1s", "--size", "1M"));
  }

  private static String[] of(List<String> common, String... more) {
    return Stream.concat(common.stream(), Stream.of(more)).toArray(String[]::new);
  }

  @Test
  void whatNeedsNoHostFits(@TempDir Path folder) throws IOException {
    checkDone("hosts", "--json", "hosts");
    checkDone("demo", "--json", "demo");
    checkDone("doctor", "--json", "doctor"); // this machine, whatever it is
    checkDone("record-host", "--json", "record-host", folder.resolve("host.json").toString());
    checkDone("user-conform", "--json", "user", "conform", "--list");
  }

  /** A field that no schema names is an error, in every object. */
  @Test
  void aNewFieldIsNoticed() throws IOException {
    var list = CommandRun.of("--host", "sim:x86-6.12", "--json", "list").json();
    assertThat(schema("list").validate(list)).isEmpty();
    var changed = (com.fasterxml.jackson.databind.node.ObjectNode) list.get("devices").get(0);
    changed.put("news", 1);
    assertThat(schema("list").validate(list)).hasSize(1);
  }

  @Test
  void everyCommandThatPrintsJsonHasASchema() {
    var missing = new ArrayList<String>();
    for (var command : commands()) {
      if (!Files.exists(SCHEMAS.resolve(command + ".json"))) {
        missing.add(command);
      }
    }
    assertThat(missing).isEmpty();
  }

  @Test
  void everySchemaIsOfACommand() throws IOException {
    try (var files = Files.list(SCHEMAS)) {
      assertThat(files.map(file -> file.getFileName().toString().replace(".json", "")).toList())
          .isSubsetOf(commands());
    }
  }

  /** The commands that are no groups of others, but those that print no result. */
  private static Set<String> commands() {
    Set<String> names = new TreeSet<>();
    collect(Main.complete(), "", names);
    names.removeAll(List.of("help", "shell"));
    return names;
  }

  private static void collect(CommandLine command, String path, Set<String> names) {
    command
        .getSubcommands()
        .forEach((name, each) -> collect(each, path.isEmpty() ? name : path + "-" + name, names));
    if (command.getSubcommands().isEmpty()) {
      names.add(path);
    }
  }
}
