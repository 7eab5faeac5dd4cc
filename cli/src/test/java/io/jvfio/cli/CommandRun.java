// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.stream.StreamSupport;

/**
 * What one run of the command printed, and how it ended.
 *
 * @param status the exit status
 * @param out standard output
 * @param err standard error
 * @param binary standard output that is no text
 */
@SuppressWarnings("ArrayRecordComponent") // looked at once, and not compared
record CommandRun(int status, String out, String err, byte[] binary) {
  /** A run of whose output all is text. */
  CommandRun(int status, String out, String err) {
    this(status, out, err, new byte[0]);
  }

  /** Runs the command as a user would. */
  static CommandRun of(String... args) {
    return run(HostOpener.STANDARD, args);
  }

  /** Runs the command on simulated hosts with {@code options}. */
  static CommandRun with(HostOptions options, String... args) {
    return run(
        name ->
            OpenHost.of(
                name, SimulatedHosts.open(name.substring(HostOpener.SIMULATED.length()), options)),
        args);
  }

  /** Runs the command on {@code host}, whatever the arguments name. */
  static CommandRun on(OpenHost host, String... args) {
    return run(_ -> host, args);
  }

  /** Runs the command with something to read. */
  static CommandRun reading(byte[] input, String... args) {
    return run(HostOpener.STANDARD, new ByteArrayInputStream(input), args);
  }

  private static CommandRun run(HostOpener opener, String... args) {
    return run(opener, InputStream.nullInputStream(), args);
  }

  private static CommandRun run(HostOpener opener, InputStream input, String... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    var binary = new ByteArrayOutputStream();
    int status = Main.run(opener, input, binary, new PrintWriter(out), new PrintWriter(err), args);
    return new CommandRun(status, out.toString(), err.toString(), binary.toByteArray());
  }

  /** The address of the first NVMe controller of a simulated host. */
  static String controller(String host) {
    return StreamSupport.stream(
            of("--host", HostOpener.SIMULATED + host, "--json", "list")
                .json()
                .get("devices")
                .spliterator(),
            false)
        .filter(device -> device.get("class").asText().equals("0x010802"))
        .map(device -> device.get("address").asText())
        .findFirst()
        .orElseThrow();
  }

  /** Standard output as one JSON document. */
  JsonNode json() {
    try {
      return new ObjectMapper().readTree(out);
    } catch (JsonProcessingException e) {
      throw new AssertionError("no JSON document: " + out + err, e);
    }
  }
}
