// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Checks of what comes first: versions and capabilities. */
final class VersionChecks {
  private static final String VERSION = "VFIO_USER_VERSION";

  private VersionChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "version-answered",
            "answers a VERSION",
            VERSION,
            "the same major version, and a minor not above the one proposed",
            VersionChecks::answered),
        new ConformanceCheck(
            "version-minor-lower",
            "takes a lower minor version",
            VERSION,
            "version 0.0, if that is proposed",
            VersionChecks::minorLower),
        new ConformanceCheck(
            "version-minor-higher",
            "takes a higher minor version",
            VERSION,
            "a minor version that it knows",
            VersionChecks::minorHigher),
        new ConformanceCheck(
            "version-major-other",
            "does not take another major version",
            VERSION,
            "an error or none, and the end of the connection",
            VersionChecks::majorOther),
        new ConformanceCheck(
            "version-no-data",
            "takes a VERSION without capabilities",
            VERSION,
            "success, since version data are optional",
            VersionChecks::noData),
        new ConformanceCheck(
            "version-empty-json",
            "takes capabilities of which all have their defaults",
            VERSION,
            "success",
            run -> taken(run, "{}") + "; " + taken(run, "{\"capabilities\":{}}")),
        new ConformanceCheck(
            "version-unknown-capability",
            "takes capabilities that it does not know",
            VERSION,
            "success, since later versions may add some",
            VersionChecks::unknownCapability),
        new ConformanceCheck(
            "version-broken-json",
            "refuses capabilities that are no JSON",
            VERSION,
            "an error, or the end of the connection",
            run -> refused(run, "{\"capabilities\":{\"max_msg_fds\":8}\0")),
        new ConformanceCheck(
            "version-json-no-nul",
            "refuses capabilities without a NUL at their end",
            VERSION,
            "an error, or the end of the connection",
            run -> refused(run, "{\"capabilities\":{\"max_msg_fds\":8}}")),
        new ConformanceCheck(
            "version-wrong-type",
            "refuses capabilities that are no such values",
            VERSION,
            "an error, or the end of the connection",
            run -> refused(run, "{\"capabilities\":{\"max_msg_fds\":\"eight\"}}\0")),
        new ConformanceCheck(
            "version-capabilities-no-object",
            "refuses capabilities that are no object",
            VERSION,
            "an error, or the end of the connection",
            run -> refused(run, "{\"capabilities\":\"23\"}\0")),
        new ConformanceCheck(
            "version-number-negative",
            "refuses limits below zero",
            VERSION,
            "an error, or the end of the connection",
            run -> refused(run, "{\"capabilities\":{\"max_msg_fds\":-1}}\0")),
        new ConformanceCheck(
            "version-short",
            "refuses a VERSION that is too short",
            VERSION,
            "an error, or the end of the connection",
            VersionChecks::tooShort),
        new ConformanceCheck(
            "version-capabilities-valid",
            "tells capabilities that make sense",
            VERSION,
            "JSON with a NUL, and limits with which something can be done",
            VersionChecks::capabilitiesValid),
        new ConformanceCheck(
            "version-capabilities-subset",
            "tells no capabilities that were not proposed",
            VERSION,
            "a subset of the capabilities proposed",
            VersionChecks::capabilitiesSubset),
        new ConformanceCheck(
            "version-twin-not-asked",
            "makes no twin socket for who does not ask",
            VERSION,
            "no twin socket, and no descriptor",
            VersionChecks::twinNotAsked),
        new ConformanceCheck(
            "version-twin-asked",
            "makes a twin socket for who asks",
            VERSION,
            "a socket at the index told, or none at all",
            VersionChecks::twinAsked),
        new ConformanceCheck(
            "version-first",
            "takes no command before VERSION",
            VERSION,
            "an error, or the end of the connection",
            run -> commandFirst(run, Command.DEVICE_GET_INFO.number())),
        new ConformanceCheck(
            "version-first-unknown",
            "takes no command that there is not before VERSION",
            VERSION,
            "an error, or the end of the connection",
            run -> commandFirst(run, 999)),
        new ConformanceCheck(
            "version-once",
            "takes no second VERSION",
            VERSION,
            "an error, or the end of the connection",
            VersionChecks::twice));
  }

  private static ConformanceRun.Hello exchange(
      ConformanceRun run, int major, int minor, String json) {
    var reply = run.connect().call(Command.VERSION, ConformanceRun.version(major, minor, json));
    if (reply.isError()) {
      throw Verdict.failed(reply.outcome());
    }
    var hello = ConformanceRun.hello(reply);
    if (hello.major() != major || hello.minor() > minor) {
      throw Verdict.failed("version %d.%d".formatted(hello.major(), hello.minor()));
    }
    return hello;
  }

  private static String told(ConformanceRun.Hello hello) {
    return "version %d.%d".formatted(hello.major(), hello.minor());
  }

  private static String answered(ConformanceRun run) {
    return told(exchange(run, 0, 1, ConformanceRun.HELLO));
  }

  private static String minorLower(ConformanceRun run) {
    return told(exchange(run, 0, 0, ConformanceRun.HELLO));
  }

  private static String minorHigher(ConformanceRun run) {
    return told(exchange(run, 0, 0xffff, ConformanceRun.HELLO));
  }

  private static String majorOther(ConformanceRun run) {
    var peer = run.connect();
    int id = peer.command(Command.VERSION.number(), ConformanceRun.version(9, 0, "{}"));
    var came = run.refusedOrClosed(peer, id);
    if (came.contains("clos")) {
      return came;
    }
    try {
      run.isOfUse(peer, came);
    } catch (Verdict closed) {
      return came + ", and the end of the connection";
    }
    throw Verdict.differs(came + ", and the connection goes on");
  }

  private static String noData(ConformanceRun run) {
    var peer = run.connect();
    var reply = peer.call(Command.VERSION, Payload.version(0, 1));
    if (reply.isError()) {
      throw Verdict.failed(reply.outcome());
    }
    run.isOfUse(peer, "success");
    return told(ConformanceRun.hello(reply));
  }

  private static String taken(ConformanceRun run, String json) {
    return told(exchange(run, 0, 1, json));
  }

  private static String unknownCapability(ConformanceRun run) {
    return taken(
        run,
        "{\"capabilities\":{\"max_msg_fds\":8,\"of_a_later_version\":{\"a\":[1,null,true]}},"
            + "\"beside\":1.5}");
  }

  private static String refused(ConformanceRun run, String data) {
    var peer = run.connect();
    var payload = Payload.version(0, 1, data.getBytes(StandardCharsets.UTF_8));
    try {
      return run.refusedOrClosed(peer, peer.command(Command.VERSION.number(), payload));
    } catch (Verdict taken) {
      throw Verdict.differs(taken.came());
    }
  }

  private static String tooShort(ConformanceRun run) {
    var peer = run.connect();
    return run.refusedOrClosed(
        peer, peer.command(Command.VERSION.number(), Payload.version(0, 0).cutTo(Short.BYTES)));
  }

  private static String capabilitiesValid(ConformanceRun run) {
    var hello = exchange(run, 0, 1, ConformanceRun.HELLO);
    var told = hello.capabilities();
    if (told.maxDataTransfer() == 0 || told.maxDmaMaps() == 0) {
      throw Verdict.failed(hello.json());
    }
    if (Long.bitCount(told.pageSizes() & -told.pageSizes()) != 1 || told.pageSizes() < 4096) {
      throw Verdict.differs("page sizes of " + MessageText.hex(told.pageSizes()));
    }
    return "max_msg_fds %d, max_data_xfer_size %d, max_dma_maps %d, pgsizes 0x%x"
        .formatted(
            told.maxMessageFds(), told.maxDataTransfer(), told.maxDmaMaps(), told.pageSizes());
  }

  private static String capabilitiesSubset(ConformanceRun run) {
    var hello = exchange(run, 0, 1, "{\"capabilities\":{}}");
    if (hello.json().isEmpty() || hello.capabilities().equals(Capabilities.DEFAULTS)) {
      return hello.json().isEmpty() ? "none" : hello.json();
    }
    // What is told of limits is of use even so.
    throw Verdict.differs(hello.json());
  }

  private static String twinNotAsked(ConformanceRun run) {
    var reply = run.connect().call(Command.VERSION, ConformanceRun.version(0, 1, "{}"));
    if (!reply.fds().isEmpty() || ConformanceRun.hello(reply).capabilities().twinSocket()) {
      throw Verdict.failed(
          "%d descriptors and %s"
              .formatted(reply.fds().size(), ConformanceRun.hello(reply).json()));
    }
    return "none";
  }

  private static String twinAsked(ConformanceRun run) {
    var json = "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":true}}}";
    var peer = run.connect();
    var reply = peer.call(Command.VERSION, ConformanceRun.version(0, 1, json));
    if (reply.isError()) {
      throw Verdict.failed(reply.outcome());
    }
    var told = ConformanceRun.hello(reply).capabilities();
    if (!told.twinSocket()) {
      throw Verdict.skipped("the server makes none");
    }
    int index = told.twinSocketFd().orElse(-1);
    if (index < 0 || index >= reply.fds().size()) {
      throw Verdict.failed("index %d of %d descriptors".formatted(index, reply.fds().size()));
    }
    var twin = MessageDescriptor.ofOpen(reply.fds().get(index));
    if (twin.kind() != MessageDescriptor.Kind.SOCKET) {
      throw Verdict.failed(twin.text());
    }
    run.isOfUse(peer, "a twin socket");
    return "a socket";
  }

  private static String commandFirst(ConformanceRun run, int command) {
    var peer = run.connect();
    return run.refusedOrClosed(peer, peer.command(command, Payload.deviceInfo(16)));
  }

  private static String twice(ConformanceRun run) {
    var peer = run.open();
    try {
      return run.refusedOrClosed(
          peer,
          peer.command(
              Command.VERSION.number(), ConformanceRun.version(0, 1, ConformanceRun.HELLO)));
    } catch (Verdict taken) {
      throw Verdict.differs(taken.came());
    }
  }
}
